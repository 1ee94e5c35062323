// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `network_logs`.
enum NetworkLogStore {
    static let schema = ListSchema(
        from: "FROM network_logs l", id: "l.id", tags: nil,
        [
            ListAttribute("id", "l.id"), ListAttribute("name", "l.name"), ListAttribute("project_id", "l.project_id"),
            ListAttribute("tenant_id", "l.project_id"), ListAttribute("description", "l.description"),
            ListAttribute("resource_id", "l.group_id"), ListAttribute("target_id", "l.port_id"),
            ListAttribute("event", "l.event"), ListAttribute("enabled", "l.is_enabled", .boolean),
            ListAttribute("revision_number", "l.revision", .integer),
            ListAttribute("created_at", "l.created_at", .time),
            ListAttribute("updated_at", "l.updated_at", .time),
            .filter("resource_type") { $0.contains(NetworkLog.resourceType) ? "1 = 1" : "1 = 0" },
        ])

    private static let columns: SQL = """
        l.id, l.project_id, l.name, l.group_id, l.port_id, l.event, l.is_enabled, l.description, '[]', l.revision, \
        l.created_at, l.updated_at
        """

    private static func log(_ row: any Row) throws -> NetworkLog {
        NetworkLog(
            id: row.id(0), project: row.id(1), name: row.text(2), group: row.idOrNil(3), port: row.idOrNil(4),
            event: try row.word(5), isEnabled: row.bool(6), standard: row.standard(7))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [NetworkLog] {
        try schema.list(
            query, columns: columns, where: "\(viewer.owns("l.project_id"))", transaction,
            missing: { NetworkFault.logNotFound(NetworkLogID($0)) }, log)
    }

    static func find(_ id: NetworkLogID, _ transaction: any Transaction) throws -> NetworkLog? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE l.id = \(id)", log)
    }

    /// Those that are on and concern the group: for it, for one of its ports, or for all. The oldest first.
    static func enabled(for group: SecurityGroupID, _ transaction: any Transaction) throws -> [NetworkLog] {
        try transaction.query(
            """
            SELECT \(columns) \(schema.from)
             WHERE l.is_enabled = 1
               AND (l.group_id = \(group) OR l.group_id IS NULL
                    AND (l.port_id IS NULL OR l.port_id IN (SELECT port_id FROM port_groups WHERE group_id = \(group))))
             ORDER BY l.created_at, l.id
            """, log)
    }

    static func insert(_ log: NetworkLog, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO network_logs (id, project_id, name, description, group_id, port_id, event, is_enabled, revision,
                created_at, updated_at)
            VALUES (\(log.id), \(log.project), \(log.name), \(log.standard.description), \(log.group), \(log.port),
                \(log.event.rawValue), \(log.isEnabled), \(log.standard.revision), \(log.standard.createdAt),
                \(log.standard.updatedAt))
            """)
    }

    static func update(_ log: NetworkLog, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE network_logs
               SET name = \(log.name), description = \(log.standard.description), is_enabled = \(log.isEnabled),
                   revision = \(log.standard.revision), updated_at = \(log.standard.updatedAt)
             WHERE id = \(log.id)
            """)
    }

    static func delete(_ id: NetworkLogID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_logs WHERE id = \(id)")
    }

    /// Whether an order names the port.
    static func names(_ port: PortID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM network_logs WHERE port_id = \(port) LIMIT 1")
    }

    /// Orders about an object go with it.
    static func delete(about object: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_logs WHERE group_id = \(object) OR port_id = \(object)")
    }
}
