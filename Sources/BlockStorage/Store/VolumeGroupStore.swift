// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import TaskKit

/// SQL of `volume_groups`.
package struct VolumeGroupStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, project_id, user_id, name, description, type_id, volume_type_ids, zone, host, status, saga_run,
        source_group_id, group_snapshot_id, created_at, updated_at
        """

    private static let page = PagedSelect(
        "volume_groups", columns: columns,
        keys: [
            "id": .init("id"), "name": .init("COALESCE(name, '')"), "status": .init("status"),
            "group_type": .init("type_id"), "group_type_id": .init("type_id"), "availability_zone": .init("zone"),
            "host": .init("COALESCE(host, '')"), "created_at": .init("created_at", isNumeric: true),
            "updated_at": .init("COALESCE(updated_at, 0)", isNumeric: true),
        ],
        filters: [
            "id": "id", "name": "name", "status": "status", "description": "description", "host": "host",
            "availability_zone": "zone", "user_id": "user_id", "project_id": "project_id",
            "group_type": "type_id", "group_type_id": "type_id", "source_group_id": "source_group_id",
            "group_snapshot_id": "group_snapshot_id",
        ],
        notFound: { .notFound("Group \($0.prefix(64)) could not be found.", kind: "GroupNotFound") })

    private static func group(_ row: any Row) throws -> VolumeGroup {
        var group = VolumeGroup(
            id: row.id(0), projectID: row.id(1), userID: row.id(2), typeID: row.id(5),
            volumeTypeIDs: try TextList.list(row.text(6)).map { VolumeTypeID($0) }, zone: row.text(7),
            createdAt: row.timestamp(13))
        group.name = row.textOrNil(3)
        group.description = row.textOrNil(4)
        group.host = row.textOrNil(8)
        group.status = try row.word(9)
        group.sagaRun = row.idOrNil(10)
        group.sourceGroupID = row.idOrNil(11)
        group.groupSnapshotID = row.idOrNil(12)
        group.updatedAt = row.timestampOrNil(14)
        return group
    }

    package func group(_ id: VolumeGroupID, _ transaction: any Transaction) throws -> VolumeGroup? {
        try transaction.first("SELECT \(Self.columns) FROM volume_groups WHERE id = \(id)", Self.group)
    }

    /// Those of `ids` that once were consistency groups.
    package func consistencyGroups(
        among ids: [VolumeGroupID], _ transaction: any Transaction
    ) throws -> Set<VolumeGroupID> {
        guard !ids.isEmpty else { return [] }
        return Set(
            try transaction.query(
                """
                SELECT id FROM volume_groups WHERE id IN \(list: ids)
                   AND type_id IN (SELECT id FROM volume_group_types WHERE name = \(GroupType.migrationName))
                """
            ) { $0.id(0) })
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage, _ transaction: any Transaction) throws
        -> [VolumeGroup]
    {
        try Self.page.list(filter, page, transaction, Self.group)
    }

    package func count(of project: ProjectID, _ transaction: any Transaction) throws -> Int {
        try transaction.count("SELECT COUNT(*) FROM volume_groups WHERE project_id = \(project)")
    }

    package func isUsed(_ type: GroupTypeID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM volume_groups WHERE type_id = \(type)")
    }

    /// Whether a group is being made from this one, or from this snapshot of one.
    package func isSource(_ id: VolumeGroupID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists(
            "SELECT 1 FROM volume_groups WHERE source_group_id = \(id) AND status = 'creating'")
    }

    package func isSource(_ id: GroupSnapshotID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists(
            "SELECT 1 FROM volume_groups WHERE group_snapshot_id = \(id) AND status = 'creating'")
    }

    /// Groups in a status that a run must hold, last changed before `time`.
    package func transitional(before time: Timestamp, _ transaction: any Transaction) throws -> [VolumeGroup] {
        try transaction.readable(
            """
            SELECT \(Self.columns) FROM volume_groups
             WHERE status IN ('creating', 'deleting', 'updating') AND COALESCE(updated_at, created_at) < \(time)
            """, Self.group)
    }

    // MARK: Write

    package func insert(_ group: VolumeGroup, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_groups (\(Self.columns)) VALUES (
                \(group.id), \(group.projectID), \(group.userID), \(group.name), \(group.description), \(group.typeID),
                \(TextList.text(group.volumeTypeIDs.map(\.rawValue))), \(group.zone), \(group.host),
                \(group.status.rawValue), \(group.sagaRun), \(group.sourceGroupID), \(group.groupSnapshotID),
                \(group.createdAt), \(group.updatedAt)
            )
            """)
    }

    package func setNames(
        _ id: VolumeGroupID, name: String?, description: String?, at now: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE volume_groups SET name = \(name), description = \(description), updated_at = \(now)
             WHERE id = \(id)
            """)
    }

    package func setHost(_ id: VolumeGroupID, _ host: String, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE volume_groups SET host = \(host) WHERE id = \(id)")
    }

    /// `run` nil: no run holds it any more.
    package func setStatus(
        _ id: VolumeGroupID, _ status: VolumeGroupStatus, run: SagaRunID?, at now: Timestamp,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE volume_groups SET status = \(status.rawValue), saga_run = \(run), updated_at = \(now)
             WHERE id = \(id)
            """)
    }

    /// Ends what `run` did. False: the row is another's now, or gone.
    @discardableResult
    package func settle(
        _ id: VolumeGroupID, _ status: VolumeGroupStatus, heldBy run: SagaRunID, at now: Timestamp,
        _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE volume_groups SET status = \(status.rawValue), saga_run = NULL, updated_at = \(now)
             WHERE id = \(id) AND saga_run = \(run)
            """) == 1
    }

    package func delete(_ id: VolumeGroupID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_groups WHERE id = \(id)")
    }
}
