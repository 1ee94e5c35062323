// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// SQL of `volume_messages`.
package struct VolumeMessageStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, project_id, request_id, resource_type, resource_id, action_id, detail_id, level, created_at, expires_at
        """

    private static let page = PagedSelect(
        "volume_messages", columns: columns,
        keys: [
            "id": .init("id"), "resource_type": .init("resource_type"),
            "resource_uuid": .init("COALESCE(resource_id, '')"), "message_level": .init("level"),
            "request_id": .init("COALESCE(request_id, '')"),
            "event_id": .init("'VOLUME_' || resource_type || '_' || action_id || '_' || detail_id"),
            "created_at": .init("created_at", isNumeric: true), "updated_at": .init("created_at", isNumeric: true),
            "guaranteed_until": .init("expires_at", isNumeric: true),
            "expires_at": .init("expires_at", isNumeric: true),
        ],
        filters: [
            "id": "id", "resource_type": "resource_type", "resource_uuid": "resource_id",
            "message_level": "level", "request_id": "request_id", "action_id": "action_id", "detail_id": "detail_id",
            "event_id": "'VOLUME_' || resource_type || '_' || action_id || '_' || detail_id",
        ],
        notFound: { .notFound("Message \($0.prefix(64)) could not be found.", kind: "MessageNotFound") })

    private static func message(_ row: any Row) throws -> VolumeMessage {
        VolumeMessage(
            id: row.id(0), projectID: row.id(1), requestID: row.textOrNil(2),
            resource: try row.word(3), resourceID: row.textOrNil(4),
            action: try row.word(5),
            detail: try row.word(6), level: row.text(7),
            createdAt: row.timestamp(8), expiresAt: row.timestamp(9))
    }

    package func message(_ id: VolumeMessageID, _ transaction: any Transaction) throws -> VolumeMessage? {
        try transaction.first("SELECT \(Self.columns) FROM volume_messages WHERE id = \(id)", Self.message)
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage, _ transaction: any Transaction) throws
        -> [VolumeMessage]
    {
        try Self.page.list(filter, page, transaction, Self.message)
    }

    /// A message that is there already, from an earlier try of the same step, is left.
    package func insert(_ message: VolumeMessage, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_messages (\(Self.columns)) VALUES (
                \(message.id), \(message.projectID), \(message.requestID), \(message.resource.rawValue),
                \(message.resourceID), \(message.action.rawValue), \(message.detail.rawValue), \(message.level),
                \(message.createdAt), \(message.expiresAt)
            ) ON CONFLICT (id) DO NOTHING
            """)
    }

    package func delete(_ id: VolumeMessageID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_messages WHERE id = \(id)")
    }

    package func hasExpired(at now: Timestamp, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM volume_messages WHERE expires_at < \(now)")
    }

    package func purge(at now: Timestamp, _ transaction: any Transaction) throws -> Int {
        try transaction.execute("DELETE FROM volume_messages WHERE expires_at < \(now)")
    }
}
