// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What every object of this service has.
package struct StandardAttributes: Sendable, Equatable {
    package var description: String
    /// A JSON list of strings, in order.
    package var tags: String
    package var revision: Int
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        description: String = "", tags: String = "[]", revision: Int = 1, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.description = description
        self.tags = tags
        self.revision = revision
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// Lists that a row keeps as JSON text, because they are shown far more often than they are looked into.
package enum JSONList {
    package static func encode(_ texts: [String]) -> String {
        var writer = JSONWriter(capacity: 64)
        writer.beginArray()
        for text in texts { writer.value(text) }
        writer.endArray()
        return writer.string()
    }

    /// The elements of a list that this program wrote.
    package static func decode(_ text: String) -> [JSON] {
        if text == "[]" { return [] }
        guard case .array(let elements)? = parsed(text) else { return [] }
        return elements
    }

    package static func strings(_ text: String) -> [String] { decode(text).compactMap(\.string) }

    private static func parsed(_ text: String) -> JSON? {
        do {
            return try JSONReader.read(text)
        } catch {
            preconditionFailure("a column that this program wrote is no JSON: \(error)")
        }
    }
}
