// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import LifecycleKit
import PolicyKit
import SecurityKit

/// The next piece of an upload, never empty; nil at the end. Throws when the sender went away.
package typealias ImageBytes = @Sendable () async throws -> [UInt8]?

/// The bytes of images: upload, staging, import, download. None of them is ever whole in memory.
extension ImageEngine {
    // MARK: Upload

    /// Stores the bytes and makes the image active, or leaves it queued without a file. `store` nil: the default one.
    package func upload(
        _ body: @escaping ImageBytes, sizeBytes: Int64?, to id: ImageID, store name: String? = nil,
        for context: CallContext
    ) async throws {
        let name = name ?? stores.defaultName
        guard let store = stores.store(name) else {
            throw CloudError.badRequest("Unknown scheme '\(name.prefix(64))' found in URI")
        }
        let (image, blob) = try await begin(id, .uploadBegan, rule: .uploadImage, context)
        try await holding(blob, in: store, of: id) {
            let stored = try await keepingAlive(image.id, blob) {
                try await receive(
                    body, sizeBytes: sizeBytes, blob: blob, in: store, image: image, check: .afterReading)
            }
            try await activate(image, from: .saving, blob: blob, stored, in: [name])
        }
    }

    /// Stores the bytes for a later import.
    package func stage(
        _ body: @escaping ImageBytes, sizeBytes: Int64?, to id: ImageID, for context: CallContext
    ) async throws {
        let (image, blob) = try await begin(id, .stagingBegan, rule: .modifyImage, context)
        try await holding(blob, in: stores.staging, of: id) {
            let stored = try await keepingAlive(image.id, blob) {
                try await receive(
                    body, sizeBytes: sizeBytes, blob: blob, in: stores.staging, image: image, check: .later)
            }
            let now = clock.now()
            let isStaged = try await database.write { tx in try data.stage(id, blob: blob, stored, at: now, tx) }
            guard isStaged else { throw Self.gone(id) }
        }
    }

    /// Takes the image for one upload under a new blob's name.
    private func begin(_ id: ImageID, _ event: Image.Event, rule: PolicyName, _ context: CallContext) async throws
        -> (Image, blob: String)
    {
        let blob = newBlob(id)
        let now = clock.now()
        let limits = try await quotaLimits(of: context.projectID)
        return try await database.write { tx in
            let image = try access.load(id, for: rule, context, tx).image
            let size: ImageQuota = event == .stagingBegan ? .imageStageTotal : .imageSizeTotal
            try checkQuota(limits, context.projectID, adding: [size: 0, .imageCountUploading: 0], tx)
            guard let next = image.status.after(event) else { throw Self.illegalTransition(image, event) }
            if next == .saving { try Self.requireFormats(of: image) }
            guard try data.begin(id, event, blob: blob, at: now, tx) else { throw Self.illegalTransition(image, event) }
            return (image, blob)
        }
    }

    /// Throws `.badRequest` for an image that does not say what its bytes are to be: nothing could check them.
    static func requireFormats(of image: Image) throws {
        let missing = [("disk_format", image.diskFormat), ("container_format", image.containerFormat)]
            .filter { $0.1 == nil }.map(\.0)
        guard missing.isEmpty else {
            throw CloudError.badRequest(
                "\(missing.count == 1 ? "Property" : "Properties") \(missing.joined(separator: ", ")) must be set prior "
                    + "to saving data.")
        }
    }

    /// A name that no other upload of the image has.
    func newBlob(_ id: ImageID) -> String { "\(id).\(ids.hex().prefix(12))" }

    private static func illegalTransition(_ image: Image, _ event: Image.Event) -> CloudError {
        let wanted = event == .stagingBegan ? Image.Status.uploading : .saving
        return .conflict(
            "Image status transition from \(image.status.rawValue) to \(wanted.rawValue) is not allowed",
            kind: "InvalidImageStatusTransition")
    }

    /// Runs `body`; when it throws, the image is queued again and the file goes, whatever becomes of the caller.
    func holding(
        _ blob: String, in store: FileImageStore, of id: ImageID, _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch {
            let now = clock.now()
            await shielded {
                do {
                    let isFree = try await database.write { tx in try data.abandon(id, blob: blob, at: now, tx) }
                    if isFree { await store.remove(blob) }
                } catch {
                    log.warning("upload not undone; the reconciler will", ["image": id, "error": "\(error)"])
                }
            }
            throw error
        }
    }

    /// When bytes are found out that are not what the image declares.
    enum FormatCheck: Sendable {
        /// With the import that follows.
        case later
        /// When the rest has been read, too: a client that writes hears no answer.
        case afterReading
        /// Nobody waits for the rest to be read.
        case atOnce
    }

    /// The next piece is received while the last one is digested and written.
    func receive(
        _ body: @escaping ImageBytes, sizeBytes: Int64?, blob: String, in store: FileImageStore, image: Image,
        algorithm: DigestAlgorithm = .sha512, check: FormatCheck
    ) async throws -> StoredData {
        if let sizeBytes, sizeBytes > config.maximumImageBytes { throw tooLarge }
        let writer = try await store.create(blob, algorithm: algorithm)
        do {
            var isInspected = check == .later
            var batches = ImageBatches(body)
            var next = try await batches.next()
            while let piece = next {
                guard writer.byteCount + Int64(piece.count) <= config.maximumImageBytes else { throw tooLarge }
                async let written: Void = writer.append(piece, on: store.pool)
                next = try await batches.next()
                try await written
                if !isInspected, let inspection = writer.preliminaryInspection() {
                    isInspected = true
                    try await refuseEarly(inspection, image, &batches, reads: check == .afterReading)
                }
            }
            if let sizeBytes, writer.byteCount != sizeBytes {
                throw CloudError.badRequest(
                    "Size of uploaded data (\(writer.byteCount)) is not what was said (\(sizeBytes)).")
            }
            let stored = try await writer.finish(on: store.pool, directory: store.directory)
            if check != .later { try checkFormat(stored.inspection, image) }
            return stored
        } catch {
            await writer.discard(on: store.pool)
            throw error
        }
    }

