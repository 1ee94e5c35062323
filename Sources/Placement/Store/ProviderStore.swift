// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// The rows of resource providers with their traits and aggregates.
package struct ProviderStore: Sendable {
    package init() {}

    static let columns: SQL = "p.id, p.name, p.generation, p.parent_id, p.root_id, p.created_at, p.updated_at"

    static func provider(_ row: any Row) -> ResourceProvider {
        ResourceProvider(
            id: row.id(0), name: row.text(1), generation: row.int64(2), parent: row.idOrNil(3), root: row.id(4),
            createdAt: row.timestamp(5), updatedAt: row.timestamp(6))
    }

    /// Throws `DatabaseError.unique` for a taken id or name.
    func insert(_ provider: ResourceProvider, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO placement_providers (id, name, generation, parent_id, root_id, created_at, updated_at)
            VALUES (\(provider.id), \(provider.name), \(provider.generation), \(provider.parent), \(provider.root),
                    \(provider.createdAt), \(provider.updatedAt))
            """)
    }

    func provider(_ id: ResourceProviderID, _ tx: any Transaction) throws -> ResourceProvider? {
        try tx.first("SELECT \(Self.columns) FROM placement_providers p WHERE p.id = \(id)", Self.provider)
    }

    func providers(_ ids: some Sequence<ResourceProviderID>, _ tx: any Transaction) throws -> [ResourceProvider] {
        try tx.query("SELECT \(Self.columns) FROM placement_providers p WHERE p.id IN \(list: ids)", Self.provider)
    }

    func list(_ filter: ProviderFilter, _ tx: any Transaction) throws -> [ResourceProvider] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM placement_providers p WHERE \(filter.condition)
             ORDER BY p.created_at, p.id
            """, Self.provider)
    }

    func update(_ provider: ResourceProvider, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE placement_providers
               SET name = \(provider.name), parent_id = \(provider.parent), root_id = \(provider.root),
                   updated_at = \(provider.updatedAt)
             WHERE id = \(provider.id)
            """)
    }

    func setRoot(_ root: ResourceProviderID, of ids: [ResourceProviderID], _ tx: any Transaction) throws {
        try tx.execute("UPDATE placement_providers SET root_id = \(root) WHERE id IN \(list: ids)")
    }

    /// The provider and everything below it.
    func subtree(of provider: ResourceProvider, _ tx: any Transaction) throws -> [ResourceProviderID] {
        let pairs = try tx.query("SELECT id, parent_id FROM placement_providers WHERE root_id = \(provider.root)") {
            ($0.id(0, ResourceProviderTag.self), $0.idOrNil(1, ResourceProviderTag.self))
        }
        var found = [provider.id]
        var next = 0
        while next < found.count {
            found += pairs.filter { $0.1 == found[next] }.map(\.0)
            next += 1
        }
        return found
    }

    func hasChildren(_ id: ResourceProviderID, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM placement_providers WHERE parent_id = \(id)")
    }

    func delete(_ id: ResourceProviderID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM placement_inventories WHERE provider_id = \(id)")
        try tx.execute("DELETE FROM placement_provider_traits WHERE provider_id = \(id)")
        try tx.execute("DELETE FROM placement_provider_aggregates WHERE provider_id = \(id)")
        try tx.execute("DELETE FROM placement_providers WHERE id = \(id)")
    }

    /// Says that the provider changed. False: somebody else changed it first.
    func advance(_ id: ResourceProviderID, from generation: Int64, at time: Timestamp, _ tx: any Transaction) throws
        -> Bool
    {
        try tx.execute(
            """
            UPDATE placement_providers SET generation = generation + 1, updated_at = \(time)
             WHERE id = \(id) AND generation = \(generation)
            """) == 1
    }

    // MARK: Traits

    func traits(of id: ResourceProviderID, _ tx: any Transaction) throws -> [String] {
        try tx.query("SELECT trait FROM placement_provider_traits WHERE provider_id = \(id) ORDER BY trait") {
            $0.text(0)
        }
    }

    func setTraits(_ traits: some Sequence<String>, of id: ResourceProviderID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM placement_provider_traits WHERE provider_id = \(id)")
        for trait in Set(traits) {
            try tx.execute("INSERT INTO placement_provider_traits (provider_id, trait) VALUES (\(id), \(trait))")
        }
    }

    // MARK: Aggregates

    func aggregates(of id: ResourceProviderID, _ tx: any Transaction) throws -> [String] {
        try tx.query(
            "SELECT aggregate_id FROM placement_provider_aggregates WHERE provider_id = \(id) ORDER BY aggregate_id"
        ) { $0.text(0) }
    }

    func setAggregates(_ aggregates: some Sequence<String>, of id: ResourceProviderID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM placement_provider_aggregates WHERE provider_id = \(id)")
        for aggregate in Set(aggregates) {
            try tx.execute(
                "INSERT INTO placement_provider_aggregates (provider_id, aggregate_id) VALUES (\(id), \(aggregate))")
        }
    }
}

/// Which providers a list or a search wants. Each condition is about one provider alone, not its tree.
package struct ProviderFilter: Sendable {
    package var name: String?
    package var id: String?
    package var root: ResourceProviderID?
    /// Every inner list needs one match.
    package var memberOf: [[String]] = []
    package var forbiddenAggregates: [String] = []
    /// Every inner list needs one match.
    package var requiredTraits: [[String]] = []
    package var forbiddenTraits: [String] = []
    package var resources: [String: Int64] = [:]

    package init() {}

    /// Over `placement_providers p`.
    var condition: SQL {
        var sql: SQL = "1 = 1"
        if let name { sql += "AND p.name = \(name)" }
        if let id { sql += "AND p.id = \(id)" }
        if let root { sql += "AND p.root_id = \(root)" }
        let rooms = resources.sorted { $0.key < $1.key }.map { Self.room($0.key, $0.value) }
        sql += "AND \(SQL.all(rooms.map { "EXISTS (\($0))" }))"
        let traits = requiredTraits.map { traits -> SQL in
            """
            EXISTS (SELECT 1 FROM placement_provider_traits t
                     WHERE t.provider_id = p.id AND t.trait IN \(list: traits))
            """
        }
        sql += "AND \(SQL.all(traits))"
        if !forbiddenTraits.isEmpty {
            sql += """
                AND NOT EXISTS (SELECT 1 FROM placement_provider_traits t
                                 WHERE t.provider_id = p.id AND t.trait IN \(list: forbiddenTraits))
                """
        }
        let memberships = memberOf.map { aggregates -> SQL in
            """
            EXISTS (SELECT 1 FROM placement_provider_aggregates g
                     WHERE g.provider_id = p.id AND g.aggregate_id IN \(list: aggregates))
            """
        }
        sql += "AND \(SQL.all(memberships))"
        if !forbiddenAggregates.isEmpty {
            sql += """
                AND NOT EXISTS (SELECT 1 FROM placement_provider_aggregates g
                                 WHERE g.provider_id = p.id AND g.aggregate_id IN \(list: forbiddenAggregates))
                """
        }
        return sql
    }

    private static func room(_ resourceClass: String, _ amount: Int64) -> SQL {
        """
        SELECT 1 FROM placement_inventories i
         WHERE i.provider_id = p.id AND i.resource_class = \(resourceClass) AND \(fits(amount))
        """
    }

    /// Over `placement_inventories i`.
    static func fits(_ amount: Int64) -> SQL {
        """
        i.used <= i.capacity - \(amount) AND i.min_unit <= \(amount) AND i.max_unit >= \(amount)
        AND \(amount) % i.step_size = 0
        """
    }
}
