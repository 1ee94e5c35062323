// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import ObjectStorageCore

/// What a browser is told of who may read an answer.
enum S3CORSAnswer {
    private static let exposed = ["etag", "last-modified", "x-amz-request-id", "x-amz-id-2", "x-amz-version-id"]

    /// Adds to an answer what the bucket's configuration says of the asking page.
    static func apply(to response: inout SwiftResponse, _ call: S3Call) async {
        guard let origin = call.header("Origin"), call.bucket != nil else { return }
        let bucket = await call.ask(.head, call.bucketPath)
        guard bucket.isSuccess,
            let rule = S3CORS(kept: bucket.headers[S3Header.bucketCORS])?
                .rule(origin: origin, method: call.askedMethod.rawValue)
        else { return }
        fill(&response.headers, rule, origin)
        response.headers["access-control-expose-headers"] = (exposed + rule.exposed).joined(separator: ", ")
    }

    static func preflight(_ rule: S3CORS.Rule, origin: String, headers names: [String]) -> HTTPResponse {
        var headers = SwiftHeaders()
        fill(&headers, rule, origin)
        headers["access-control-allow-methods"] = rule.methods.joined(separator: ", ")
        if !names.isEmpty { headers["access-control-allow-headers"] = names.joined(separator: ", ") }
        headers["access-control-max-age"] = rule.maxAgeSeconds.map { String($0) }
        headers["content-length"] = "0"
        return HTTPResponse(status: 200, headers: headers.wire)
    }

    private static func fill(_ headers: inout SwiftHeaders, _ rule: S3CORS.Rule, _ origin: String) {
        let isForAll = rule.origins.contains("*")
        headers["access-control-allow-origin"] = isForAll ? "*" : origin
        if !isForAll { headers["access-control-allow-credentials"] = "true" }
        headers.append("vary", "Origin")
    }
}
