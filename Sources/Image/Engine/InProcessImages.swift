// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import Glibc
import ImageContract
import LifecycleKit
import PolicyKit

/// What Image does for the other services of its process.
package struct InProcessImages: ImageService, ImageSource, ImageUpload {
    private static let pieceBytes = 256 << 10
    private static let pollInterval = Duration.seconds(1)

    private let engine: ImageEngine
    private let enforcer: PolicyEnforcer

    /// `enforcer` is the API's: who may make an image there may make one here.
    package init(_ engine: ImageEngine, enforcer: PolicyEnforcer) {
        self.engine = engine
        self.enforcer = enforcer
    }

    private func context(_ principal: Principal, _ policy: PolicyName) -> CallContext {
        CallContext(
            principal: principal, requestID: "req-" + engine.ids.uuid(), policy: policy, enforcer: enforcer)
    }

    // MARK: ImageService, ImageSource

    package func image(_ id: ImageID, for principal: Principal) async throws -> ImageInfo? {
        try await engine.image(id, for: principal)
    }

    package func images(_ ids: [ImageID], for principal: Principal) async throws -> [ImageID: ImageInfo] {
        try await engine.images(ids, for: principal)
    }

    package func fetch(_ id: ImageID, to path: String) async throws { try await engine.fetch(id, to: path) }

    // MARK: ImageUpload

    package func ensureImage(
        _ id: ImageID, _ draft: ImageUploadDraft, for principal: Principal
    ) async throws -> ImageInfo {
        if let image = try await engine.image(id, for: principal) { return image }
        var image = ImageDraft()
        image.id = id
        image.name = draft.name
        guard let visibility = Image.Visibility(rawValue: draft.visibility) else {
            throw CloudError.badRequest("'\(draft.visibility)' is no visibility of an image.")
        }
        image.visibility = visibility
        image.diskFormat = draft.diskFormat
        image.containerFormat = draft.containerFormat
        image.isProtected = draft.isProtected
        image.minDiskGiB = Int64(draft.minDiskGiB)
        image.minRAMMiB = Int64(draft.minRAMMiB)
        image.properties = draft.properties.filter { ImageSchema.isProperty($0.key, $0.value) }
        _ = try await engine.create(image, for: context(principal, .addImage))
        guard let made = try await engine.image(id, for: principal) else {
            throw CloudError.notFound("Image \(id) could not be found.", kind: "ImageNotFound")
        }
        return made
    }

    package func upload(_ id: ImageID, from path: String, limit: Duration, for principal: Principal) async throws {
        let context = context(principal, .uploadImage)
        let end = ContinuousClock.now + limit
        // An upload that a dead process began is given up by the reconciler.
        while let image = try await engine.image(id, for: principal), image.status != "queued" {
            if image.status == "active" { return }
            guard image.status == "saving" else {
                throw CloudError.conflict("Image \(id) is \(image.status): it takes no data.")
            }
            guard ContinuousClock.now < end else {
                throw CloudError(
                    .unavailable, "Image \(id) did not finish being uploaded in time.", cause: "still \(image.status)")
            }
            try await Task.sleep(for: Self.pollInterval)
        }
        let file = try FileBytes(path, pool: engine.files.pool)
        try await engine.upload({ try await file.next(Self.pieceBytes) }, sizeBytes: nil, to: id, for: context)
    }

    package func discard(_ id: ImageID, for principal: Principal) async throws {
        guard let image = try await engine.image(id, for: principal), image.status != "active" else { return }
        do {
            try await engine.delete(id, for: context(principal, .deleteImage))
        } catch let error as CloudError where error.code == .notFound {
            return
        }
    }

    package func remove(_ id: ImageID, for principal: Principal) async throws {
        do {
            try await engine.delete(id, for: context(principal, .deleteImage))
        } catch let error as CloudError where error.code == .notFound {
            return
        }
    }

    package func images(
        withProperties properties: [String: String], for principal: Principal
    ) async throws -> [ImageID] {
        var query = ImageListQuery()
        query.filters = properties.sorted { $0.key < $1.key }.map { .property($0.key, $0.value) }
        query.sorts = [.init(.created_at, isAscending: false)]
        query.limit = engine.config.maximumPageSize
        return try await engine.list(query, marker: nil, for: context(principal, .getImages)).images.map(\.id)
    }
}

/// A file as an upload.
private final class FileBytes: Sendable {
    private let path: String
    private let descriptor: Int32
    private let pool: BlockingPool

    init(_ path: String, pool: BlockingPool) throws {
        self.path = path
        self.pool = pool
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileCalls.failure("open", path) }
    }

    deinit { close(descriptor) }

    func next(_ limit: Int) async throws -> [UInt8]? {
        try await pool.run { [self] in
            let bytes = try [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
                let got = read(descriptor, buffer.baseAddress, limit)
                guard got >= 0 else { throw FileCalls.failure("read", path) }
                count = got
            }
            return bytes.isEmpty ? nil : bytes
        }
    }
}
