// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// What consumers hold, and who they are.
package struct AllocationStore: Sendable {
    package init() {}

    private static func allocation(_ row: any Row) -> Allocation {
        Allocation(
            consumer: row.text(0), provider: row.id(1), resourceClass: row.text(2), used: row.int64(3),
            updatedAt: row.timestamp(4))
    }

    func allocations(ofConsumer consumer: String, _ tx: any Transaction) throws -> [Allocation] {
        try tx.query(
            """
            SELECT consumer_id, provider_id, resource_class, used, updated_at FROM placement_allocations
             WHERE consumer_id = \(consumer) ORDER BY provider_id, resource_class
            """, Self.allocation)
    }

    func allocations(atProvider provider: ResourceProviderID, _ tx: any Transaction) throws -> [Allocation] {
        try tx.query(
            """
            SELECT consumer_id, provider_id, resource_class, used, updated_at FROM placement_allocations
             WHERE provider_id = \(provider) ORDER BY consumer_id, resource_class
            """, Self.allocation)
    }

    func hasAllocations(atProvider provider: ResourceProviderID, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM placement_allocations WHERE provider_id = \(provider)")
    }

    func insert(_ allocation: Allocation, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO placement_allocations (consumer_id, provider_id, resource_class, used, updated_at)
            VALUES (\(allocation.consumer), \(allocation.provider), \(allocation.resourceClass), \(allocation.used),
                    \(allocation.updatedAt))
            """)
    }

    func deleteAll(ofConsumer consumer: String, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM placement_allocations WHERE consumer_id = \(consumer)")
    }

    // MARK: Consumers

    func consumer(_ id: String, _ tx: any Transaction) throws -> Consumer? {
        try tx.first(
            """
            SELECT id, project_id, user_id, consumer_type, generation FROM placement_consumers WHERE id = \(id)
            """
        ) {
            Consumer(
                id: $0.text(0), projectID: $0.text(1), userID: $0.text(2), type: $0.textOrNil(3),
                generation: $0.int64(4))
        }
    }

    func generations(_ consumers: some Sequence<String>, _ tx: any Transaction) throws -> [String: Int64] {
        Dictionary(
            uniqueKeysWithValues: try tx.query(
                "SELECT id, generation FROM placement_consumers WHERE id IN \(list: consumers)"
            ) { ($0.text(0), $0.int64(1)) })
    }

    func insert(_ consumer: Consumer, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO placement_consumers (id, project_id, user_id, consumer_type, generation, created_at, updated_at)
            VALUES (\(consumer.id), \(consumer.projectID), \(consumer.userID), \(consumer.type), \(consumer.generation),
                    \(time), \(time))
            """)
    }

    func update(_ consumer: Consumer, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE placement_consumers
               SET project_id = \(consumer.projectID), user_id = \(consumer.userID), consumer_type = \(consumer.type),
                   generation = \(consumer.generation), updated_at = \(time)
             WHERE id = \(consumer.id)
            """)
    }

    func delete(_ consumer: String, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM placement_consumers WHERE id = \(consumer)")
    }

    // MARK: Usage

    /// What a project, and in it a user, holds in all.
    func usage(project: String, user: String?, _ tx: any Transaction) throws -> [(resourceClass: String, used: Int64)] {
        let ofUser: SQL = user.map { "AND c.user_id = \($0)" } ?? ""
        return try tx.query(
            """
            SELECT a.resource_class, SUM(a.used) FROM placement_consumers c
              JOIN placement_allocations a ON a.consumer_id = c.id
             WHERE c.project_id = \(project) \(ofUser)
             GROUP BY a.resource_class ORDER BY a.resource_class
            """
        ) { ($0.text(0), $0.int64(1)) }
    }

    struct TypedUsage {
        var type: String
        var consumers: Int64
        var resources: [(String, Int64)]
    }

    /// The same by type of consumer. `type` may be one of them, `unknown`, `all` (everything under one key) or nil.
    func typedUsage(project: String, user: String?, type: String?, _ tx: any Transaction) throws -> [TypedUsage] {
        var filter: SQL = user.map { "AND c.user_id = \($0)" } ?? ""
        if type == "unknown" {
            filter += "AND c.consumer_type IS NULL"
        } else if let type, type != "all" {
            filter += "AND c.consumer_type = \(type)"
        }
        let name: SQL = type == "all" ? "'all'" : "COALESCE(c.consumer_type, 'unknown')"
        var found: [String: TypedUsage] = [:]
        try tx.forEach(
            """
            SELECT \(name), COUNT(DISTINCT c.id) FROM placement_consumers c
              JOIN placement_allocations a ON a.consumer_id = c.id
             WHERE c.project_id = \(project) \(filter) GROUP BY 1
            """
        ) { found[$0.text(0)] = TypedUsage(type: $0.text(0), consumers: $0.int64(1), resources: []) }
        try tx.forEach(
            """
            SELECT \(name), a.resource_class, SUM(a.used) FROM placement_consumers c
              JOIN placement_allocations a ON a.consumer_id = c.id
             WHERE c.project_id = \(project) \(filter) GROUP BY 1, 2 ORDER BY 2
            """
        ) { found[$0.text(0)]?.resources.append(($0.text(1), $0.int64(2))) }
        return found.values.sorted { $0.type < $1.type }
    }
}
