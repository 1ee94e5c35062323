// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The value of `X-Account-Access-Control`: who besides the owner may do what with a whole account.
package struct AccountACL: Sendable, Equatable {
    package var admin: [String] = []
    package var readWrite: [String] = []
    package var readOnly: [String] = []

    /// What was kept; nil when nothing was.
    package init?(kept text: String?) {
        guard let text, let json = try? JSONReader.read(text), case .object = json else { return nil }  // only if valid
        admin = Self.names(json["admin"])
        readWrite = Self.names(json["read-write"])
        readOnly = Self.names(json["read-only"])
    }

    /// What a client sets, as it is kept: JSON with keys in order. Empty text takes it away.
    package static func cleaned(_ text: String) throws(CloudError) -> String {
        if text.isEmpty { return "" }
        guard let json = try? JSONReader.read(text), case .object(let fields) = json else {  // refused below
            throw .badRequest("X-Account-Access-Control is not a JSON object")
        }
        for (key, value) in fields {
            guard ["admin", "read-write", "read-only"].contains(key) else {
                throw .badRequest("Key '\(key)' not recognized")
            }
            guard case .array(let names) = value else {
                throw .badRequest("Value must be list, got '\(value.text())'")
            }
            guard names.allSatisfy({ $0.string != nil }) else {
                throw .badRequest("Elements of '\(key)' list must be strings")
            }
        }
        return fields.isEmpty ? "" : json.text()
    }

    private static func names(_ value: JSON?) -> [String] { (value?.array ?? []).compactMap(\.string) }
}
