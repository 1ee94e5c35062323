// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// Copies a volume's bytes into the backup store. Those of a volume that a guest uses come from a snapshot that is made
/// for this and goes afterwards.
package enum CreateBackupSaga: Saga {
    package static let name: StaticString = "volume-backup.create"
    package static let deadline = Duration.seconds(24 * 3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        CreateSnapshotSaga.waits(parts) + parts.config.lockWait + parts.config.copyTimeout * 2
    }

    package struct Ledger: Codable, Sendable {
        package var backup: VolumeBackupID
        package var volume: VolumeID
        /// What is copied; nil: the volume itself.
        package var snapshot: VolumeSnapshotID?
        /// The snapshot was made for this, by a run of its own that began with this one.
        package var isTemporary: Bool
        package var requestID: String
        package var content: BackupContent?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("source", run: hold, undo: letGo),
        SagaStep("export", run: export, undo: discard),
        SagaStep("keep", run: keep, undo: remove),
        SagaStep("clean", run: clean),
        SagaStep("finish", run: finish),
    ]

    private static func path(_ ledger: Ledger, _ parts: BlockStorageParts) -> String {
        ScratchFiles.path("backup-\(ledger.backup)", parts.config)
    }

    // MARK: Source

    private static func hold(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let id = ledger.snapshot else { return try await parts.lock(ledger.volume) }
        if ledger.isTemporary { try await TemporarySnapshot(id: id, parts: parts).hold() }
    }

    private static func letGo(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await temporary(ledger, parts)?.drop()
        try await parts.unlock(ledger.volume)
    }

    private static func temporary(_ ledger: Ledger, _ parts: BlockStorageParts) -> TemporarySnapshot? {
        ledger.isTemporary ? ledger.snapshot.map { TemporarySnapshot(id: $0, parts: parts) } : nil
    }

    // MARK: Copy

    private static func export(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        // Before all is copied for nothing.
        try await parts.backupStore.check()
        let (content, host) = try await parts.content(of: ledger.volume, frozenAs: ledger.snapshot)
        try await ScratchFiles.prepare(parts.config)
        try await parts.call(
            host, .export(content, path: path(ledger, parts), format: .raw), timeout: parts.config.copyTimeout)
    }

    private static func discard(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await ScratchFiles.remove(path(ledger, parts))
    }

    private static func keep(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (backup, stores) = (try await parts.heldBackup(ledger.backup), parts.stores)
        let parent = try await parts.database.read { transaction in
            try backup.parentID.flatMap { try stores.backups.backup($0, transaction)?.dataID ?? $0 }
        }
        ledger.content = try await parts.backupStore.keep(
            backup.id, from: path(ledger, parts), parent: parent, cipher: try await parts.cipher(backup))
    }

    private static func remove(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id) = (parts.stores, ledger.backup)
        // It was finished before the turn back.
        let isDone = try await parts.database.read { try stores.backups.backup(id, $0)?.status == .available }
        guard !isDone else { return }
        do {
            try await parts.backupStore.remove(id)
        } catch let error as CloudError where error.code == .unavailable && ledger.content == nil {
            // The store went away meanwhile: what it has is a fragment, which is swept.
            parts.log.warning("fragment of a backup not removed", ["backup": id, "error": error])
        }
    }

    private static func clean(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await ScratchFiles.remove(path(ledger, parts))
        try await temporary(ledger, parts)?.clean()
    }

    // MARK: Finish

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, now, done) = (parts.stores, SagaRun.id, parts.clock.now(), ledger)
        let isWanted = try await parts.database.write { transaction in
            try release(done, .finished, run, now, parts, transaction)
            guard var backup = try stores.backups.backup(done.backup, transaction) else { return false }
            guard backup.sagaRun == run else { return true }
            backup.objectCount = done.content?.objectCount ?? 0
            try stores.backups.update(backup, at: now, transaction)
            try stores.backups.settle(
                backup.id, .available, failReason: nil, heldBy: run, at: now, transaction)
            return true
        }
        // Deleted by force meanwhile.
        if !isWanted { try await parts.backupStore.remove(done.backup) }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, now) = (parts.stores, SagaRun.id, parts.clock.now())
        try await parts.database.write { transaction in
            try release(ledger, .failed, run, now, parts, transaction)
            guard
                let backup = try stores.backups.settle(
                    ledger.backup, .error, failReason: error.message, heldBy: run, at: now, transaction)
            else { return }
            try parts.note(
                .backup, backup.id.rawValue, of: backup.projectID, .createBackup, .backupFailed,
                request: ledger.requestID, transaction)
        }
    }

    private enum End { case finished, failed }

    /// The source is as it was before.
    private static func release(
        _ ledger: Ledger, _ end: End, _ run: SagaRunID, _ now: Timestamp, _ parts: BlockStorageParts,
        _ transaction: any Transaction
    ) throws {
        let stores = parts.stores
        try stores.locks.releaseAll(of: run.rawValue, transaction)
        if let id = ledger.snapshot, !ledger.isTemporary {
            try stores.snapshots.settle(id, on: .backupEnded, heldBy: run, at: now, transaction)
        } else {
            try stores.volumes.settle(
                ledger.volume, on: end == .finished ? .workFinished(.backUp) : .workFailed(.backUp), heldBy: run,
                at: now, transaction)
        }
    }
}

extension BlockStorageParts {
    /// The backup, if its row names this run.
    func heldBackup(_ id: VolumeBackupID) async throws -> VolumeBackup {
        let stores = stores
        guard let backup = try await database.read({ try stores.backups.backup(id, $0) }), backup.sagaRun == SagaRun.id
        else {
            throw CloudError(.conflict, "Backup \(id) was taken by another operation.", kind: "BackupLost")
        }
        return backup
    }

    /// Of a backup of an encrypted volume.
    func cipher(_ backup: VolumeBackup) async throws -> BackupCipher? {
        try await passphrase(backup.keyID).map(BackupCipher.init(passphrase:))
    }
}
