// SPDX-License-Identifier: Apache-2.0
import OVSDBKit

/// What makes the Northbound database equal to the wanted rows: one transaction.
struct OVNPlan: Sendable {
    var transaction = OVSDBTransaction()
    /// Rows inserted, corrected or removed, and links made or cut.
    var changes = 0
    /// Rows that wait for a parent that is not there yet.
    var waiting: [OVNKey] = []
}

/// Compares wanted rows with a replica. Pure.
///
/// A row belongs to the driver when it carries the external ids `haneul:owner` and `haneul:id`; all others are left
/// alone. Rows are looked at in the scope of units: what a unit owns and does not want any more is removed.
struct OVNDiffer {
    private let replica: OVSDBReplica
    private let wanted: [OVNKey: OVNRow]
    private var existing: [OVNKey: RowID] = [:]
    private var removed: Set<TableRow> = []
    /// Names of the rows that the transaction inserts.
    private var inserted: [OVNKey: String] = [:]
    private var added: [LinkPlace: Set<OVSDBAtom>] = [:]
    private var cut: [LinkPlace: Set<OVSDBAtom>] = [:]
    private var addedToNew: [OVNLink: Set<OVSDBAtom>] = [:]
    private var plan = OVNPlan()

    private struct TableRow: Hashable {
        let table: OVNTable
        let id: RowID
    }
    private struct LinkPlace: Hashable {
        let parent: TableRow
        let column: String
    }

    /// `units` nil: everything that the driver owns, but for what `kept` owns.
    static func plan(
        _ rows: [OVNRow], in units: Set<OVNUnit>?, keeping kept: Set<OVNUnit> = [], _ replica: OVSDBReplica
    ) -> OVNPlan {
        var differ = OVNDiffer(replica: replica, rows: rows)
        differ.match(units, Set(kept.map(\.text)))
        differ.chooseInserts()
        differ.writeInserts()
        differ.writeUpdates()
        differ.writeLinks()
        differ.writeRemovals()
        return differ.plan
    }

