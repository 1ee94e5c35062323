// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit

/// One line of a server's timeline: who asked for what, and what came of it.
package struct ServerAction: Sendable {
    package struct Event: Sendable {
        package var name: String
        package var startedAt: Timestamp
        package var finishedAt: Timestamp?
        /// `Success` or `Error`.
        package var result: String?
        package var details: String?
        /// For administrators.
        package var traceback: String?
        package var host: String?
    }
    package var serverID: ServerID
    package var requestID: String
    package var action: String
    package var userID: UserID
    package var projectID: ProjectID
    package var startedAt: Timestamp
    package var updatedAt: Timestamp
    package var message: String?
    package var events: [Event] = []
}

package struct ServerActionStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        server_id, request_id, action, user_id, project_id, started_at, updated_at, message
        """

    private static func action(_ row: any Row) -> ServerAction {
        ServerAction(
            serverID: row.id(0), requestID: row.text(1), action: row.text(2), userID: row.id(3), projectID: row.id(4),
            startedAt: row.timestamp(5), updatedAt: row.timestamp(6), message: row.textOrNil(7))
    }

    /// `event` nil: the action ends where it begins, such as `lock`.
    package func begin(
        _ server: ServerID, action: String, event: String?, request: String, user: UserID, project: ProjectID,
        at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO server_actions (\(Self.columns))
            VALUES (\(server), \(request), \(action), \(user), \(project), \(time), \(time), NULL)
            ON CONFLICT (server_id, request_id) DO NOTHING
            """)
        guard let event else { return }
        try transaction.execute(
            """
            INSERT INTO server_action_events (server_id, request_id, name, started_at)
            VALUES (\(server), \(request), \(event), \(time)) ON CONFLICT (server_id, request_id, name) DO NOTHING
            """)
    }

    /// What failed is tried again.
    package func reopen(_ server: ServerID, request: String, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE server_action_events
               SET finished_at = NULL, result = NULL, details = NULL, traceback = NULL
             WHERE server_id = \(server) AND request_id = \(request) AND result = 'Error'
            """)
    }

    package func finish(
        _ server: ServerID, request: String, error: CloudError?, host: String?, at time: Timestamp,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE server_action_events
               SET finished_at = \(time), result = \(error == nil ? "Success" : "Error"), details = \(error?.message),
                   traceback = \(error?.cause), host = \(host)
             WHERE server_id = \(server) AND request_id = \(request) AND finished_at IS NULL
            """)
        try transaction.execute(
            """
            UPDATE server_actions SET updated_at = \(time), message = \(error == nil ? nil : "Error")
             WHERE server_id = \(server) AND request_id = \(request)
            """)
    }

    /// Whether the event has ended well.
    package func hasSucceeded(
        _ server: ServerID, request: String, event: String, _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.count(
            """
            SELECT COUNT(*) FROM server_action_events
             WHERE server_id = \(server) AND request_id = \(request) AND name = \(event) AND result = 'Success'
            """) > 0
    }

    /// Newest first.
    package func list(
        _ server: ServerID, since: Timestamp?, before: Timestamp?, marker: String?, limit: Int,
        _ transaction: any Transaction
    ) throws -> [ServerAction] {
        var sql: SQL = "SELECT \(Self.columns) FROM server_actions WHERE server_id = \(server)"
        if let since { sql += "AND updated_at >= \(since)" }
        if let before { sql += "AND updated_at <= \(before)" }
        if let marker {
            guard let last = try action(server, marker, transaction) else {
                throw CloudError.badRequest("marker [\(marker.prefix(64))] not found")
            }
            sql += """
                AND (started_at < \(last.startedAt) OR (started_at = \(last.startedAt) AND request_id < \(marker)))
                """
        }
        return try transaction.query(sql + "ORDER BY started_at DESC, request_id DESC LIMIT \(limit)", Self.action)
    }

    package func action(_ server: ServerID, _ request: String, _ transaction: any Transaction) throws -> ServerAction? {
        let sql: SQL = """
            SELECT \(Self.columns) FROM server_actions WHERE server_id = \(server) AND request_id = \(request)
            """
        guard var action = try transaction.first(sql, Self.action) else { return nil }
        action.events = try transaction.query(
            """
            SELECT name, started_at, finished_at, result, details, traceback, host FROM server_action_events
             WHERE server_id = \(server) AND request_id = \(request) ORDER BY started_at, name
            """
        ) {
            ServerAction.Event(
                name: $0.text(0), startedAt: $0.timestamp(1), finishedAt: $0.timestampOrNil(2), result: $0.textOrNil(3),
                details: $0.textOrNil(4), traceback: $0.textOrNil(5), host: $0.textOrNil(6))
        }
        return action
    }
}
