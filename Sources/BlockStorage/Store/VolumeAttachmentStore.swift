// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// SQL of `volume_attachments`. The row is the lease: while it is there, somebody may have the volume open.
package struct VolumeAttachmentStore: Sendable {
    package init() {}

    private static let columns: SQL =
        """
        volume_attachments.id, volume_attachments.volume_id, volumes.project_id, volume_attachments.server,
        volume_attachments.host, volume_attachments.device, volume_attachments.status, volume_attachments.mode,
        volume_attachments.connector, volume_attachments.connector_text, volume_attachments.connection,
        volume_attachments.created_at, volume_attachments.attached_at, volume_attachments.is_compute
        """
    private static let tables: SQL =
        "volume_attachments JOIN volumes ON volumes.id = volume_attachments.volume_id"

    private static func attachment(_ row: any Row) throws -> VolumeAttachment {
        VolumeAttachment(
            id: row.id(0), volumeID: row.id(1), projectID: row.id(2), server: row.textOrNil(3),
            host: row.textOrNil(4), device: row.textOrNil(5),
            status: try row.word(6), mode: row.text(7),
            connector: try row.textOrNil(8).map { try JSONValueDecoder.decode(HostConnector.self, from: $0) },
            connectorText: row.textOrNil(9),
            connection: try row.textOrNil(10).map { try JSONValueDecoder.decode(VolumeConnection.self, from: $0) },
            createdAt: row.timestamp(11), attachedAt: row.timestampOrNil(12), isComputes: row.bool(13))
    }

    // MARK: Read

    package func attachment(_ id: VolumeAttachmentID, _ transaction: any Transaction) throws -> VolumeAttachment? {
        try transaction.first(
            "SELECT \(Self.columns) FROM \(Self.tables) WHERE volume_attachments.id = \(id)", Self.attachment)
    }

    /// Oldest first.
    package func attachments(of volume: VolumeID, _ transaction: any Transaction) throws -> [VolumeAttachment] {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM \(Self.tables) WHERE volume_attachments.volume_id = \(volume)
             ORDER BY volume_attachments.created_at, volume_attachments.id
            """, Self.attachment)
    }

    /// By volume, for lists.
    package func attachments(
        ofVolumes ids: [VolumeID], _ transaction: any Transaction
    ) throws -> [VolumeID: [VolumeAttachment]] {
        guard !ids.isEmpty else { return [:] }
        let rows = try transaction.query(
            """
            SELECT \(Self.columns) FROM \(Self.tables) WHERE volume_attachments.volume_id IN \(list: ids)
             ORDER BY volume_attachments.created_at, volume_attachments.id
            """, Self.attachment)
        return Dictionary(grouping: rows, by: \.volumeID)
    }

    package func existing(
        among ids: [VolumeAttachmentID], _ transaction: any Transaction
    ) throws -> Set<VolumeAttachmentID> {
        var found: Set<VolumeAttachmentID> = []
        for part in ids.slices() {
            let sql: SQL = "SELECT id FROM volume_attachments WHERE id IN \(list: part)"
            try transaction.forEach(sql) { found.insert($0.id(0)) }
        }
        return found
    }

    /// All; for the reconciler.
    package func all(_ transaction: any Transaction) throws -> [VolumeAttachment] {
        try transaction.query(
            "SELECT \(Self.columns) FROM \(Self.tables) ORDER BY volume_attachments.id", Self.attachment)
    }

    package struct Query: Sendable {
        package var project: ProjectID?
        package var volume: VolumeID?
        package var server: String?
        package var status: VolumeAttachStatus?
        package var host: String?
        package var id: VolumeAttachmentID?
        package var marker: VolumeAttachmentID?
        package var limit: Int
        package var offset = 0
        package init(limit: Int) { self.limit = limit }
    }

    /// Newest first; one more than `limit`, to know whether more follow. Throws `.notFound` for an unknown marker.
    package func list(_ query: Query, _ transaction: any Transaction) throws -> [VolumeAttachment] {
        var sql: SQL = "SELECT \(Self.columns) FROM \(Self.tables) WHERE 1 = 1"
        if let project = query.project { sql += "AND volumes.project_id = \(project)" }
        if let volume = query.volume { sql += "AND volume_attachments.volume_id = \(volume)" }
        if let server = query.server { sql += "AND volume_attachments.server = \(server)" }
        if let status = query.status { sql += "AND volume_attachments.status = \(status.rawValue)" }
        if let host = query.host { sql += "AND volume_attachments.host = \(host)" }
        if let id = query.id { sql += "AND volume_attachments.id = \(id)" }
        if let marker = query.marker {
            guard let row = try attachment(marker, transaction),
                query.project == nil || row.projectID == query.project
            else { throw CloudError.notFound("Volume attachment \(marker.rawValue.prefix(64)) could not be found.") }
            sql +=
                """
                AND (volume_attachments.created_at < \(row.createdAt)
                     OR (volume_attachments.created_at = \(row.createdAt) AND volume_attachments.id < \(marker)))
                """
        }
        sql += "ORDER BY volume_attachments.created_at DESC, volume_attachments.id DESC LIMIT \(query.limit + 1)"
        if query.offset > 0 { sql += "OFFSET \(query.offset)" }
        return try transaction.query(sql, Self.attachment)
    }

    // MARK: Write

    package func insert(_ attachment: VolumeAttachment, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_attachments (
                id, volume_id, server, host, device, status, mode, connector, connector_text, connection, created_at,
                attached_at, is_compute)
            VALUES (
                \(attachment.id), \(attachment.volumeID), \(attachment.server), \(attachment.host),
                \(attachment.device), \(attachment.status.rawValue), \(attachment.mode),
                \(try attachment.connector.map { try JSONValueEncoder.text($0) }), \(attachment.connectorText),
                \(try attachment.connection.map { try JSONValueEncoder.text($0) }), \(attachment.createdAt),
                \(attachment.attachedAt), \(attachment.isComputes))
            """)
    }

    /// False: it is gone.
    @discardableResult
    package func update(_ attachment: VolumeAttachment, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute(
            """
            UPDATE volume_attachments
               SET server = \(attachment.server), host = \(attachment.host), device = \(attachment.device),
                   status = \(attachment.status.rawValue), mode = \(attachment.mode),
                   connector = \(try attachment.connector.map { try JSONValueEncoder.text($0) }),
                   connector_text = \(attachment.connectorText),
                   connection = \(try attachment.connection.map { try JSONValueEncoder.text($0) }),
                   attached_at = \(attachment.attachedAt)
             WHERE id = \(attachment.id)
            """) == 1
    }

    @discardableResult
    package func delete(_ id: VolumeAttachmentID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM volume_attachments WHERE id = \(id)") > 0
    }
}
