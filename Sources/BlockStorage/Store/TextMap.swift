// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A map of texts as one column holds it: a JSON object.
enum TextMap {
    static func text(_ map: [String: String]) -> String {
        if map.isEmpty { return "{}" }
        return JSON.object(map.mapValues { .string($0) }).text()
    }

    /// What is no map of texts reads as an empty one: this program wrote the column.
    static func map(_ text: String) -> [String: String] {
        guard text != "{}", case .object(let fields)? = try? JSONReader.read(text) else {  // see above
            return [:]
        }
        return fields.compactMapValues(\.string)
    }
}
