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

    /// The elements of the list that stands at `place`. Throws when it, or one of them, is not what is written there.
    package static func decode<Element>(
        _ text: String, at place: @autoclosure () -> StoredPlace, _ element: (JSON) -> Element?
    ) throws -> [Element] {
        if text == "[]" { return [] }
        let json: JSON
        do {
            json = try JSONReader.read(text)
        } catch {
            throw place().unreadable(text, "JSON")
        }
        guard case .array(let elements) = json else { throw place().unreadable(text, "list") }
        return try elements.map { json in
            guard let value = element(json) else { throw place().unreadable(text, "list of its kind") }
            return value
        }
    }

    package static func strings(_ text: String, at place: @autoclosure () -> StoredPlace) throws -> [String] {
        try decode(text, at: place(), \.string)
    }
}
