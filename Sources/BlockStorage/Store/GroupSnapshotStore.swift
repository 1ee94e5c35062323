// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import TaskKit

/// SQL of `volume_group_snapshots`.
package struct GroupSnapshotStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, group_id, project_id, user_id, name, description, type_id, status, saga_run, created_at, updated_at
        """

    private static let page = PagedSelect(
        "volume_group_snapshots", columns: columns,
        keys: [
            "id": .init("id"), "name": .init("COALESCE(name, '')"), "status": .init("status"),
            "group_id": .init("group_id"), "group_type_id": .init("type_id"),
            "created_at": .init("created_at", isNumeric: true),
            "updated_at": .init("COALESCE(updated_at, 0)", isNumeric: true),
        ],
        filters: [
            "id": "id", "name": "name", "status": "status", "description": "description", "group_id": "group_id",
            "group_type_id": "type_id", "user_id": "user_id", "project_id": "project_id",
        ],
        notFound: {
            .notFound("GroupSnapshot \($0.prefix(64)) could not be found.", kind: "GroupSnapshotNotFound")
        })

    private static func snapshot(_ row: any Row) throws -> GroupSnapshot {
        GroupSnapshot(
            id: row.id(0), groupID: row.id(1), projectID: row.id(2), userID: row.id(3), name: row.textOrNil(4),
            description: row.textOrNil(5), typeID: row.id(6),
            status: try row.word(7), sagaRun: row.idOrNil(8),
            createdAt: row.timestamp(9), updatedAt: row.timestampOrNil(10))
    }

    package func snapshot(_ id: GroupSnapshotID, _ transaction: any Transaction) throws -> GroupSnapshot? {
        try transaction.first("SELECT \(Self.columns) FROM volume_group_snapshots WHERE id = \(id)", Self.snapshot)
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage, _ transaction: any Transaction) throws
        -> [GroupSnapshot]
    {
        try Self.page.list(filter, page, transaction, Self.snapshot)
    }

    package func exists(of group: VolumeGroupID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM volume_group_snapshots WHERE group_id = \(group)")
    }

    package func transitional(before time: Timestamp, _ transaction: any Transaction) throws -> [GroupSnapshot] {
        try transaction.readable(
            """
            SELECT \(Self.columns) FROM volume_group_snapshots
             WHERE status IN ('creating', 'deleting') AND COALESCE(updated_at, created_at) < \(time)
            """, Self.snapshot)
    }

    // MARK: Write

    package func insert(_ snapshot: GroupSnapshot, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_group_snapshots (\(Self.columns)) VALUES (
                \(snapshot.id), \(snapshot.groupID), \(snapshot.projectID), \(snapshot.userID), \(snapshot.name),
                \(snapshot.description), \(snapshot.typeID), \(snapshot.status.rawValue), \(snapshot.sagaRun),
                \(snapshot.createdAt), \(snapshot.updatedAt)
            )
            """)
    }

    package func setStatus(
        _ id: GroupSnapshotID, _ status: GroupSnapshotStatus, run: SagaRunID?, at now: Timestamp,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE volume_group_snapshots SET status = \(status.rawValue), saga_run = \(run), updated_at = \(now)
             WHERE id = \(id)
            """)
    }

    /// Ends what `run` did. False: the row is another's now, or gone.
    @discardableResult
    package func settle(
        _ id: GroupSnapshotID, _ status: GroupSnapshotStatus, heldBy run: SagaRunID, at now: Timestamp,
        _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE volume_group_snapshots SET status = \(status.rawValue), saga_run = NULL, updated_at = \(now)
             WHERE id = \(id) AND saga_run = \(run)
            """) == 1
    }

    package func delete(_ id: GroupSnapshotID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_group_snapshots WHERE id = \(id)")
    }
}