    private var tooLarge: CloudError {
        CloudError(.tooLarge, "The incoming image is too large: more than \(config.maximumImageBytes) bytes.")
    }

    /// Runs `body` while the row hears by the clock that the upload lives: a client may be slow, and so may the disk when
    /// the last byte has come. Throws `gone` when the image is no longer this upload's.
    func keepingAlive(
        _ id: ImageID, _ blob: String, _ body: @escaping @Sendable () async throws -> StoredData
    ) async throws -> StoredData {
        try await withThrowingTaskGroup(of: StoredData?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    try await Task.sleep(for: config.uploadHeartbeat)
                    let now = clock.now()
                    let isAlive = try await database.write { tx in try data.keepAlive(id, blob: blob, at: now, tx) }
                    guard isAlive else { throw Self.gone(id) }
                }
            }
            defer { group.cancelAll() }
            guard let stored = try await group.next() ?? nil else { throw Self.gone(id) }
            return stored
        }
    }

    /// What is wrong at the start need not be stored.
    private func refuseEarly(
        _ inspection: ImageInspection, _ image: Image, _ batches: inout ImageBatches, reads: Bool
    ) async throws {
        do {
            try checkFormat(inspection, image)
        } catch {
            while reads, try await batches.next() != nil {}
            throw error
        }
    }

    /// Throws `.unsupportedMediaType` for bytes that are not what the image declares, or that a host must not open.
    func checkFormat(_ inspection: ImageInspection, _ image: Image) throws {
        guard let declared = image.diskFormat, let container = image.containerFormat else {
            return try Self.requireFormats(of: image)
        }
        let reason = inspection.refusal(
            declared: declared, container: container, requiresMatch: config.requiresFormatMatch)
        if let reason {
            throw CloudError(.unsupportedMediaType, reason, kind: "InvalidImageData")
        }
    }

    private func activate(
        _ image: Image, from status: Image.Status, blob: String, _ stored: StoredData, in stores: [String]
    ) async throws {
        let virtual = virtualSize(stored, of: image)
        let now = clock.now()
        let isActive = try await database.write { tx in
            try data.activate(
                image.id, from: status, blob: blob, stored, virtualSizeBytes: virtual, in: stores, at: now, tx)
        }
        guard isActive else { throw Self.gone(image.id) }
    }

    /// What a guest would see, where the bytes are as declared and tell.
    func virtualSize(_ stored: StoredData, of image: Image) -> Int64? {
        let isTold =
            image.diskFormat == stored.inspection.format
            && !ImageFormats.opaqueContainers.contains(image.containerFormat ?? "")
        return isTold ? stored.inspection.virtualSizeBytes : nil
    }

    static func gone(_ id: ImageID) -> CloudError {
        .notFound(
            """
            Image \(id) could not be found after upload. The image may have been deleted during the upload, cleaning up \
            the chunks uploaded.
            """, kind: "Gone")
    }

    // MARK: Download

    /// The open file, which the caller closes. Nil when the image has no bytes yet.
    package func download(_ id: ImageID, for context: CallContext) async throws
        -> (image: Image, descriptor: Int32, sizeBytes: Int64)?
    {
        let (image, isCached) = try await database.read { tx in
            let visible = try access.load(id, context, tx)
            if visible.image.status == .deactivated, !context.allows(.contextIsAdmin, [:]) {
                throw CloudError.forbidden(
                    "The requested image has been deactivated. Image data download is forbidden.")
            }
            try visible.authorize(.downloadImage, context)
            return (visible.image, try cache.entry(id, tx)?.isCached ?? false)
        }
        guard image.hasData, let blob = image.blob else { return nil }
        if isCached, let file = try await openCached(image, blob) { return (image, file.descriptor, file.sizeBytes) }
        guard let file = try await stores.open(blob, in: image.stores) else {
            throw CloudError(.unavailable, "The image data is not available.", cause: "blob \(blob) has no file")
        }
        return (image, file.descriptor, file.sizeBytes)
    }
}

/// An upload in batches: small pieces are gathered until they are worth a trip to the threads that write.
private struct ImageBatches {
    private static let byteCount = 256 << 10

    private let body: ImageBytes
    private var isEnded = false

    init(_ body: @escaping ImageBytes) { self.body = body }

    mutating func next() async throws -> [UInt8]? {
        guard !isEnded, var bytes = try await piece() else { return nil }
        while bytes.count < Self.byteCount, let more = try await piece() { bytes.append(contentsOf: more) }
        return bytes
    }

    /// Nobody is asked again after the end.
    private mutating func piece() async throws -> [UInt8]? {
        guard !isEnded, let piece = try await body() else {
            isEnded = true
            return nil
        }
        return piece
    }
}
