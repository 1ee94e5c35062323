// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// SQL of `volumes`. A change of state names the state and the run that it was decided on, so that the loser of a race
/// changes nothing.
package struct VolumeStore: Sendable {
    package init() {}

    static let columns: SQL =
        """
        id, project_id, user_id, name, description, size_gib, pending_size_gib, status, previous_status, saga_run,
        type_id, zone, host, location, is_bootable, is_read_only, is_multiattach, key_id, snapshot_id,
        source_volume_id, image_id, group_id, group_snapshot_id, migration, metadata, image_metadata, created_at,
        updated_at, launched_at, is_doomed
        """

    static func volume(_ row: any Row) throws -> Volume {
        var volume = Volume(
            id: row.id(0), projectID: row.id(1), userID: row.id(2), sizeGiB: row.int(5), typeID: row.id(10),
            zone: row.text(11), createdAt: row.timestamp(26),
            // A status that an older or newer program wrote needs an administrator's eye.
            state: VolumeState(try row.word(7), previous: try row.wordOrNil(8)))
        volume.name = row.textOrNil(3)
        volume.description = row.textOrNil(4)
        volume.pendingSizeGiB = row.intOrNil(6)
        volume.sagaRun = row.idOrNil(9)
        volume.host = row.textOrNil(12)
        volume.location = row.text(13)
        volume.isBootable = row.bool(14)
        volume.readOnly = row.int64OrNil(15).map { $0 != 0 }
        volume.isMultiattach = row.bool(16)
        volume.keyID = row.idOrNil(17)
        volume.snapshotID = row.idOrNil(18)
        volume.sourceVolumeID = row.idOrNil(19)
        volume.imageID = row.textOrNil(20)
        volume.groupID = row.idOrNil(21)
        volume.groupSnapshotID = row.idOrNil(22)
        volume.migration = row.textOrNil(23)
        volume.metadata = TextMap.map(row.text(24))
        volume.imageMetadata = TextMap.map(row.text(25))
        volume.updatedAt = row.timestampOrNil(27)
        volume.launchedAt = row.timestampOrNil(28)
        volume.isDoomed = row.bool(29)
        return volume
    }

    // MARK: Read

    package func volume(_ id: VolumeID, _ transaction: any Transaction) throws -> Volume? {
        try transaction.first("SELECT \(Self.columns) FROM volumes WHERE id = \(id)", Self.volume)
    }

    package func volumes(_ ids: [VolumeID], _ transaction: any Transaction) throws -> [Volume] {
        try transaction.query(
            "SELECT \(Self.columns) FROM volumes WHERE id IN \(list: ids) ORDER BY created_at, id", Self.volume)
    }

    /// On one backend or pool (`host@backend`, `host@backend#pool`); for sweeps, which keep what is here.
    package func volumes(onBackend address: String, _ transaction: any Transaction) throws -> [Volume] {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM volumes
             WHERE host = \(address) OR host >= \(address + "#") AND host < \(address + "$") ORDER BY created_at, id
            """, Self.volume)
    }

    /// On their way to a backend, which has bytes of theirs that no row names.
    package func volumes(movingTo address: String, _ transaction: any Transaction) throws -> [Volume] {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM volumes
             WHERE migration_target >= \(address + "#") AND migration_target < \(address + "$") ORDER BY created_at, id
            """, Self.volume)
    }

    package func volumes(inGroup group: VolumeGroupID, _ transaction: any Transaction) throws -> [Volume] {
        try transaction.query(
            "SELECT \(Self.columns) FROM volumes WHERE group_id = \(group) ORDER BY created_at, id", Self.volume)
    }

    /// Ids by group, oldest first.
    package func ids(
        inGroups groups: [VolumeGroupID], _ transaction: any Transaction
    ) throws -> [VolumeGroupID: [VolumeID]] {
        let rows = try transaction.query(
            "SELECT group_id, id FROM volumes WHERE group_id IN \(list: groups) ORDER BY created_at, id"
        ) { row -> (group: VolumeGroupID, volume: VolumeID) in (row.id(0), row.id(1)) }
        return Dictionary(grouping: rows, by: \.group).mapValues { $0.map(\.volume) }
    }

    /// In a status that a run must hold, and unchanged since `limit`.
    package func unattended(since limit: Timestamp, _ transaction: any Transaction) throws -> [Volume] {
        let statuses = VolumeStatus.allCases.filter(\.needsRun).map(\.rawValue)
        return try transaction.readable(
            """
            SELECT \(Self.columns) FROM volumes
             WHERE status IN \(list: statuses) AND COALESCE(updated_at, created_at) < \(limit) ORDER BY id
            """, Self.volume)
    }

    /// Whether some volume is being made of the snapshot.
    package func isSource(_ snapshot: VolumeSnapshotID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists(
            "SELECT 1 FROM volumes WHERE snapshot_id = \(snapshot) AND status = 'creating' LIMIT 1")
    }

    package func isSource(_ volume: VolumeID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists(
            "SELECT 1 FROM volumes WHERE source_volume_id = \(volume) AND status = 'creating' LIMIT 1")
    }

    /// In the middle of being attached or detached since before `limit`, by no run.
    package func reserved(since limit: Timestamp, _ transaction: any Transaction) throws -> [VolumeID] {
        try transaction.query(
            """
            SELECT id FROM volumes
             WHERE status IN ('attaching', 'detaching') AND saga_run IS NULL AND updated_at < \(limit)
             ORDER BY id
            """
        ) { $0.id(0) }
    }

    /// To be deleted as soon as nothing is attached.
    package func doomed(_ transaction: any Transaction) throws -> [Volume] {
        try transaction.query(
            "SELECT \(Self.columns) FROM volumes WHERE is_doomed = 1 AND status <> 'deleting' ORDER BY id",
            Self.volume)
    }

    package struct Usage: Sendable, Equatable {
        package var volumes: Int
        package var gigabytes: Int
    }

    /// A volume that grows has its new size already.
    private static let promisedGiB: SQL =
        "CASE WHEN COALESCE(pending_size_gib, 0) > size_gib THEN pending_size_gib ELSE size_gib END"

    /// What a project has; of one type only when given.
    package func usage(
        of project: ProjectID, type: VolumeTypeID? = nil, _ transaction: any Transaction
    ) throws -> Usage {
        var sql: SQL =
            """
            SELECT COUNT(*), COALESCE(SUM(\(Self.promisedGiB)), 0) FROM volumes WHERE project_id = \(project)
            """
        if let type { sql += "AND type_id = \(type)" }
        return try transaction.first(sql) { Usage(volumes: $0.int(0), gigabytes: $0.int(1)) }
            ?? Usage(volumes: 0, gigabytes: 0)
    }

    /// What is promised to volumes of each pool, by the pool's name. An index alone answers it.
    package func usageByPool(_ transaction: any Transaction) throws -> [String: Usage] {
        let rows = try transaction.query(
            """
            SELECT host, COUNT(*), SUM(\(Self.promisedGiB)) FROM volumes WHERE host IS NOT NULL GROUP BY host
            """
        ) { ($0.text(0), Usage(volumes: $0.int(1), gigabytes: $0.int(2))) }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    // MARK: Write

    package func insert(_ volume: Volume, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volumes (\(Self.columns)) VALUES (
                \(volume.id), \(volume.projectID), \(volume.userID), \(volume.name), \(volume.description),
                \(volume.sizeGiB), \(volume.pendingSizeGiB), \(volume.status.rawValue),
                \(volume.state.previous?.rawValue), \(volume.sagaRun), \(volume.typeID), \(volume.zone), \(volume.host),
                \(volume.location), \(volume.isBootable), \(volume.readOnly), \(volume.isMultiattach),
                \(volume.keyID), \(volume.snapshotID), \(volume.sourceVolumeID), \(volume.imageID), \(volume.groupID),
                \(volume.groupSnapshotID), \(volume.migration), \(TextMap.text(volume.metadata)),
                \(TextMap.text(volume.imageMetadata)), \(volume.createdAt), \(volume.updatedAt), \(volume.launchedAt),
                \(volume.isDoomed))
            """)
    }

    /// False: meanwhile another changed the state, or another run holds it.
    package func move(
        _ volume: Volume, to state: VolumeState, run: SagaRunID?, at time: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        let changed = try transaction.execute(
            """
            UPDATE volumes
               SET status = \(state.status.rawValue), previous_status = \(state.previous?.rawValue),
                   saga_run = \(run), updated_at = \(time)
             WHERE id = \(volume.id) AND status = \(volume.status.rawValue)
               AND COALESCE(saga_run, '') = \(volume.sagaRun?.rawValue ?? "")
            """)
        assert(changed <= 1, "volumes.id is not unique")
        return changed == 1
    }

    /// Ends what `run` did. Returns the row as it was; nil: it is another's now, or gone, or `event` is illegal there.
    @discardableResult
    package func settle(
        _ id: VolumeID, on event: VolumeEvent, heldBy run: SagaRunID, at time: Timestamp,
        _ transaction: any Transaction
    ) throws -> Volume? {
        guard let volume = try volume(id, transaction), volume.sagaRun == run,
            let state = volume.state.after(event), try move(volume, to: state, run: nil, at: time, transaction)
        else { return nil }
        return volume
    }

    /// Writes every column but those of the state, the owner and the life. The caller has read the row in the same
    /// transaction.
    package func update(_ volume: Volume, at time: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE volumes
               SET name = \(volume.name), description = \(volume.description), size_gib = \(volume.sizeGiB),
                   pending_size_gib = \(volume.pendingSizeGiB), type_id = \(volume.typeID), zone = \(volume.zone),
                   host = \(volume.host), location = \(volume.location), is_bootable = \(volume.isBootable),
                   is_read_only = \(volume.readOnly), is_multiattach = \(volume.isMultiattach),
                   key_id = \(volume.keyID), snapshot_id = \(volume.snapshotID),
                   source_volume_id = \(volume.sourceVolumeID), image_id = \(volume.imageID),
                   group_id = \(volume.groupID), group_snapshot_id = \(volume.groupSnapshotID),
                   migration = \(volume.migration), metadata = \(TextMap.text(volume.metadata)),
                   image_metadata = \(TextMap.text(volume.imageMetadata)), updated_at = \(time),
                   launched_at = \(volume.launchedAt), is_doomed = \(volume.isDoomed)
             WHERE id = \(volume.id)
            """)
    }

    /// `target` is `host@backend#pool`; nil: it goes nowhere.
    package func setMigrationTarget(_ id: VolumeID, _ target: String?, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE volumes SET migration_target = \(target) WHERE id = \(id)")
    }

    /// To another project, with its snapshots where they go along.
    package func setOwner(
        _ id: VolumeID, project: ProjectID, user: UserID, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            "UPDATE volumes SET project_id = \(project), user_id = \(user), updated_at = \(time) WHERE id = \(id)")
    }

    /// The end. False: it was gone.
    @discardableResult
    package func delete(_ id: VolumeID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute("UPDATE volumes SET source_volume_id = NULL WHERE source_volume_id = \(id)")
        return try transaction.execute("DELETE FROM volumes WHERE id = \(id)") > 0
    }
}
