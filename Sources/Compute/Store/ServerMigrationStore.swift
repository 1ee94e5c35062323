// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit

/// SQL for moves of servers. Rows stay as long as their servers do.
package struct ServerMigrationStore: Sendable {
    package typealias Status = ServerMigration.Status

    package init() {}

    private static let columns: SQL = """
        id, number, server_id, kind, status, source_host, source_node, destination_host, destination_node,
        destination_address, old_flavor, new_flavor, old_vm_state, user_id, project_id, created_at, updated_at
        """

    private static func migration(_ row: any Row) throws -> ServerMigration {
        ServerMigration(
            id: row.id(0), number: row.int64(1), server: row.id(2), kind: try row.word(3),
            status: try row.word(4), sourceHost: row.textOrNil(5),
            sourceNode: row.textOrNil(6), destinationHost: row.textOrNil(7), destinationNode: row.textOrNil(8),
            destinationAddress: row.textOrNil(9),
            oldFlavor: try JSONValueDecoder.decode(FlavorSnapshot.self, from: row.text(10)),
            newFlavor: try JSONValueDecoder.decode(FlavorSnapshot.self, from: row.text(11)),
            oldState: try row.word(12), userID: row.id(13), projectID: row.id(14),
            createdAt: row.timestamp(15), updatedAt: row.timestampOrNil(16))
    }

    // MARK: Read

    package func migration(_ id: ServerMigrationID, _ transaction: any Transaction) throws -> ServerMigration? {
        try transaction.first("SELECT \(Self.columns) FROM server_migrations WHERE id = \(id)", Self.migration)
    }

    package func migration(
        number: Int64, of server: ServerID, _ transaction: any Transaction
    ) throws -> ServerMigration? {
        try transaction.first(
            """
            SELECT \(Self.columns) FROM server_migrations WHERE number = \(number) AND server_id = \(server)
            """, Self.migration)
    }

    /// The newest of a server in `status`.
    package func newest(
        of server: ServerID, in status: Status, _ transaction: any Transaction
    ) throws -> ServerMigration? {
        try transaction.first(
            """
            SELECT \(Self.columns) FROM server_migrations WHERE server_id = \(server) AND status = \(status.rawValue)
             ORDER BY created_at DESC, number DESC LIMIT 1
            """, Self.migration)
    }

    /// What is not settled yet, oldest first. `server` nil: of all.
    package func open(of server: ServerID? = nil, _ transaction: any Transaction) throws -> [ServerMigration] {
        let ended = Status.allCases.filter(\.hasEnded).map(\.rawValue)
        var sql: SQL = "SELECT \(Self.columns) FROM server_migrations WHERE status NOT IN \(list: ended)"
        if let server { sql += "AND server_id = \(server)" }
        return try transaction.query(sql + "ORDER BY number", Self.migration)
    }

    /// Servers whose files on `host` wait for the end of a move.
    package func servers(leaving host: String, _ transaction: any Transaction) throws -> Set<ServerID> {
        let ended = Status.allCases.filter(\.hasEnded).map(\.rawValue)
        let ids: [ServerID] = try transaction.query(
            "SELECT server_id FROM server_migrations WHERE source_host = \(host) AND status NOT IN \(list: ended)"
        ) { $0.id(0) }
        return Set(ids)
    }

    /// Live migrations of a server that are under way.
    package func inProgress(of server: ServerID, _ transaction: any Transaction) throws -> [ServerMigration] {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM server_migrations
             WHERE server_id = \(server) AND kind = \(ServerMigration.Kind.live.rawValue)
               AND status IN \(list: Status.inProgress.map(\.rawValue).sorted())
             ORDER BY number
            """, Self.migration)
    }

    /// Moves that have waited for their confirmation since before `limit`.
    package func unconfirmed(before limit: Timestamp, _ transaction: any Transaction) throws -> [ServerMigration] {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM server_migrations
             WHERE status = \(Status.finished.rawValue) AND updated_at < \(limit) ORDER BY number LIMIT 1000
            """, Self.migration)
    }

    /// Which of these ids name moves that are settled, or whose servers have ended.
    package func settled(_ ids: [String], _ transaction: any Transaction) throws -> [ServerMigrationID] {
        let ended = Status.allCases.filter(\.hasEnded).map(\.rawValue)
        var found: [ServerMigrationID] = []
        for part in ids.slices() {
            found += try transaction.query(
                """
                SELECT id FROM server_migrations
                 WHERE id IN \(list: part)
                   AND (status IN \(list: ended)
                        OR NOT EXISTS (SELECT 1 FROM servers WHERE id = server_migrations.server_id AND is_deleted = 0))
                """
            ) { $0.id(0) }
        }
        return found
    }

    /// Throws `.badRequest` when the marker is not there.
    package func list(_ query: ServerMigrationQuery, _ transaction: any Transaction) throws -> [ServerMigration] {
        var sql: SQL = "SELECT \(Self.columns) FROM server_migrations WHERE 1 = 1"
        if let server = query.server { sql += "AND server_id = \(server)" }
        if let status = query.status { sql += "AND status = \(status)" }
        if let kind = query.kind { sql += "AND kind = \(kind)" }
        if let host = query.host {
            sql += "AND (source_host = \(host) OR destination_host = \(host))"
        } else if let host = query.sourceHost {
            sql += "AND source_host = \(host)"
        }
        if let user = query.user { sql += "AND user_id = \(user)" }
        if let project = query.project { sql += "AND project_id = \(project)" }
        if let since = query.changedSince { sql += "AND COALESCE(updated_at, created_at) >= \(since)" }
        if let before = query.changedBefore { sql += "AND COALESCE(updated_at, created_at) <= \(before)" }
        if let marker = query.marker {
            guard let last = try migration(marker, transaction) else {
                throw CloudError.badRequest(
                    "Marker \(marker.rawValue.prefix(64)) could not be found.", kind: "MarkerNotFound")
            }
            sql += """
                AND (created_at, number) < (\(last.createdAt), \(last.number))
                """
        }
        return try transaction.query(sql + "ORDER BY created_at DESC, number DESC LIMIT \(query.limit)", Self.migration)
    }

    // MARK: Write

    package func nextNumber(_ transaction: any Transaction) throws -> Int64 {
        Int64(try transaction.count("SELECT MAX(number) FROM server_migrations")) + 1
    }

    package func insert(_ migration: ServerMigration, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO server_migrations (\(Self.columns)) VALUES (
                \(migration.id), \(migration.number), \(migration.server), \(migration.kind.rawValue),
                \(migration.status.rawValue), \(migration.sourceHost), \(migration.sourceNode),
                \(migration.destinationHost), \(migration.destinationNode), \(migration.destinationAddress),
                \(try JSONValueEncoder.text(migration.oldFlavor)), \(try JSONValueEncoder.text(migration.newFlavor)),
                \(migration.oldState.rawValue), \(migration.userID), \(migration.projectID), \(migration.createdAt),
                \(migration.updatedAt)
            )
            """)
    }

    package func setStatus(
        _ id: ServerMigrationID, _ status: Status, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            "UPDATE server_migrations SET status = \(status.rawValue), updated_at = \(time) WHERE id = \(id)")
    }

    /// Moves it on if it is in `old`. False: it is not.
    package func move(
        _ id: ServerMigrationID, from old: Status, to status: Status, at time: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE server_migrations SET status = \(status.rawValue), updated_at = \(time)
             WHERE id = \(id) AND status = \(old.rawValue)
            """) == 1
    }

    /// `host` nil: nobody knows yet.
    package func setDestination(
        _ id: ServerMigrationID, host: String?, node: String?, address: String?, at time: Timestamp,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE server_migrations
               SET destination_host = \(host), destination_node = \(node), destination_address = \(address),
                   updated_at = \(time)
             WHERE id = \(id)
            """)
    }

    /// The server has ended, and with it every move.
    package func close(of server: ServerID, at time: Timestamp, _ transaction: any Transaction) throws {
        for migration in try open(of: server, transaction) {
            let isSettled = [.finished, .confirming].contains(migration.status)
            try setStatus(migration.id, isSettled ? .confirmed : .error, at: time, transaction)
        }
    }
}
