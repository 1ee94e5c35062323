// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// The last step of an answer: conditions, ranges, the listing's form, the page of an error.
enum SwiftAnswer {
    static func finish(_ response: SwiftResponse, for request: SwiftRequest, ids: IDSource) async -> HTTPResponse {
        var response = await resolved(response, for: request, ids: ids)
        do {
            if case .listing(let listing) = response.body { try form(listing, &response, request) }
        } catch {
            response = SwiftNext.response(to: error, request)
        }
        if case .standard = response.body { page(&response) }
        return send(response, request)
    }

    /// With the request's conditions and ranges applied: what a layer that reads a body for its own use needs, too.
    static func resolved(
        _ response: SwiftResponse, for request: SwiftRequest, ids: IDSource = .random
    ) async -> SwiftResponse {
        var response = response
        if response.isConditional {
            response.isConditional = false
            if let status = condition(response, request) {
                await response.drop()
                response.status = status
                response.body = .none
                response.headers["content-length"] = nil
                return response
            }
        }
        guard case .content(let content) = response.body else { return response }
        do {
            try await serve(content, &response, request, ids)
            return response
        } catch {
            await content.close()
            return SwiftNext.response(to: error, request)
        }
    }

    // MARK: Conditions

    /// 304 or 412; nil: go on.
    private static func condition(_ response: SwiftResponse, _ request: SwiftRequest) -> Int? {
        let etag = response.conditionETag ?? response.headers["etag"]
        if let etag, let tags = EntityTags(request.headers["if-none-match"]), tags.matches(etag) { return 304 }
        if let tags = EntityTags(request.headers["if-match"]) {
            if let etag, !tags.tags.isEmpty, !tags.matches(etag) { return 412 }
            if response.status == 404, tags.isAny { return 412 }
        }
        guard let modified = response.modified?.secondsRoundedUp else { return nil }
        if let since = request.headers["if-modified-since"].flatMap(HTTPDate.seconds), modified <= since { return 304 }
        if let since = request.headers["if-unmodified-since"].flatMap(HTTPDate.seconds), modified > since { return 412 }
        return nil
    }

    // MARK: Ranges

    private static func serve(
        _ content: any RangedContent, _ response: inout SwiftResponse, _ request: SwiftRequest, _ ids: IDSource
    ) async throws {
        let size = content.sizeBytes
        response.headers["content-length"] = String(size)
        if request.method == .head {
            await content.close()
            response.body = .none
            return
        }
        var header = response.status == 200 ? RangeHeader(request.headers["range"]) : nil
        if response.takesOneRangeOnly, header?.specs.count ?? 0 > 1 { header = nil }
        let ranges = header?.resolved(size: size)
        if let ranges, ranges.isEmpty {
            await content.close()
            response.status = 416
            response.headers["content-range"] = "bytes */\(size)"
            response.headers["content-type"] = "text/html; charset=UTF-8"
            response.body = .standard
            return
        }
        guard size > 0 else {
            await content.close()
            response.body = .none
            return
        }
        guard let ranges else {
            response.body = try await content.body(0..<size)
            await content.close()
            return
        }
        response.status = 206
        if ranges.count == 1 {
            response.headers["content-range"] = contentRange(ranges[0], size)
            response.body = try await content.body(ranges[0])
            await content.close()
        } else {
            let parts = MultipartRanges(
                ranges, of: content, type: response.headers["content-type"] ?? "", boundary: ids.hex())
            response.headers["content-type"] = "multipart/byteranges;boundary=" + parts.boundary
            response.body = .stream(parts, length: parts.length)
        }
    }

    static func contentRange(_ range: Range<Int64>, _ size: Int64) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    }

    // MARK: Listings and pages

    private static func form(_ listing: SwiftListing, _ response: inout SwiftResponse, _ request: SwiftRequest) throws {
        let form = try listing.form ?? ListingForm(request)
        if listing.form == nil, request.parameter("format") == nil { response.headers.append("vary", "Accept") }
        response.headers["content-type"] = form.contentType
        if request.method == .head {
            response.body = .none
            return
        }
        let bytes = form.render(listing)
        if bytes.isEmpty { response.status = 204 }
        response.body = bytes.isEmpty ? .none : .bytes(bytes)
    }

    private static func page(_ response: inout SwiftResponse) {
        guard let page = SwiftStatus.page(response.status) else {
            response.body = .none
            return
        }
        response.body = .bytes(Array(page.utf8))
    }

    private static func send(_ response: SwiftResponse, _ request: SwiftRequest) -> HTTPResponse {
        var headers = response.headers.wire
        if response.headers["content-type"] == nil { headers.set("Content-Type", "text/html; charset=UTF-8") }
        // Upstream says so, and its clients look for it.
        if response.status == 204 { headers.set("Content-Length", "0") }
        var body: HTTPResponse.Body = .empty
        switch response.body {
        case .none, .standard, .content, .listing: break
        case .bytes(let bytes):
            if request.method == .head { headers.set("Content-Length", String(bytes.count)) }
            body = request.method == .head ? .empty : .bytes(bytes)
        case .file(let descriptor, let offset, let length):
            body = .file(descriptor: descriptor, offset: offset, length: length)
        case .stream(let source, let length): body = request.method == .head ? .empty : .stream(source, length: length)
        }
        return HTTPResponse(status: response.status, headers: headers, body: body)
    }
}
