// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import Glibc
import HTTPKit
import ImageContract
import ImageCore
import PolicyKit

/// /v2/images/{id}/file and /stage: the bytes.
struct ImageDataRoutes: Sendable {
    let engine: ImageEngine

    func register(on routes: inout RouteTable) {
        routes.add(.put, "/v2/images/{id}/file", object: .uploadImage, upload)
        routes.add(.get, "/v2/images/{id}/file", object: .downloadImage, download)
        routes.add(.put, "/v2/images/{id}/stage", object: .modifyImage, stage)
    }

    private func upload(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try checkContentType(request)
        let body = request.http.body
        try await engine.upload(
            { try await body.next() }, sizeBytes: try size(request), to: request.id("id"),
            store: request.http.headers["x-image-meta-store"], for: context)
        return .noContent()
    }

    private func stage(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try checkContentType(request)
        let body = request.http.body
        try await engine.stage(
            { try await body.next() }, sizeBytes: try size(request), to: request.id("id"), for: context)
        return .noContent()
    }

    private func checkContentType(_ request: APIRequest) throws {
        let type = request.http.headers["Content-Type"]?.split(separator: ";").first.map { String($0).trimmingBlanks() }
        guard type?.lowercased() == "application/octet-stream" else {
            throw CloudError(.unsupportedMediaType, "Invalid content type \(type?.prefix(128) ?? "None")")
        }
    }

    private func size(_ request: APIRequest) throws -> Int64? {
        guard let text = request.http.headers["x-openstack-image-size"] ?? request.http.headers["Content-Length"] else {
            return nil
        }
        guard let size = Int64(text), size >= 0 else {
            throw CloudError.badRequest("Invalid or missing image size in request headers.")
        }
        return size
    }

    // MARK: Download

    private func download(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        guard let file = try await engine.download(request.id("id"), for: context) else { return .noContent() }
        var headers: HTTPHeaders = ["Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"]
        if let checksum = file.image.checksum { headers.set("Content-MD5", checksum) }
        do {
            guard let range = try ByteRange.read(request.http.headers["Range"], sizeBytes: file.sizeBytes) else {
                return HTTPResponse(
                    status: 200, headers: headers,
                    body: .file(descriptor: file.descriptor, offset: 0, length: file.sizeBytes))
            }
            headers.set("Content-Range", "bytes \(range.first)-\(range.last)/\(file.sizeBytes)")
            return HTTPResponse(
                status: 206, headers: headers,
                body: .file(descriptor: file.descriptor, offset: range.first, length: range.last - range.first + 1))
        } catch let error as ByteRange.Unsatisfiable {
            close(file.descriptor)
            return ImageFaults.page(416, error.message, headers: ["Content-Range": "bytes */\(file.sizeBytes)"])
        } catch {
            close(file.descriptor)
            throw error
        }
    }
}

/// One range of a `Range` header.
struct ByteRange: Equatable {
    struct Unsatisfiable: Error { let message: String }

    let first: Int64
    let last: Int64

    /// Nil without a header. More than one range is refused, as upstream does.
    static func read(_ header: String?, sizeBytes: Int64) throws -> ByteRange? {
        guard let header else { return nil }
        guard !header.contains(",") else {
            throw CloudError.badRequest(
                "Requests with multiple ranges are not supported in Glance. You may make multiple single-range requests "
                    + "instead.")
        }
        let halves = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, halves[0].lowercased() == "bytes" else {
            throw Unsatisfiable(message: "Invalid Range header.")
        }
        let ends = halves[1].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            throw Unsatisfiable(message: "Invalid Range header.")
        }
        let outside = Unsatisfiable(
            message: """
                Invalid start position in Range header. Start position MUST be in the inclusive range \
                [0, \(max(0, sizeBytes - 1))].
                """)
        if ends[0].isEmpty {
            guard let count = Int64(ends[1]), count > 0, sizeBytes > 0 else { throw outside }
            return ByteRange(first: max(0, sizeBytes - count), last: sizeBytes - 1)
        }
        guard let first = Int64(ends[0]), first < sizeBytes else { throw outside }
        guard !ends[1].isEmpty else { return ByteRange(first: first, last: sizeBytes - 1) }
        guard let last = Int64(ends[1]), last >= first else { throw Unsatisfiable(message: "Invalid Range header.") }
        return ByteRange(first: first, last: min(last, sizeBytes - 1))
    }
}
