// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Static large objects: an object whose bytes are a list of segments, each known by size and ETag.
package struct StaticLargeObjects: SwiftLayer {
    package static let maximumSegments = 1000
    package static let maximumManifestBytes = 8 << 20
    static let maximumDepth = 10

    package static let info: InfoPage.Section = (
        "slo",
        [
            "max_manifest_segments": .int(Int64(maximumSegments)),
            "max_manifest_size": .int(Int64(maximumManifestBytes)),
            "yield_frequency": 10, "min_segment_size": 1, "allow_async_delete": false,
        ]
    )

    package init() {}

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard request.isObject else {
            return request.isContainer && request.method == .get ? await list(request, next) : await next(request)
        }
        switch request.method {
        case .put where request.parameter("multipart-manifest") == "put":
            return try await ManifestUpload(layer: self, next: next).answer(request)
        case .delete where request.parameter("multipart-manifest") == "delete":
            return try await ManifestRemoval(next: next).answer(request)
        case .get, .head: return try await read(request, next)
        default:
            guard request.headers[StorageHeader.isManifest] == nil || request.allowsReservedNames else {
                throw SwiftFault(
                    400,
                    "X-Static-Large-Object is a reserved header. "
                        + "To create a static large object add query param multipart-manifest=put.")
            }
            return await next(request)
        }
    }

    // MARK: Reading

    private func read(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        var response = await next(request)
        guard response.isSuccess, response.headers.isTrue(StorageHeader.isManifest) else { return response }
        if request.parameter("multipart-manifest") == "get" { return try await manifest(request, response) }
        let part = try partNumber(request)
        response.headers["x-manifest-etag"] = response.etag
        if request.method == .head, part == nil, let etag = response.headers[StorageHeader.manifestETag],
            let size = response.headers[StorageHeader.manifestSize].flatMap(Int64.init)
        {
            await response.drop()
            response.headers["etag"] = "\"\(etag)\""
            response.body = .content(SizeOnly(sizeBytes: size))
            return response
        }
        let manifest = try await Self.stored(response)
        response.headers["etag"] = "\"\(manifest.etag)\""
        let account = request.path.account
        let content = SegmentedContent(
            sizeBytes: manifest.sizeBytes,
            cursor: { SegmentWalk(manifest, range: $0, account: account, request: request, next: next).cursor },
            request: request, next: next)
        response.body = .content(content)
        if let part { return try await onePart(part, manifest, content, response, request) }
        return response
    }

    static func stored(_ response: SwiftResponse) async throws -> SegmentManifest {
        let bytes = try await response.collect(limit: 4 * maximumManifestBytes)
        guard let manifest = SegmentManifest(stored: bytes) else {
            throw SwiftFault(500, "Unable to load SLO manifest")
        }
        return manifest
    }

    private func manifest(_ request: SwiftRequest, _ response: SwiftResponse) async throws -> SwiftResponse {
        var response = response
        guard request.parameter("format") == "raw" else {
            response.headers["content-type"] = "application/json; charset=utf-8"
            return response
        }
        let raw = try await Self.stored(response).raw()
        response.headers["etag"] = Digests.md5(raw)
        response.body = .content(BytesContent(bytes: raw))
        return response
    }

    private func partNumber(_ request: SwiftRequest) throws -> Int? {
        guard let text = request.parameter("part-number") else { return nil }
        guard let number = Int(text), number > 0 else {
            throw SwiftFault(400, "Part number must be an integer greater than 0")
        }
        guard request.headers["range"] == nil else {
            throw SwiftFault(400, "Range requests are not supported with part number queries")
        }
        return number
    }

    private func onePart(
        _ number: Int, _ manifest: SegmentManifest, _ content: SegmentedContent, _ response: SwiftResponse,
        _ request: SwiftRequest
    ) async throws -> SwiftResponse {
        var response = response
        response.headers["x-parts-count"] = String(manifest.parts.count)
        guard number <= manifest.parts.count else {
            response.status = 416
            response.headers["content-range"] = "bytes */\(manifest.sizeBytes)"
            let text = Array("The requested part number is not satisfiable".utf8)
            response.body = request.method == .head ? .none : .bytes(text)
            response.isConditional = false
            return response
        }
        let start = manifest.parts[..<(number - 1)].reduce(0) { $0 + $1.sizeBytes }
        let range = start..<(start + manifest.parts[number - 1].sizeBytes)
        response.status = 206
        response.headers["content-range"] = SwiftAnswer.contentRange(range, manifest.sizeBytes)
        response.body = .content(PartContent(whole: content, part: range))
        return response
    }

    // MARK: Listings

    /// The ETag of the content stands beside that of the manifest.
    private func list(_ request: SwiftRequest, _ next: SwiftNext) async -> SwiftResponse {
        var response = await next(request)
        guard case .listing(var listing) = response.body else { return response }
        listing.items = listing.items.map { item in
            guard case .object(var object) = item, object.hash.containsBytes("slo_etag=") else { return item }
            if let etag = object.takeParameters({ $0 == "slo_etag" })["slo_etag"] {
                object.extras.append(("slo_etag", .string("\"\(etag)\"")))
            }
            return .object(object)
        }
        response.body = .listing(listing)
        return response
    }
}

/// A content that is in memory.
struct BytesContent: RangedContent {
    let bytes: [UInt8]
    var sizeBytes: Int64 { Int64(bytes.count) }
    func body(_ range: Range<Int64>) async throws -> SwiftBody {
        .bytes(Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
    }
    func close() async {}
}

/// One range of another content, as a content of its own.
struct PartContent: RangedContent {
    let whole: any RangedContent
    let part: Range<Int64>
    var sizeBytes: Int64 { part.upperBound - part.lowerBound }
    func body(_ range: Range<Int64>) async throws -> SwiftBody {
        try await whole.body(part.lowerBound + range.lowerBound..<part.lowerBound + range.upperBound)
    }
    func close() async { await whole.close() }
}
