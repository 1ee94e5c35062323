// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LogKit
import ObjectStorageCore

/// Answers as S3's clients read them.
enum S3Reply {
    /// Headers of the store that S3 has, too.
    private static let shared: Set<String> = [
        "accept-ranges", "content-length", "content-type", "content-range", "content-encoding", "content-disposition",
        "content-language", "etag", "last-modified", "x-robots-tag", "cache-control", "expires", "location", "vary",
        "allow",
    ]

    // MARK: Errors

    static func refusal(
        _ error: any Error, _ body: S3Body?, _ requestID: String, _ http: HTTPRequest, _ log: Logger
    ) -> SwiftResponse {
        if let fault = body?.fault { return self.error(fault, requestID, http) }
        switch error {
        case let error as S3Error: return self.error(error, requestID, http)
        case is CancellationError: return self.error(S3Error(.incompleteBody), requestID, http)
        case let error as CloudError where error.code == .unavailable:
            log.warning("store unavailable", ["error": error, "request": requestID])
            return self.error(S3Error(.serviceUnavailable), requestID, http)
        case let error as CloudError where error.code == .unauthorized || error.code == .forbidden:
            return self.error(S3Error(.accessDenied), requestID, http)
        default:
            log.error("request failed", ["error": "\(error)", "request": requestID])
            return self.error(S3Error(.internalError), requestID, http)
        }
    }

    static func error(_ error: S3Error, _ requestID: String, _ http: HTTPRequest) -> SwiftResponse {
        let bytes = XMLWriter.document("Error") { writer in
            writer.element("Code", error.code.rawValue)
            writer.element("Message", error.message)
            for detail in error.details { writer.element(dynamic: detail.name, detail.value) }
            writer.element("Resource", http.path)
            writer.element("RequestId", requestID)
        }
        return SwiftResponse(
            error.code.status, headers: ["content-type": "application/xml"], body: .bytes(bytes))
    }

    // MARK: Sending

    /// Clients take the rest of `x-amz-meta-…` for the name as it stands: those of Amazon are in lower case.
    static func lowered(_ headers: HTTPHeaders) -> HTTPHeaders {
        var lowered = HTTPHeaders()
        for (name, value) in headers.fields {
            let lower = name.asciiLowercased()
            lowered.add(lower.hasBytePrefix("x-amz-") ? lower : name, value)
        }
        return lowered
    }

    /// Conditions and ranges are looked at as for the other API; what that refuses is said in S3's words.
    static func finish(_ response: SwiftResponse, _ call: S3Call) async -> HTTPResponse {
        var response = response
        let hasOwnTag = response.headers[S3Header.etag]?.isEmpty == false
        translate(&response)
        var request = SwiftRequest(
            method: call.http.method, path: call.keyPath, query: [], headers: SwiftHeaders(call.http.headers))
        request.headers["accept"] = nil
        if !hasOwnTag { unmarkTags(&request.headers) }
        let wasGood = response.isSuccess
        let isConditional = response.isConditional
        let sent = await SwiftAnswer.finish(response, for: request, ids: call.ids)
        guard wasGood, isConditional || response.status == 416 || sent.status == 416 else { return sent }
        switch sent.status {
        case 412: return plain(error(S3Error(.preconditionFailed), call.requestID, call.http), call.http)
        case 416: return plain(error(S3Error(.invalidRange), call.requestID, call.http), call.http)
        case 304: return withoutChecksums(sent)
        default: return sent
        }
    }

    /// A client would compare them with the body, which a 304 has not.
    private static func withoutChecksums(_ response: HTTPResponse) -> HTTPResponse {
        var headers = HTTPHeaders()
        for (name, value) in response.headers.fields
        where !name.asciiLowercased().hasBytePrefix("x-amz-checksum-") { headers.add(name, value) }
        return HTTPResponse(status: response.status, headers: headers, body: response.body)
    }

    /// An answer that needs no look at conditions.
    static func plain(_ response: SwiftResponse, _ http: HTTPRequest) -> HTTPResponse {
        var headers = response.headers.wire
        guard case .bytes(let bytes) = response.body else {
            return HTTPResponse(status: response.status, headers: headers)
        }
        guard http.method != .head else {
            headers.set("Content-Length", String(bytes.count))
            return HTTPResponse(status: response.status, headers: headers)
        }
        return HTTPResponse(status: response.status, headers: headers, body: .bytes(bytes))
    }

    /// Large objects of the other API show their ETag with `-N`, which is no part of it.
    private static func unmarkTags(_ headers: inout SwiftHeaders) {
        for name in ["if-match", "if-none-match"] {
            guard let value = headers[name] else { continue }
            headers[name] = value.split(byte: ",").map { tag in
                let plain = EntityTags.plain(tag.trimmed)
                return plain.removing(byteSuffix: "-N").map { "\"\($0)\"" } ?? tag.trimmed
            }.joined(separator: ", ")
        }
    }

    /// Names of headers, and the ETag in its quotes.
    private static func translate(_ response: inout SwiftResponse) {
        var headers = SwiftHeaders()
        for (name, value) in response.headers.values {
            if shared.contains(name) || name.hasBytePrefix("x-amz-") || name.hasBytePrefix("access-control-") {
                headers[name] = value
            } else if let rest = name.removing(bytePrefix: "x-object-meta-") {
                headers["x-amz-meta-" + rest] = value
            } else if name == "x-delete-at", let seconds = Int64(value) {
                headers["x-amz-expiration"] =
                    "expiry-date=\"\(HTTPDate.text(seconds: seconds))\", rule-id=\"swift-object-expiration\""
            } else if name == "x-object-version-id" {
                headers["x-amz-version-id"] = value
            } else if name == "x-parts-count" {
                headers["x-amz-mp-parts-count"] = value
            }
        }
        if let etag = response.headers[S3Header.etag], !etag.isEmpty {
            headers["etag"] = etag
            response.conditionETag = etag
        } else if response.headers.isTrue("x-static-large-object"), let etag = response.etag {
            // A dash tells clients that this is no MD5 of the content.
            response.conditionETag = etag
            headers["etag"] = etag + "-N"
        }
        if let tags = S3Tags(kept: response.headers[S3Header.objectTags]), !tags.tags.isEmpty {
            headers["x-amz-tagging-count"] = String(tags.tags.count)
        }
        if let etag = headers["etag"] { headers["etag"] = S3Text.quoted(etag) }
        response.headers = headers
    }
}
