// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What a replica can be asked by other than the row's id.
package enum OVSDBIndex: Hashable, Sendable {
    /// Rows whose column holds an atom: by name, or by a referenced row.
    case column(table: String, column: String)
    /// Rows whose map column has a string under `key`: by an external id.
    case mapKey(table: String, column: String, key: String)

    var table: String {
        switch self {
        case .column(let table, _), .mapKey(let table, _, _): table
        }
    }

    var column: String {
        switch self {
        case .column(_, let column), .mapKey(_, let column, _): column
        }
    }

    func keys(_ value: OVSDBValue?) -> Set<OVSDBAtom> {
        switch (self, value) {
        case (.column, .set(let atoms)?): return atoms
        case (.mapKey(_, _, let key), .map(let map)?): return map[.string(key)].map { [$0] } ?? []
        default: return []
        }
    }
}

/// One row that appeared, changed or went.
package struct OVSDBChange: Sendable {
    package let table: String
    package let id: RowID
    /// Nil for a new row.
    package let old: OVSDBRow?
    /// Nil for a deleted row.
    package let new: OVSDBRow?

    package init(table: String, id: RowID, old: OVSDBRow?, new: OVSDBRow?) {
        self.table = table
        self.id = id
        self.old = old
        self.new = new
    }

    /// Whether `column` differs. A new or deleted row differs in all columns.
    package func touches(_ column: String) -> Bool {
        guard let old, let new else { return true }
        return old[column] != new[column]
    }
}

/// The monitored part of a database, in memory. A value: a connection keeps one behind its lock, a test makes its own.
package struct OVSDBReplica: Sendable {
    package private(set) var schema: OVSDBSchema
    private var rows: [String: [RowID: OVSDBRow]] = [:]
    private var indexes: [OVSDBIndex: [OVSDBAtom: Set<RowID>]] = [:]
    private let indexesByTable: [String: [OVSDBIndex]]

    package init(schema: OVSDBSchema, indexes: [OVSDBIndex] = []) {
        self.schema = schema
        indexesByTable = Dictionary(grouping: indexes, by: \.table)
        for index in indexes { self.indexes[index] = [:] }
    }

    // MARK: Questions

    package func rows(_ table: String) -> [RowID: OVSDBRow] { rows[table] ?? [:] }
    package func row(_ table: String, _ id: RowID) -> OVSDBRow? { rows[table]?[id] }

    /// The rows found by an index that was declared at the start. Traps for one that was not: it would never match.
    package func find(_ index: OVSDBIndex, _ key: OVSDBAtom) -> Set<RowID> {
        guard let entries = indexes[index] else { preconditionFailure("no index \(index)") }
        return entries[key] ?? []
    }

    /// The value of a column, with the schema's initial value where the server sent none.
    package func value(_ table: String, _ row: OVSDBRow, _ column: String) -> OVSDBValue? {
        row[column] ?? schema.tables[table]?[column]?.initial
    }

    package func hasColumn(_ table: String, _ column: String) -> Bool { schema.tables[table]?[column] != nil }

    // MARK: Changes

    /// Sets a whole row, or removes it.
    @discardableResult
    package mutating func set(_ table: String, _ id: RowID, _ row: OVSDBRow?) -> OVSDBChange {
        let old = rows[table]?[id]
        rows[table, default: [:]][id] = row
        for index in indexesByTable[table] ?? [] {
            let before = index.keys(old?[index.column])
            let after = index.keys(row?[index.column])
            guard before != after else { continue }
            for key in before.subtracting(after) {
                indexes[index]?[key]?.remove(id)
                if indexes[index]?[key]?.isEmpty ?? false { indexes[index]?[key] = nil }
            }
            for key in after.subtracting(before) { indexes[index]?[key, default: []].insert(id) }
        }
        return OVSDBChange(table: table, id: id, old: old, new: row)
    }

    /// Applies `<table-updates2>` (ovsdb-server(7), `monitor_cond`). Throws when a change fits no row that is known:
    /// then the replica is worth nothing and the session must start again.
    mutating func apply(_ updates: JSON) throws -> [OVSDBChange] {
        guard let tables = updates.object else { throw Self.malformed(updates) }
        var changes: [OVSDBChange] = []
        for (table, tableUpdates) in tables {
            guard let tableUpdates = tableUpdates.object else { throw Self.malformed(updates) }
            for (text, update) in tableUpdates {
                guard let id = RowID(text), let (kind, json) = update.object?.first else {
                    throw Self.malformed(update)
                }
                switch kind {
                case "initial", "insert": changes.append(set(table, id, try row(table, json)))
                case "delete": changes.append(set(table, id, nil))
                case "modify":
                    guard var row = rows[table]?[id] else { throw Self.malformed(update) }
                    for (column, difference) in try self.row(table, json) {
                        guard let type = schema.tables[table]?[column] else { continue }
                        row[column] = type.value(row[column] ?? type.initial, changedBy: difference)
                    }
                    changes.append(set(table, id, row))
                default: throw Self.malformed(update)
                }
            }
        }
        return changes
    }

    /// What a consumer of `old` is told after a new start: every row as if it were new, and what has gone meanwhile.
    func changes(since old: OVSDBReplica?) -> [OVSDBChange] {
        var changes: [OVSDBChange] = []
        for (table, tableRows) in rows {
            for (id, row) in tableRows {
                changes.append(OVSDBChange(table: table, id: id, old: nil, new: row))
            }
        }
        for (table, tableRows) in old?.rows ?? [:] {
            for (id, row) in tableRows where rows[table]?[id] == nil {
                changes.append(OVSDBChange(table: table, id: id, old: row, new: nil))
            }
        }
        return changes
    }

    private func row(_ table: String, _ json: JSON) throws -> OVSDBRow {
        guard let fields = json.object else { throw Self.malformed(json) }
        var row: OVSDBRow = [:]
        row.reserveCapacity(fields.count)
        for (column, field) in fields {
            guard let value = OVSDBValue(field) else { throw Self.malformed(field) }
            row[column] = value
        }
        return row
    }

    private static func malformed(_ json: JSON) -> CloudError {
        CloudError(.unavailable, "The OVSDB server sent a malformed update.", cause: String(json.text().prefix(500)))
    }
}
