// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import PolicyKit

/// Failures in the shape of the API working group's guideline (placement: `json_error_formatter`).
enum PlacementFaults {
    private static let codeSince = Microversion(1, 23)
    private static let undefinedCode = "placement.undefined_code"

    /// `version` is nil when the failure came before the version was known.
    static func render(_ error: CloudError, status: Int, requestID: String, version: Microversion?) -> HTTPResponse {
        if status == 401 { return unauthorized(error) }
        let (status, detail) = detail(of: error, status)
        let bytes = JSONWriter.object { writer in
            writer.array("errors") { errors in
                errors.beginObject()
                errors.field("status", status)
                errors.field("title", title(status))
                errors.field("detail", detail)
                if let version, version >= codeSince {
                    errors.field("code", error.kind.flatMap { $0.hasPrefix("placement.") ? $0 : nil } ?? undefinedCode)
                }
                errors.field("request_id", requestID)
                if status == 406, version == nil {
                    errors.field("max_version", PlacementVersion.maximum.description)
                    errors.field("min_version", PlacementVersion.minimum.description)
                }
                errors.endObject()
            }
        }
        return .json(status, bytes)
    }

    private static func unauthorized(_ error: CloudError) -> HTTPResponse {
        .json(
            401,
            JSONWriter.object { writer in
                writer.array("errors") { errors in
                    errors.beginObject()
                    errors.field("status", 401)
                    errors.field("title", "Unauthorized")
                    errors.field("detail", "Authentication required")
                    errors.endObject()
                }
            })
    }

    private static func detail(of error: CloudError, _ status: Int) -> (Int, String) {
        switch error.kind {
        case "MethodNotAllowed": return (405, "The method specified is not allowed for this resource.")
        case "InvalidGlobalAPIVersion":
            // "Version 0.5 is not supported …": upstream's sentence names the header.
            let words = error.message.split(separator: " ")
            return (406, "Unacceptable version header: \(words.count > 1 ? String(words[1]) : "")")
        case "InvalidAPIVersionString":
            let words = error.message.split(separator: " ")
            let text = words.count > 3 ? String(words[3]) : ""
            // A version before 1 is well formed, only out of range.
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            if parts.count == 2, parts.allSatisfy({ Int($0) != nil }) {
                return (406, "Unacceptable version header: \(text)")
            }
            return (400, "invalid version string: \(text)")
        default: return (status, error.message)
        }
    }

    private static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 409: "Conflict"
        case 413: "Request Entity Too Large"
        case 415: "Unsupported Media Type"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        default: "Error"
        }
    }
}

enum PlacementVersion {
    static let minimum = Microversion(1, 0)
    static let maximum = Microversion(1, 39)
}
