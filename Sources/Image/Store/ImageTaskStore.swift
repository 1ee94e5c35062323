// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// The rows of tasks.
package struct ImageTaskStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, type, status, owner, image_id, user_id, request_id, input, result, message, created_at, updated_at,
        expires_at
        """

    private static func task(_ row: any Row) throws -> ImageTask {
        var task = ImageTask(
            id: row.id(0), kind: try row.word(1), owner: row.idOrNil(3),
            imageID: row.idOrNil(4), input: json(row.text(7)), createdAt: row.timestamp(10))
        task.status = try row.word(2)
        task.userID = row.textOrNil(5)
        task.requestID = row.textOrNil(6)
        task.result = row.textOrNil(8).map(json)
        task.message = row.text(9)
        task.updatedAt = row.timestamp(11)
        task.expiresAt = row.timestampOrNil(12)
        return task
    }

    private static func json(_ text: String) -> JSON {
        (try? JSONReader.read(text)) ?? .null  // this program wrote it; a damaged one is shown as nothing
    }

    package func insert(_ task: ImageTask, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO image_tasks (id, type, status, owner, image_id, user_id, request_id, input, result, message,
                                     created_at, updated_at, expires_at)
            VALUES (\(task.id), \(task.kind.rawValue), \(task.status.rawValue), \(task.owner), \(task.imageID),
                    \(task.userID), \(task.requestID), \(task.input.text()), \(task.result.map { $0.text() }),
                    \(task.message), \(task.createdAt), \(task.updatedAt), \(task.expiresAt))
            """)
    }

    /// The task runs. Nothing changes for one that runs or has ended.
    package func begin(_ id: ImageTaskID, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE image_tasks SET status = \(ImageTask.Status.processing.rawValue), updated_at = \(time)
             WHERE id = \(id) AND status = \(ImageTask.Status.pending.rawValue)
            """)
    }

    /// The task has ended. Nothing changes for one that had.
    package func end(
        _ id: ImageTaskID, _ status: ImageTask.Status, result: JSON?, message: String, at time: Timestamp,
        expiresAt: Timestamp, _ tx: any Transaction
    ) throws {
        try tx.execute(
            """
            UPDATE image_tasks
               SET status = \(status.rawValue), result = \(result.map { $0.text() }), message = \(message),
                   updated_at = \(time), expires_at = \(expiresAt)
             WHERE id = \(id)
               AND status IN (\(ImageTask.Status.pending.rawValue), \(ImageTask.Status.processing.rawValue))
            """)
    }

    package func task(_ id: ImageTaskID, at time: Timestamp, _ tx: any Transaction) throws -> ImageTask? {
        try tx.first(
            """
            SELECT \(Self.columns) FROM image_tasks
             WHERE id = \(id) AND (expires_at IS NULL OR expires_at > \(time))
            """, Self.task)
    }

    /// The tasks of one image, oldest first.
    package func tasks(of image: ImageID, at time: Timestamp, limit: Int, _ tx: any Transaction) throws -> [ImageTask] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM image_tasks
             WHERE image_id = \(image) AND (expires_at IS NULL OR expires_at > \(time))
             ORDER BY created_at, id LIMIT \(limit)
            """, Self.task)
    }

    /// `owner` nil: of every project. Throws `.badRequest` when the marker names no task that is seen.
    package func list(_ query: ImageTaskQuery, owner: ProjectID?, at time: Timestamp, _ tx: any Transaction) throws
        -> [ImageTask]
    {
        var sql: SQL = """
            SELECT \(Self.columns) FROM image_tasks WHERE (expires_at IS NULL OR expires_at > \(time))
            """
        if let owner { sql += "AND owner = \(owner)" }
        if let kind = query.kind { sql += "AND type = \(kind.rawValue)" }
        if let status = query.status { sql += "AND status = \(status.rawValue)" }
        let key = Self.expression(query.sortKey)
        if let id = query.marker {
            guard let marker = try task(id, at: time, tx), owner == nil || marker.owner == owner else {
                throw CloudError.badRequest("Task not found: \(id)")
            }
            let value = Self.value(query.sortKey, of: marker)
            let beyond: SQL = query.isAscending ? ">" : "<"
            sql += "AND (\(key), id) \(beyond) (\(value), \(id))"
        }
        sql += query.isAscending ? "ORDER BY \(key) ASC, id ASC" : "ORDER BY \(key) DESC, id DESC"
        return try tx.query(sql + "LIMIT \(query.limit)", Self.task)
    }

    private static func expression(_ key: ImageTaskQuery.SortKey) -> SQL {
        switch key {
        case .created_at: "created_at"
        case .updated_at: "updated_at"
        case .id: "id"
        case .status: "status"
        case .type: "type"
        }
    }

    private static func value(_ key: ImageTaskQuery.SortKey, of task: ImageTask) -> SQLValue {
        switch key {
        case .created_at: .integer(task.createdAt.microseconds)
        case .updated_at: .integer(task.updatedAt.microseconds)
        case .id: .text(task.id.rawValue)
        case .status: .text(task.status.rawValue)
        case .type: .text(task.kind.rawValue)
        }
    }

    package func hasExpired(at time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM image_tasks WHERE expires_at <= \(time)")
    }

    /// Forgets what has expired. Returns how many.
    package func purge(at time: Timestamp, _ tx: any Transaction) throws -> Int {
        try tx.execute("DELETE FROM image_tasks WHERE expires_at <= \(time)")
    }
}
