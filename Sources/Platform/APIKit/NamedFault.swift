// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// A failure as nova and cinder shape it: `{"itemNotFound": {"code": 404, "message": "…"}}`.
package struct NamedFault: Sendable {
    private let status: Int
    private let message: String
    private let retryAfterSeconds: Int?

    /// `retryAfterSeconds`: after which the caller may try again, in the body and as a header.
    package init(status: Int, message: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }

    package var response: HTTPResponse {
        if status == 401 { return Self.unauthorized }
        let retryAfter = retryAfterSeconds.map { "\($0)" }
        let body = JSONWriter.object { writer in
            writer.key(dynamic: name)
            writer.beginObject()
            writer.field("code", status)
            writer.field("message", message)
            if let retryAfter { writer.field("retryAfter", retryAfter) }
            writer.endObject()
        }
        return .json(status, headers: retryAfter.map { ["Retry-After": $0] } ?? [:], body)
    }

    /// nova, cinder: api/openstack/wsgi.py, `Fault._fault_names`.
    private var name: String {
        switch status {
        case 400: "badRequest"
        case 403: "forbidden"
        case 404: "itemNotFound"
        case 405: "badMethod"
        case 409: "conflictingRequest"
        case 413, 429: "overLimit"
        case 415: "badMediaType"
        case 501: "notImplemented"
        case 503: "serviceUnavailable"
        default: "computeFault"
        }
    }

    /// As keystonemiddleware answers before the service is reached.
    private static var unauthorized: HTTPResponse {
        .json(
            401,
            JSONWriter.object { writer in
                writer.object("error") { writer in
                    writer.field("code", 401)
                    writer.field("title", "Unauthorized")
                    writer.field("message", "The request you have made requires authentication.")
                }
            })
    }
}
