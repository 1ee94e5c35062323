// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// SQL of `volume_backups`.
package struct VolumeBackupStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, project_id, user_id, name, description, volume_id, snapshot_id, parent_id, size_gib, object_count,
        container, zone, host, service, status, saga_run, fail_reason, restore_volume_id, key_id, metadata, volume_facts,
        data_timestamp, created_at, updated_at, data_id
        """

    private static let page = PagedSelect(
        "volume_backups", columns: columns,
        keys: [
            "id": .init("id"), "name": .init("COALESCE(name, '')"), "display_name": .init("COALESCE(name, '')"),
            "status": .init("status"), "volume_id": .init("volume_id"), "size": .init("size_gib", isNumeric: true),
            "container": .init("COALESCE(container, '')"), "availability_zone": .init("zone"),
            "data_timestamp": .init("data_timestamp", isNumeric: true),
            "created_at": .init("created_at", isNumeric: true),
            "updated_at": .init("COALESCE(updated_at, 0)", isNumeric: true),
        ],
        filters: [
            "id": "id", "name": "name", "status": "status", "volume_id": "volume_id", "description": "description",
            "snapshot_id": "snapshot_id", "parent_id": "parent_id", "project_id": "project_id", "user_id": "user_id",
            "availability_zone": "zone", "host": "host", "container": "container", "service": "service",
        ],
        notFound: { .notFound("Backup \($0.prefix(64)) could not be found.", kind: "BackupNotFound") })

    private static func backup(_ row: any Row) throws -> VolumeBackup {
        var backup = VolumeBackup(
            id: row.id(0), projectID: row.id(1), userID: row.id(2), volumeID: row.id(5), sizeGiB: row.int(8),
            zone: row.text(11), host: row.text(12), service: row.text(13), createdAt: row.timestamp(22))
        backup.name = row.textOrNil(3)
        backup.description = row.textOrNil(4)
        backup.snapshotID = row.idOrNil(6)
        backup.parentID = row.idOrNil(7)
        backup.objectCount = row.int(9)
        backup.container = row.textOrNil(10)
        backup.status = try row.word(14)
        backup.sagaRun = row.idOrNil(15)
        backup.failReason = row.textOrNil(16)
        backup.restoreVolumeID = row.idOrNil(17)
        backup.keyID = row.idOrNil(18)
        backup.metadata = TextMap.map(row.text(19))
        backup.volumeFacts = try JSONValueDecoder.decode(VolumeBackup.VolumeFacts.self, from: row.text(20))
        backup.dataTimestamp = row.timestamp(21)
        backup.updatedAt = row.timestampOrNil(23)
        backup.dataID = row.idOrNil(24)
        return backup
    }

    // MARK: Read

    package func backup(_ id: VolumeBackupID, _ transaction: any Transaction) throws -> VolumeBackup? {
        try transaction.first("SELECT \(Self.columns) FROM volume_backups WHERE id = \(id)", Self.backup)
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage, _ transaction: any Transaction) throws
        -> [VolumeBackup]
    {
        try Self.page.list(filter, page, transaction, Self.backup)
    }

    package func count(_ filter: ResourceFilter, _ transaction: any Transaction) throws -> Int {
        try Self.page.count(filter, transaction)
    }

    /// Of `ids`, those that incremental backups are made on.
    package func parents(among ids: [VolumeBackupID], _ transaction: any Transaction) throws -> Set<VolumeBackupID> {
        Set(
            try transaction.query(
                "SELECT DISTINCT parent_id FROM volume_backups WHERE parent_id IN \(list: ids)"
            ) { $0.id(0) })
    }

    package func ofVolume(_ id: VolumeID, in project: ProjectID, _ transaction: any Transaction) throws
        -> [VolumeBackup]
    {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM volume_backups WHERE volume_id = \(id) AND project_id = \(project)
             ORDER BY data_timestamp, id
            """, Self.backup)
    }

    package func usage(of project: ProjectID, _ transaction: any Transaction) throws -> (count: Int, gigabytes: Int) {
        try transaction.first(
            "SELECT COUNT(*), COALESCE(SUM(size_gib), 0) FROM volume_backups WHERE project_id = \(project)"
        ) { ($0.int(0), $0.int(1)) } ?? (0, 0)
    }

    /// The backups whose bytes the store keeps by that name.
    package func holders(ofData id: VolumeBackupID, _ transaction: any Transaction) throws -> [VolumeBackup] {
        try transaction.query(
            "SELECT \(Self.columns) FROM volume_backups WHERE data_id = \(id) ORDER BY created_at, id", Self.backup)
    }

    package func transitional(before time: Timestamp, _ transaction: any Transaction) throws -> [VolumeBackup] {
        try transaction.readable(
            """
            SELECT \(Self.columns) FROM volume_backups
             WHERE status IN ('creating', 'deleting', 'restoring') AND COALESCE(updated_at, created_at) < \(time)
            """, Self.backup)
    }

    // MARK: Write

    package func insert(_ backup: VolumeBackup, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_backups (\(Self.columns)) VALUES (
                \(backup.id), \(backup.projectID), \(backup.userID), \(backup.name), \(backup.description),
                \(backup.volumeID), \(backup.snapshotID), \(backup.parentID), \(backup.sizeGiB), \(backup.objectCount),
                \(backup.container), \(backup.zone), \(backup.host), \(backup.service), \(backup.status.rawValue),
                \(backup.sagaRun), \(backup.failReason), \(backup.restoreVolumeID), \(backup.keyID),
                \(TextMap.text(backup.metadata)), \(try JSONValueEncoder.text(backup.volumeFacts)),
                \(backup.dataTimestamp), \(backup.createdAt), \(backup.updatedAt), \(backup.dataID)
            )
            """)
    }

    /// Everything but ids, owner and status.
    package func update(_ backup: VolumeBackup, at now: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE volume_backups
               SET name = \(backup.name), description = \(backup.description), parent_id = \(backup.parentID),
                   size_gib = \(backup.sizeGiB), object_count = \(backup.objectCount), container = \(backup.container),
                   fail_reason = \(backup.failReason), restore_volume_id = \(backup.restoreVolumeID),
                   metadata = \(TextMap.text(backup.metadata)), updated_at = \(now)
             WHERE id = \(backup.id)
            """)
    }

    package func setStatus(
        _ id: VolumeBackupID, _ status: VolumeBackupStatus, run: SagaRunID?, at now: Timestamp,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE volume_backups SET status = \(status.rawValue), saga_run = \(run), updated_at = \(now)
             WHERE id = \(id)
            """)
    }

    /// Ends what `run` did. Returns the row as it was; nil: it is another's now, or gone.
    @discardableResult
    package func settle(
        _ id: VolumeBackupID, _ status: VolumeBackupStatus, failReason: String?, heldBy run: SagaRunID,
        at now: Timestamp, _ transaction: any Transaction
    ) throws -> VolumeBackup? {
        guard let backup = try backup(id, transaction) else { return nil }
        let changed = try transaction.execute(
            """
            UPDATE volume_backups
               SET status = \(status.rawValue), saga_run = NULL, fail_reason = \(failReason), updated_at = \(now)
             WHERE id = \(id) AND saga_run = \(run)
            """)
        return changed == 1 ? backup : nil
    }

    /// The bytes are another backup's alone from now on.
    package func letGoOfData(_ id: VolumeBackupID, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE volume_backups SET data_id = NULL WHERE id = \(id)")
    }

    package func delete(_ id: VolumeBackupID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_backups WHERE id = \(id)")
    }
}
