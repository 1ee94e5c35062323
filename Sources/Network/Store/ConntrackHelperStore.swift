// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `conntrack_helpers`.
enum ConntrackHelperStore {
    static let schema = ListSchema(
        from: "FROM conntrack_helpers c", id: "c.id", tags: nil,
        [
            ListAttribute("id", "c.id"), ListAttribute("helper", "c.helper"), ListAttribute("protocol", "c.protocol"),
            ListAttribute("port", "c.port", .integer),
        ])

    private static let columns: SQL = "c.id, c.router_id, c.helper, c.protocol, c.port, c.created_at"

    private static func helper(_ row: any Row) -> ConntrackHelper {
        ConntrackHelper(
            id: row.id(0), router: row.id(1), helper: row.text(2), protocolName: row.text(3), port: row.int(4),
            createdAt: row.timestamp(5))
    }

    static func list(_ query: ListQuery, of router: RouterID, _ transaction: any Transaction) throws
        -> [ConntrackHelper]
    {
        try schema.list(
            query, columns: columns, where: "c.router_id = \(router)", transaction,
            missing: { NetworkFault.conntrackHelperNotFound(ConntrackHelperID($0)) }, helper)
    }

    static func all(of routers: [RouterID], _ transaction: any Transaction) throws -> [RouterID: [ConntrackHelper]] {
        var found: [RouterID: [ConntrackHelper]] = [:]
        for chunk in routers.slices() {
            try transaction.forEach(
                """
                SELECT \(columns) \(schema.from) WHERE c.router_id IN \(list: chunk) ORDER BY c.created_at, c.id
                """
            ) { row in found[row.id(1), default: []].append(helper(row)) }
        }
        return found
    }

    static func find(_ id: ConntrackHelperID, _ transaction: any Transaction) throws -> ConntrackHelper? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE c.id = \(id)", helper)
    }

    static func insert(_ helper: ConntrackHelper, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO conntrack_helpers (id, router_id, helper, protocol, port, created_at)
            VALUES (\(helper.id), \(helper.router), \(helper.helper), \(helper.protocolName), \(helper.port),
                \(helper.createdAt))
            """)
    }

    static func update(_ helper: ConntrackHelper, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE conntrack_helpers
               SET helper = \(helper.helper), protocol = \(helper.protocolName), port = \(helper.port)
             WHERE id = \(helper.id)
            """)
    }

    static func delete(_ id: ConntrackHelperID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM conntrack_helpers WHERE id = \(id)")
    }
}
