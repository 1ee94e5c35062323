// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// Failures as cinder shapes them: `{"itemNotFound": {"code": 404, "message": "…"}}`.
enum BlockStorageFaults {
    static func render(_ error: CloudError, status: Int) -> HTTPResponse {
        // cinder: exception.QuotaError has the code 413.
        let status = error.code == .overQuota ? 413 : status
        if status == 401 { return unauthorized }
        let body = JSONWriter.object { writer in
            writer.key(dynamic: name(status))
            writer.beginObject()
            writer.field("code", status)
            writer.field("message", error.message)
            if error.code == .overQuota { writer.field("retryAfter", "0") }
            writer.endObject()
        }
        return .json(status, headers: error.code == .overQuota ? ["Retry-After": "0"] : [:], body)
    }

    /// cinder: api/openstack/wsgi.py, `Fault._fault_names`.
    private static func name(_ status: Int) -> String {
        switch status {
        case 400: "badRequest"
        case 403: "forbidden"
        case 404: "itemNotFound"
        case 405: "badMethod"
        case 409: "conflictingRequest"
        case 413: "overLimit"
        case 415: "badMediaType"
        case 501: "notImplemented"
        case 503: "serviceUnavailable"
        default: "computeFault"
        }
    }

    /// As keystonemiddleware answers before cinder is reached.
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