    private init(replica: OVSDBReplica, rows: [OVNRow]) {
        self.replica = replica
        wanted = Dictionary(rows.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: What is there

    private mutating func match(_ units: Set<OVNUnit>?, _ kept: Set<String>) {
        for key in wanted.keys {
            // Two controllers may have inserted it at once: the first by order stays, the others go.
            let found = replica.find(OVNNorthbound.id(key.table), .string(key.id)).sorted()
            existing[key] = found.first
            for surplus in found.dropFirst() { removed.insert(TableRow(table: key.table, id: surplus)) }
        }
        for table in OVNTable.allCases {
            for id in owned(table, units, kept) {
                let row = replica.row(table.rawValue, id) ?? [:]
                let key = OVNKey(table, row.value("external_ids", key: OVNRow.rowID) ?? "")
                if wanted[key] == nil { removed.insert(TableRow(table: table, id: id)) }
            }
        }
    }

    private func owned(_ table: OVNTable, _ units: Set<OVNUnit>?, _ kept: Set<String>) -> [RowID] {
        if let units { return units.flatMap { replica.find(OVNNorthbound.owner(table), .string($0.text)) } }
        return replica.rows(table.rawValue).compactMap { id, row in
            row.value("external_ids", key: OVNRow.ownerID).flatMap { kept.contains($0) ? nil : id }
        }
    }

    /// The row of `key` that stays, in or out of scope.
    private func find(_ key: OVNKey) -> RowID? {
        if let id = existing[key] { return id }
        let found = replica.find(OVNNorthbound.id(key.table), .string(key.id)).sorted()
        return found.first { !removed.contains(TableRow(table: key.table, id: $0)) }
    }

    // MARK: Inserts

    /// Parents come before children in this order, so one pass decides.
    private static let insertOrder: [OVNTable] = [
        .logicalSwitch, .router, .addressSet, .portGroup, .dhcpOptions, .dns,
        .loadBalancer, .bfd, .meter, .meterBand, .switchPort, .qos, .acl, .routerPort, .nat,
        .staticRoute, .gatewayChassis,
    ]

    private mutating func chooseInserts() {
        let new = Dictionary(grouping: wanted.values.filter { existing[$0.key] == nil }, by: \.key.table)
        for table in Self.insertOrder {
            for row in (new[table] ?? []).sorted(by: { $0.key.id < $1.key.id }) {
                // A group holds its ports by weak references: only its switch keeps a port alive.
                let keepers = row.links.filter { !(table == .switchPort && $0.parent.table == .portGroup) }
                let isKept = table.isRoot || keepers.contains { inserted[$0.parent] != nil || find($0.parent) != nil }
                if isKept { inserted[row.key] = "new\(inserted.count)" } else { plan.waiting.append(row.key) }
            }
        }
    }

    private mutating func writeInserts() {
        // Links between rows that are both new are part of the parent's insert.
        var columns: [OVNKey: [String: Set<OVSDBAtom>]] = [:]
        for (key, name) in inserted {
            for link in wanted[key]?.links ?? [] where inserted[link.parent] != nil {
                columns[link.parent, default: [:]][link.column, default: []].insert(.named(name))
            }
        }
        for table in Self.insertOrder {
            let new = inserted.filter { $0.key.table == table }.sorted { $0.key.id < $1.key.id }
            for (key, name) in new {
                guard let row = wanted[key] else { continue }
                var values = known(row.columns.merging(resolved(row.references)) { $1 }, table)
                values["external_ids"] = .pairs(row.externalIDs)
                for (column, children) in columns[key] ?? [:] { values[column] = .set(children) }
                if table.isRoot, !table.hasUniqueName {
                    plan.transaction.waitAbsent(table.rawValue, "external_ids", key: OVNRow.rowID, value: key.id)
                }
                plan.transaction.insert(table.rawValue, values, named: name)
                plan.changes += 1
                link(.named(name), row.links.filter { inserted[$0.parent] == nil })
            }
        }
    }

    /// Columns that this server's schema has, without empty optionals that an insert need not say.
    private func known(_ columns: OVSDBRow, _ table: OVNTable) -> OVSDBRow {
        columns.filter { replica.hasColumn(table.rawValue, $0.key) && $0.value != .empty }
    }

    private func resolved(_ references: [String: [OVNKey]]) -> OVSDBRow {
        references.mapValues { keys in
            for key in keys {
                if let name = inserted[key] { return .set([.named(name)]) }
                if let id = find(key) { return .uuid(id) }
            }
            return .empty
        }
    }

    // MARK: Updates

    private mutating func writeUpdates() {
        for (key, id) in existing.sorted(by: { $0.key < $1.key }) {
            guard let row = wanted[key], let actual = replica.row(key.table.rawValue, id) else { continue }
            var update: OVSDBRow = [:]
            for (column, value) in row.columns.merging(resolved(row.references), uniquingKeysWith: { $1 }) {
                guard let now = replica.value(key.table.rawValue, actual, column), now != value else { continue }
                update[column] = value
            }
            let externalIDs = merged(row.externalIDs, into: actual["external_ids"]?.stringMap ?? [:])
            if externalIDs != actual["external_ids"]?.stringMap { update["external_ids"] = .pairs(externalIDs) }
            if !update.isEmpty {
                plan.transaction.update(key.table.rawValue, id, update)
                plan.changes += 1
            }
            relink(row, TableRow(table: key.table, id: id))
        }
    }

    /// Other programs keep their own external ids on our rows.
    private func merged(_ own: [String: String], into actual: [String: String]) -> [String: String] {
        let foreign = actual.filter { pair in !OVNRow.ownPrefixes.contains { pair.key.hasPrefix($0) } }
        return foreign.merging(own) { $1 }
    }

    // MARK: Links

    private mutating func link(_ child: OVSDBAtom, _ links: Set<OVNLink>) {
        for link in links {
            guard let parent = find(link.parent) else { continue }
            let place = LinkPlace(parent: TableRow(table: link.parent.table, id: parent), column: link.column)
            added[place, default: []].insert(child)
        }
    }

    private mutating func relink(_ row: OVNRow, _ child: TableRow) {
        var missing = row.links
        for (table, column) in OVNLink.columns[child.table] ?? [] {
            for parent in replica.find(OVNNorthbound.parents(table, column), .uuid(child.id)) {
                let actual = replica.row(table.rawValue, parent) ?? [:]
                guard let id = actual.value("external_ids", key: OVNRow.rowID) else { continue }
                let link = OVNLink(parent: OVNKey(table, id), column: column)
                if find(link.parent) == parent, missing.remove(link) != nil { continue }
                let place = LinkPlace(parent: TableRow(table: table, id: parent), column: column)
                if !removed.contains(place.parent), !row.links.contains(link) || find(link.parent) != parent {
                    cut[place, default: []].insert(.uuid(child.id))
                }
            }
        }
        for link in missing where inserted[link.parent] != nil {
            // The parent is new and the child is old: the parent's insert is written already, so mutate it.
            addedToNew[link, default: []].insert(.uuid(child.id))
        }
        link(.uuid(child.id), missing.filter { inserted[$0.parent] == nil })
    }

    private mutating func writeLinks() {
        for (link, children) in addedToNew {
            guard let name = inserted[link.parent] else { continue }
            plan.transaction.mutate(link.parent.table.rawValue, .named(name), [.insert(link.column, .set(children))])
            plan.changes += children.count
        }
        for (place, children) in added {
            plan.transaction.mutate(
                place.parent.table.rawValue, .uuid(place.parent.id), [.insert(place.column, .set(children))])
            // The link of a new row is part of its insert.
            plan.changes += children.filter { $0.uuid != nil }.count
        }
        for (place, children) in cut {
            plan.transaction.mutate(
                place.parent.table.rawValue, .uuid(place.parent.id), [.delete(place.column, .set(children))])
            plan.changes += children.count
        }
    }

    // MARK: Removals

    private mutating func writeRemovals() {
        var cut: [LinkPlace: Set<OVSDBAtom>] = [:]
        for row in removed.sorted(by: { $0.id < $1.id }) {
            plan.changes += 1
            guard !row.table.isRoot else {
                plan.transaction.delete(row.table.rawValue, row.id)
                continue
            }
            // The server collects a row when its last parent lets go. Weak references vanish by themselves.
            let isWeak = { (parent: OVNTable) in row.table == .switchPort && parent == .portGroup }
            for (table, column) in OVNLink.columns[row.table] ?? [] where !isWeak(table) {
                for parent in replica.find(OVNNorthbound.parents(table, column), .uuid(row.id)) {
                    let place = LinkPlace(parent: TableRow(table: table, id: parent), column: column)
                    if !removed.contains(place.parent) { cut[place, default: []].insert(.uuid(row.id)) }
                }
            }
        }
        for (place, children) in cut {
            plan.transaction.mutate(
                place.parent.table.rawValue, .uuid(place.parent.id), [.delete(place.column, .set(children))])
        }
    }
}
