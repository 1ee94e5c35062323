// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// SQL of `volume_snapshots`.
package struct VolumeSnapshotStore: Sendable {
    package init() {}

    static let columns: SQL =
        """
        id, volume_id, project_id, user_id, name, description, size_gib, status, saga_run, type_id, location, progress,
        key_id, group_snapshot_id, metadata, created_at, updated_at
        """

    static func snapshot(_ row: any Row) throws -> VolumeSnapshot {
        VolumeSnapshot(
            id: row.id(0), volumeID: row.id(1), projectID: row.id(2), userID: row.id(3), name: row.textOrNil(4),
            description: row.textOrNil(5), sizeGiB: row.int(6),
            status: try row.word(7), sagaRun: row.idOrNil(8), typeID: row.id(9),
            location: row.text(10), progress: row.int(11), keyID: row.idOrNil(12), groupSnapshotID: row.idOrNil(13),
            metadata: TextMap.map(row.text(14)), createdAt: row.timestamp(15), updatedAt: row.timestampOrNil(16))
    }

    // MARK: Read

    package func snapshot(_ id: VolumeSnapshotID, _ transaction: any Transaction) throws -> VolumeSnapshot? {
        try transaction.first("SELECT \(Self.columns) FROM volume_snapshots WHERE id = \(id)", Self.snapshot)
    }

    /// Oldest first.
    package func snapshots(of volume: VolumeID, _ transaction: any Transaction) throws -> [VolumeSnapshot] {
        try transaction.query(
            "SELECT \(Self.columns) FROM volume_snapshots WHERE volume_id = \(volume) ORDER BY created_at, id",
            Self.snapshot)
    }

    package func snapshots(
        ofGroupSnapshot group: GroupSnapshotID, _ transaction: any Transaction
    ) throws -> [VolumeSnapshot] {
        try transaction.query(
            "SELECT \(Self.columns) FROM volume_snapshots WHERE group_snapshot_id = \(group) ORDER BY created_at, id",
            Self.snapshot)
    }

    package func snapshots(onBackend address: String, _ transaction: any Transaction) throws -> [VolumeSnapshot] {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM volume_snapshots
             WHERE volume_id IN (SELECT id FROM volumes WHERE host = \(address)
                                  OR host >= \(address + "#") AND host < \(address + "$"))
             ORDER BY created_at, id
            """, Self.snapshot)
    }

    package func count(of volume: VolumeID, _ transaction: any Transaction) throws -> Int {
        try transaction.count("SELECT COUNT(*) FROM volume_snapshots WHERE volume_id = \(volume)")
    }

    package func unattended(since limit: Timestamp, _ transaction: any Transaction) throws -> [VolumeSnapshot] {
        let statuses = VolumeSnapshotStatus.allCases.filter(\.needsRun).map(\.rawValue)
        return try transaction.readable(
            """
            SELECT \(Self.columns) FROM volume_snapshots
             WHERE status IN \(list: statuses) AND COALESCE(updated_at, created_at) < \(limit) ORDER BY id
            """, Self.snapshot)
    }

    package func usage(
        of project: ProjectID, type: VolumeTypeID? = nil, _ transaction: any Transaction
    ) throws -> (snapshots: Int, gigabytes: Int) {
        var sql: SQL =
            "SELECT COUNT(*), COALESCE(SUM(size_gib), 0) FROM volume_snapshots WHERE project_id = \(project)"
        if let type { sql += "AND type_id = \(type)" }
        return try transaction.first(sql) { ($0.int(0), $0.int(1)) } ?? (0, 0)
    }

    // MARK: Write

    package func insert(_ snapshot: VolumeSnapshot, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_snapshots (\(Self.columns)) VALUES (
                \(snapshot.id), \(snapshot.volumeID), \(snapshot.projectID), \(snapshot.userID), \(snapshot.name),
                \(snapshot.description), \(snapshot.sizeGiB), \(snapshot.status.rawValue), \(snapshot.sagaRun),
                \(snapshot.typeID), \(snapshot.location), \(snapshot.progress), \(snapshot.keyID),
                \(snapshot.groupSnapshotID), \(TextMap.text(snapshot.metadata)), \(snapshot.createdAt),
                \(snapshot.updatedAt))
            """)
    }

    /// False: meanwhile another changed the status, or another run holds it.
    package func move(
        _ snapshot: VolumeSnapshot, to status: VolumeSnapshotStatus, run: SagaRunID?, at time: Timestamp,
        _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE volume_snapshots SET status = \(status.rawValue), saga_run = \(run), updated_at = \(time)
             WHERE id = \(snapshot.id) AND status = \(snapshot.status.rawValue)
               AND COALESCE(saga_run, '') = \(snapshot.sagaRun?.rawValue ?? "")
            """) == 1
    }

    /// Ends what `run` did. Returns the row as it was; nil: it is another's now, or gone, or `event` is illegal there.
    @discardableResult
    package func settle(
        _ id: VolumeSnapshotID, on event: VolumeSnapshotEvent, heldBy run: SagaRunID, at time: Timestamp,
        _ transaction: any Transaction
    ) throws -> VolumeSnapshot? {
        guard let snapshot = try snapshot(id, transaction), snapshot.sagaRun == run,
            let status = snapshot.status.after(event), try move(snapshot, to: status, run: nil, at: time, transaction)
        else { return nil }
        return snapshot
    }

    /// Writes what the user and the run may change besides the status.
    package func update(_ snapshot: VolumeSnapshot, at time: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE volume_snapshots
               SET name = \(snapshot.name), description = \(snapshot.description), location = \(snapshot.location),
                   progress = \(snapshot.progress), type_id = \(snapshot.typeID),
                   group_snapshot_id = \(snapshot.groupSnapshotID), metadata = \(TextMap.text(snapshot.metadata)),
                   updated_at = \(time)
             WHERE id = \(snapshot.id)
            """)
    }

    package func setType(of volume: VolumeID, _ type: VolumeTypeID, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE volume_snapshots SET type_id = \(type) WHERE volume_id = \(volume)")
    }

    package func setOwner(
        of volume: VolumeID, project: ProjectID, user: UserID, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE volume_snapshots SET project_id = \(project), user_id = \(user), updated_at = \(time)
             WHERE volume_id = \(volume)
            """)
    }

    @discardableResult
    package func delete(_ id: VolumeSnapshotID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM volume_snapshots WHERE id = \(id)") > 0
    }
}
