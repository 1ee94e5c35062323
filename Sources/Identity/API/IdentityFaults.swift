// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// `{"error": {"code": 404, "message": …, "title": "Not Found"}}`.
enum IdentityFaults {
    static func render(_ error: CloudError, status: Int) -> HTTPResponse {
        let body = JSONWriter.object { writer in
            writer.object("error") { writer in
                writer.field("code", status)
                writer.field("message", message(error))
                writer.field("title", title(status))
            }
        }
        return .json(status, headers: ["Vary": "X-Auth-Token"], body)
    }

    /// Upstream words a refusal by a rule in its own way.
    private static func message(_ error: CloudError) -> String {
        guard error.kind == "PolicyNotAuthorized", let start = error.message.firstRange(of: "allow "),
            let end = error.message.firstRange(of: " to be performed")
        else { return error.message }
        let rule = error.message[start.upperBound..<end.lowerBound]
        return "You are not authorized to perform the requested action: \(rule)."
    }

    private static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 413: "Request Entity Too Large"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        default: "Internal Server Error"
        }
    }
}

extension StringProtocol {
    func firstRange(of text: String) -> Range<Index>? {
        var index = startIndex
        while index != endIndex {
            if self[index...].hasPrefix(text) { return index..<self.index(index, offsetBy: text.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
