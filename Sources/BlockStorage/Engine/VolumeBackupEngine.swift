// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import SecurityKit
import TaskKit

/// What users do with backups.
package struct VolumeBackupEngine: Sendable {
    let parts: BlockStorageParts
    let sagas: SagaRunner
    let volumes: VolumeEngine

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
        volumes = VolumeEngine(parts, sagas: sagas)
    }

    static func notFound(_ id: VolumeBackupID) -> CloudError {
        .notFound("Backup \(id.rawValue.prefix(255)) could not be found.", kind: "BackupNotFound")
    }

    static func invalid(_ reason: String) -> CloudError {
        .badRequest("Invalid backup: \(reason)", kind: "InvalidBackup")
    }

    // MARK: Load

    static func load(
        _ id: VolumeBackupID, _ context: CallContext, _ policy: PolicyName?, _ stores: BlockStorageStores,
        _ transaction: any Transaction
    ) throws -> VolumeBackup {
        guard let backup = try stores.backups.backup(id, transaction),
            context.sees(backup.projectID)
        else { throw notFound(id) }
        try context.authorize(PolicyTarget(project: backup.projectID, user: backup.userID), as: policy)
        return backup
    }

    /// Backups with what a view shows beside the rows.
    package struct Page: Sendable {
        package var backups: [VolumeBackup]
        /// Those that incremental backups are made on.
        package var parents: Set<VolumeBackupID>
        package var count: Int?
    }

    package func backup(_ id: VolumeBackupID, for context: CallContext) async throws -> Page {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            let backup = try Self.load(id, context, nil, stores, transaction)
            return Page(backups: [backup], parents: try stores.backups.parents(among: [id], transaction))
        }
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage, isCounted: Bool) async throws -> Page {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            let backups = try stores.backups.list(filter, page, transaction)
            return Page(
                backups: backups, parents: try stores.backups.parents(among: backups.map(\.id), transaction),
                count: isCounted ? try stores.backups.count(filter, transaction) : nil)
        }
    }

    // MARK: Create

    package struct Draft: Sendable {
        package var volume: VolumeID
        package var snapshot: VolumeSnapshotID?
        package var name: String?
        package var description: String?
        package var container: String?
        package var isIncremental = false
        package var isForced = false
        package var zone: String?
        package var metadata: [String: String] = [:]
        package init(volume: VolumeID) { self.volume = volume }
    }

    /// Accepts a backup: its row and its run are there when this returns.
    package func create(_ draft: Draft, for context: CallContext) async throws -> VolumeBackup {
        let engine = self
        let ids = NewIDs(parts.ids)
        return try await parts.database.write { try engine.create(draft, ids, context, $0) }
    }

    private struct NewIDs: Sendable {
        let backup: VolumeBackupID
        let run: SagaRunID
        let snapshot: VolumeSnapshotID
        let snapshotRun: SagaRunID
        init(_ ids: IDSource) {
            backup = ids.next()
            run = ids.next()
            snapshot = ids.next()
            snapshotRun = ids.next()
        }
    }

    private func create(
        _ draft: Draft, _ ids: NewIDs, _ context: CallContext, _ transaction: any Transaction
    ) throws -> VolumeBackup {
        let (stores, now) = (parts.stores, parts.clock.now())
        let volume = try VolumeEngine.load(draft.volume, context, nil, stores, transaction)
        let snapshot = try source(draft, volume, context, transaction)
        let project = try context.requireProject()
        try BlockStorageQuotas(parts).checkBackup(volume.sizeGiB, of: project, transaction)
        let parent = draft.isIncremental ? try parent(of: volume, snapshot, project, transaction) : nil
        guard let backend = volume.backend, let host = backend.split(separator: "@").first else {
            throw VolumeErrors.invalidVolume("Volume \(volume.id) has no backend.")
        }
        var backup = VolumeBackup(
            id: ids.backup, projectID: project, userID: context.principal.userID, volumeID: volume.id,
            sizeGiB: volume.sizeGiB, zone: draft.zone ?? volume.zone, host: String(host),
            service: parts.backupStore.service, createdAt: now)
        backup.name = draft.name
        backup.description = draft.description
        backup.container = draft.container
        backup.metadata = draft.metadata
        backup.snapshotID = snapshot?.id
        backup.parentID = parent?.id
        backup.keyID = snapshot?.keyID ?? volume.keyID
        backup.sagaRun = ids.run
        backup.dataTimestamp = snapshot?.createdAt ?? now
        backup.volumeFacts.isBootable = volume.isBootable
        backup.volumeFacts.imageMetadata = volume.imageMetadata
        backup.volumeFacts.typeID = volume.typeID
        backup.volumeFacts.name = volume.name
        backup.volumeFacts.description = volume.description
        backup.volumeFacts.metadata = volume.metadata
        var ledger = CreateBackupSaga.Ledger(
            backup: backup.id, volume: volume.id, snapshot: snapshot?.id, isTemporary: false,
            requestID: context.requestID)
        if let snapshot {
            guard let status = snapshot.status.after(.backupRequested),
                try stores.snapshots.move(snapshot, to: status, run: ids.run, at: now, transaction)
            else { throw VolumeErrors.invalidSnapshot("Snapshot \(snapshot.id) is busy.") }
        } else {
            guard let state = volume.state.after(.workRequested(.backUp)),
                try stores.volumes.move(volume, to: state, run: ids.run, at: now, transaction)
            else { throw VolumeErrors.invalidVolume("Volume \(volume.id) is busy.") }
            if volume.status == .inUse {
                try freeze(volume, backup, ids, context, transaction)
                ledger.snapshot = ids.snapshot
                ledger.isTemporary = true
            }
        }
        try stores.backups.insert(backup, transaction)
        try sagas.start(CreateBackupSaga.self, id: ids.run, ledger: ledger, in: transaction)
        return backup
    }

    /// A guest writes on while its volume is copied, so what is copied is a snapshot.
    private func freeze(
        _ volume: Volume, _ backup: VolumeBackup, _ ids: NewIDs, _ context: CallContext,
        _ transaction: any Transaction
    ) throws {
        try TemporarySnapshot.begin(
            .init(
                id: ids.snapshot, run: ids.snapshotRun, name: "backup-\(backup.id)",
                description: "Made for a backup, and removed after it.", user: context.principal.userID,
                requestID: context.requestID), of: volume, parts, sagas, transaction)
    }

    private func source(
        _ draft: Draft, _ volume: Volume, _ context: CallContext, _ transaction: any Transaction
    ) throws -> VolumeSnapshot? {
        if let id = draft.snapshot {
            guard let snapshot = try parts.stores.snapshots.snapshot(id, transaction),
                context.sees(snapshot.projectID)
            else { throw VolumeErrors.notFound(id) }
            guard snapshot.volumeID == volume.id else {
                throw VolumeErrors.invalidVolume(
                    "Volume \(volume.id) does not match with snapshot.volume_id \(snapshot.volumeID).")
            }
            guard snapshot.status == .available else {
                throw VolumeErrors.invalidSnapshot(
                    "Snapshot to be backed up must be available, but the current status is "
                        + "\"\(snapshot.status.rawValue)\".")
            }
            return snapshot
        }
        guard volume.status == .available || volume.status == .inUse else {
            throw VolumeErrors.invalidVolume(
                "Volume to be backed up must be available or in-use, but the current status is "
                    + "\"\(volume.status.rawValue)\".")
        }
        guard volume.status == .available || draft.isForced else {
            throw VolumeErrors.invalidVolume("Backing up an in-use volume must use the force flag.")
        }
        return nil
    }

    /// The latest backup of the bytes before those that are to be kept (cinder: backup/api.py, `create`).
    private func parent(
        of volume: Volume, _ snapshot: VolumeSnapshot?, _ project: ProjectID, _ transaction: any Transaction
    ) throws -> VolumeBackup {
        let candidates = try parts.stores.backups.ofVolume(volume.id, in: project, transaction).filter { backup in
            backup.status == .available && backup.service == parts.backupStore.service
                && (snapshot.map { backup.dataTimestamp < $0.createdAt } ?? true)
                // Chunks hidden with one key are none of another's.
                && (backup.keyID == nil) == (volume.keyID == nil)
        }
        guard let latest = candidates.last else {
            throw Self.invalid("No backups available to do an incremental backup.")
        }
        return latest
    }

    // MARK: Change

    package struct Change: Sendable {
        package var name: String??
        package var description: String??
        package var metadata: [String: String]?
        package init() {}
    }

    package func update(_ id: VolumeBackupID, _ change: Change, for context: CallContext) async throws -> VolumeBackup {
        let (stores, now) = (parts.stores, parts.clock.now())
        return try await parts.database.write { transaction in
            var backup = try Self.load(id, context, nil, stores, transaction)
            if let name = change.name { backup.name = name }
            if let description = change.description { backup.description = description }
            if let metadata = change.metadata { backup.metadata = metadata }
            try stores.backups.update(backup, at: now, transaction)
            return backup
        }
    }

    package func resetStatus(
        _ id: VolumeBackupID, _ status: VolumeBackupStatus, for context: CallContext, as policy: PolicyName
    ) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            let backup = try Self.load(id, context, policy, stores, transaction)
            try stores.backups.setStatus(backup.id, status, run: nil, at: now, transaction)
        }
    }

    package func delete(
        _ id: VolumeBackupID, isForced: Bool, for context: CallContext, as policy: PolicyName? = nil
    ) async throws {
        let (stores, sagas, now, request) = (parts.stores, sagas, parts.clock.now(), context.requestID)
        let run: SagaRunID = parts.ids.next()
        try await parts.database.write { transaction in
            let backup = try Self.load(id, context, policy, stores, transaction)
            let isDeletable: Set<VolumeBackupStatus> = [.available, .error, .errorDeleting]
            guard isForced || isDeletable.contains(backup.status) else {
                throw Self.invalid("Backup status must be available or error")
            }
            guard try stores.backups.parents(among: [id], transaction).isEmpty else {
                throw Self.invalid("Incremental backups exist for this backup.")
            }
            try stores.backups.setStatus(id, .deleting, run: run, at: now, transaction)
            try sagas.start(
                DeleteBackupSaga.self, id: run, ledger: .init(backup: id, requestID: request), in: transaction)
        }
    }
}
