// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Attributes that a caller gave and Identity does not know. They are kept and shown, as upstream does.
package struct Extras: Sendable, Equatable {
    /// Of the text of all of them together.
    package static let maximumByteCount = 32_768

    package private(set) var fields: [String: JSON]

    package init(_ fields: [String: JSON] = [:]) { self.fields = fields }

    /// Reads a column that `text` wrote.
    init(column text: String) throws {
        guard case .object(let fields) = try JSONReader.read(text) else {
            throw CloudError(.bug, "Stored attributes cannot be read.", cause: "not an object")
        }
        self.fields = fields
    }

    package var isEmpty: Bool { fields.isEmpty }

    package var text: String { JSON.object(fields).text() }

    package mutating func merge(_ changes: Extras) { fields.merge(changes.fields) { _, new in new } }

    /// Throws `.badRequest` when they are too large to keep.
    package func checkSize() throws {
        guard text.utf8.count <= Self.maximumByteCount else {
            throw CloudError.badRequest("The attributes of the resource are too large.")
        }
    }
}

/// Options of a resource, such as `immutable`.
package struct ResourceOptions: Sendable, Equatable {
    package var fields: [String: JSON]

    package init(_ fields: [String: JSON] = [:]) { self.fields = fields }

    init(column text: String) throws { fields = try Extras(column: text).fields }

    var text: String { JSON.object(fields).text() }

    package var isImmutable: Bool { fields["immutable"]?.bool == true }

    package func isSet(_ name: String) -> Bool { fields[name]?.bool == true }

    /// The options after a change: a null takes one away (keystone: resource options).
    package func changed(by changes: [String: JSON]) -> ResourceOptions {
        var result = fields
        for (name, value) in changes {
            if value.isNull { result.removeValue(forKey: name) } else { result[name] = value }
        }
        return ResourceOptions(result)
    }
}

extension String {
    /// What names are compared by: Identity's names are unique without regard to case, as on upstream's usual database.
    var nameKey: String { lowercased() }
}
