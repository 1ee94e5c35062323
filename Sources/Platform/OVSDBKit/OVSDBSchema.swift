// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The parts of a database's schema that a client needs: which columns exist, and how their changes are told.
package struct OVSDBSchema: Sendable {
    package struct Column: Sendable, Equatable {
        package enum Shape: Sendable { case scalar, set, map }
        package var shape: Shape
        /// What an unset column holds. Servers leave columns with this value out of what they send.
        package var initial: OVSDBValue

        package init(shape: Shape, initial: OVSDBValue) {
            self.shape = shape
            self.initial = initial
        }
    }

    package let name: String
    package let version: String
    package let tables: [String: [String: Column]]

    package init(name: String, version: String = "", tables: [String: [String: Column]]) {
        self.name = name
        self.version = version
        self.tables = tables
    }

    /// Throws `.unavailable` when `json` is not a database schema (RFC 7047, section 3.2).
    package init(_ json: JSON) throws {
        guard let name = json["name"]?.string, let tables = json["tables"]?.object else {
            throw CloudError(.unavailable, "The OVSDB server sent no schema.", cause: String(json.text().prefix(200)))
        }
        self.name = name
        version = json["version"]?.string ?? ""
        self.tables = tables.mapValues { table in
            (table["columns"]?.object ?? [:]).mapValues { Column($0["type"] ?? .null) }
        }
    }
}

extension OVSDBSchema.Column {
    init(_ type: JSON) {
        let key = type.string ?? type["key"]?.string ?? type["key"]?["type"]?.string ?? ""
        let minimum = type["min"]?.int ?? 1
        if type["value"] != nil {
            self.init(shape: .map, initial: .map([:]))
            return
        }
        // An absent "max" means 1; "unlimited" is no number.
        let isScalar = type["max"].map { $0.int == 1 } ?? true
        self.init(shape: isScalar ? .scalar : .set, initial: minimum == 0 || !isScalar ? .empty : Self.zero(key))
    }

    private static func zero(_ type: String) -> OVSDBValue {
        switch type {
        case "string": .string("")
        case "integer": .int(0)
        case "boolean": .bool(false)
        case "real": .set([.real(0)])
        default: .uuid(RowID(high: 0, low: 0))
        }
    }

    /// The value after a change told by `update2`: whole for a scalar, else what appeared and what went.
    func value(_ old: OVSDBValue, changedBy difference: OVSDBValue) -> OVSDBValue {
        switch (shape, old, difference) {
        case (.scalar, _, _): return difference
        case (.set, .set(let old), .set(let difference)): return .set(old.symmetricDifference(difference))
        case (.map, .map(var map), .map(let difference)):
            for (key, value) in difference { map[key] = map[key] == value ? nil : value }
            return .map(map)
        default: return difference
        }
    }
}
