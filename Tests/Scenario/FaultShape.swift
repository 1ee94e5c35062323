// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// How each service words a refusal.
enum FaultShape {
    /// Nil when `answer` is a refusal in the shape of `service`.
    static func flaw(_ answer: TestCloud.Answer, _ service: String) -> String? {
        guard answer.status >= 400 else { return nil }
        let isHTML = answer.headers["Content-Type"]?.hasPrefix("text/html") == true
        if service == "image", answer.status != 401 {
            return isHTML && answer.text.contains("<title>\(answer.status) ") ? nil : "no page of glance's"
        }
        guard let json = answer.json, answer.headers["Content-Type"] == "application/json" else { return "no JSON" }
        let isWhole =
            switch service {
            case "network" where answer.status != 401: isWhole(json["NeutronError"], ["type", "message", "detail"])
            case "placement": isWhole(json["errors"]?.array?.first, ["title", "detail"], status: answer.status)
            case "compute" where answer.status != 401, "volume" where answer.status != 401:
                json.object?.count == 1 && isWhole(json.object?.values.first, ["message"], code: answer.status)
            default: isWhole(json["error"], ["title", "message"], code: answer.status)
            }
        return isWhole ? nil : "not the shape of \(service)'s faults"
    }

    private static func isWhole(_ json: JSON?, _ texts: [String], code: Int? = nil, status: Int? = nil) -> Bool {
        guard let json, texts.allSatisfy({ json[$0]?.string != nil }) else { return false }
        if let code, json["code"]?.int != Int64(code) { return false }
        if let status, json["status"]?.int != Int64(status) { return false }
        return true
    }
}
