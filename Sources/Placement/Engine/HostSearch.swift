// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// Finds single providers that have room for a whole request. The database does the filtering.
struct HostSearch {
    let request: ResourceRequest
    let limit: Int

    private var classes: [(name: String, amount: Int64)] {
        request.resources.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// At most `limit`, with what each has left of the classes asked for.
    func candidates(_ tx: any Transaction) throws -> [AllocationCandidate] {
        let classes = classes
        guard let first = classes.first else { return [] }
        // Table aliases are the program's own: i, i1, i2, …; a request has few classes.
        guard classes.count <= Self.aliases.count else {
            throw CloudError.badRequest("A request may name at most \(Self.aliases.count) resource classes.")
        }
        var columns: SQL = "p.id, p.name"
        var joins: SQL = "FROM placement_inventories i0 JOIN placement_providers p ON p.id = i0.provider_id"
        var conditions: SQL = "WHERE i0.resource_class = \(first.name) AND \(Self.fits(first.amount, 0))"
        for (index, entry) in classes.enumerated() {
            let alias = Self.aliases[index]
            columns += ", \(name: alias).capacity - \(name: alias).used"
            guard index > 0 else { continue }
            joins += """
                JOIN placement_inventories \(name: alias)
                  ON \(name: alias).provider_id = i0.provider_id AND \(name: alias).resource_class = \(entry.name)
                """
            conditions += "AND \(Self.fits(entry.amount, index))"
        }
        let sql: SQL = "SELECT \(columns) \(joins) \(conditions) \(traits) LIMIT \(limit)"
        return try tx.query(sql) { row in
            var free: [String: Int64] = [:]
            for (index, entry) in classes.enumerated() { free[entry.name] = row.int64(index + 2) }
            return AllocationCandidate(provider: row.id(0), name: row.text(1), free: free)
        }
    }

    private static let aliases: [StaticString] = [
        "i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "i9", "i10", "i11", "i12", "i13", "i14", "i15",
    ]

    private static func fits(_ amount: Int64, _ index: Int) -> SQL {
        let alias = aliases[index]
        return """
            \(name: alias).used <= \(name: alias).capacity - \(amount) AND \(name: alias).min_unit <= \(amount)
            AND \(name: alias).max_unit >= \(amount) AND \(amount) % \(name: alias).step_size = 0
            """
    }

    private var traits: SQL {
        var sql: SQL = ""
        for trait in request.requiredTraits {
            sql += """
                AND EXISTS (SELECT 1 FROM placement_provider_traits t
                             WHERE t.provider_id = i0.provider_id AND t.trait = \(trait))
                """
        }
        if !request.forbiddenTraits.isEmpty {
            sql += """
                AND NOT EXISTS (SELECT 1 FROM placement_provider_traits t
                                 WHERE t.provider_id = i0.provider_id AND t.trait IN \(list: request.forbiddenTraits))
                """
        }
        return sql
    }

    // MARK: Refusals

    /// Why the other providers were left out, at most `limit` of them.
    func refusals(except found: [AllocationCandidate], _ tx: any Transaction) throws -> [CandidateRefusal] {
        let chosen = Set(found.map(\.provider))
        var refused: [CandidateRefusal] = []
        try tx.forEach(
            "SELECT id, name FROM placement_providers ORDER BY name",
            while: { row in
                let id: ResourceProviderID = row.id(0)
                if !chosen.contains(id) {
                    refused.append(CandidateRefusal(provider: id, name: row.text(1), reasons: []))
                }
                return refused.count < max(limit, 100)
            })
        let ids = refused.map(\.provider)
        guard !ids.isEmpty else { return [] }
        let records = try inventories(of: ids, tx)
        let traits = try traits(of: ids, tx)
        for index in refused.indices {
            let id = refused[index].provider
            refused[index].reasons = reasons(records[id] ?? [:], traits[id] ?? [])
        }
        return refused
    }

    private struct Room {
        var capacity: Int64
        var used: Int64
        var minUnit: Int64
        var maxUnit: Int64
        var stepSize: Int64
    }

    private func inventories(of ids: [ResourceProviderID], _ tx: any Transaction) throws
        -> [ResourceProviderID: [String: Room]]
    {
        var records: [ResourceProviderID: [String: Room]] = [:]
        try tx.forEach(
            """
            SELECT provider_id, resource_class, capacity, used, min_unit, max_unit, step_size FROM placement_inventories
             WHERE provider_id IN \(list: ids)
            """
        ) { row in
            records[row.id(0), default: [:]][row.text(1)] = Room(
                capacity: row.int64(2), used: row.int64(3), minUnit: row.int64(4), maxUnit: row.int64(5),
                stepSize: row.int64(6))
        }
        return records
    }

    private func traits(of ids: [ResourceProviderID], _ tx: any Transaction) throws -> [ResourceProviderID: Set<String>]
    {
        let named = request.requiredTraits + request.forbiddenTraits
        guard !named.isEmpty else { return [:] }
        var traits: [ResourceProviderID: Set<String>] = [:]
        try tx.forEach(
            """
            SELECT provider_id, trait FROM placement_provider_traits
             WHERE provider_id IN \(list: ids) AND trait IN \(list: named)
            """
        ) { traits[$0.id(0), default: []].insert($0.text(1)) }
        return traits
    }

    private func reasons(_ rooms: [String: Room], _ traits: Set<String>) -> [String] {
        var reasons: [String] = []
        for (name, amount) in classes {
            guard let room = rooms[name] else {
                reasons.append("\(name): has none")
                continue
            }
            if room.capacity - room.used < amount {
                reasons.append(
                    "\(name): wants \(amount), \(max(0, room.capacity - room.used)) of \(room.capacity) left")
            }
            if amount > room.maxUnit { reasons.append("\(name): wants \(amount), at most \(room.maxUnit) for one") }
            if amount < room.minUnit { reasons.append("\(name): wants \(amount), at least \(room.minUnit) for one") }
            if amount % room.stepSize != 0 {
                reasons.append("\(name): wants \(amount), gives steps of \(room.stepSize)")
            }
        }
        for trait in request.requiredTraits where !traits.contains(trait) { reasons.append("lacks trait \(trait)") }
        for trait in request.forbiddenTraits where traits.contains(trait) { reasons.append("has trait \(trait)") }
        return reasons
    }
}
