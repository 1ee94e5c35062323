// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// Overwrites a volume, which nobody has open, with the bytes of a backup.
package enum RestoreBackupSaga: Saga {
    package static let name: StaticString = "volume-backup.restore"
    package static let deadline = Duration.seconds(24 * 3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait + parts.config.copyTimeout
    }

    package struct Ledger: Codable, Sendable, VolumeLedger {
        package var backup: VolumeBackupID
        package var volume: VolumeID
        package var requestID: String
        package var location: String?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("fetch", run: fetch, undo: discard),
        SagaStep("restore", run: restore),
        SagaStep("finish", run: finish),
    ]

    private static func path(_ ledger: Ledger, _ parts: BlockStorageParts) -> String {
        ScratchFiles.path("restore-\(ledger.backup)-\(ledger.volume)", parts.config)
    }

    private static func fetch(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (backup, volume) = (try await parts.heldBackup(ledger.backup), try await parts.held(ledger.volume))
        guard let data = backup.dataID else { throw VolumeBackupEngine.notFound(backup.id) }
        try await ScratchFiles.prepare(parts.config)
        try await parts.backupStore.fetch(
            data, to: path(ledger, parts), sizeBytes: Int64(volume.sizeGiB) << 30,
            cipher: try await parts.cipher(backup))
    }

    private static func discard(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await ScratchFiles.remove(path(ledger, parts))
    }

    private static func restore(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let volume = try await parts.held(ledger.volume)
        guard let host = volume.host else { throw BlockStorageParts.lost(volume.id) }
        let reply = try await parts.call(
            host, .restore(try await parts.handle(volume), path: path(ledger, parts), format: .raw),
            timeout: parts.config.copyTimeout)
        ledger.location = reply.location
    }

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await ScratchFiles.remove(path(ledger, parts))
        let (stores, run, now, done) = (parts.stores, SagaRun.id, parts.clock.now(), ledger)
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            let backup = try stores.backups.backup(done.backup, transaction)
            if var volume = try stores.volumes.settle(
                done.volume, on: .workFinished(.restore), heldBy: run, at: now, transaction)
            {
                volume.location = done.location ?? volume.location
                if let facts = backup?.volumeFacts {
                    restore(facts, to: &volume)
                }
                try stores.volumes.update(volume, at: now, transaction)
            }
            try stores.backups.settle(
                done.backup, .available, failReason: nil, heldBy: run, at: now, transaction)
        }
    }

    /// cinder: backup/driver.py, `BackupMetadataAPI`. A volume that has a name of its own keeps it.
    private static func restore(_ facts: VolumeBackup.VolumeFacts, to volume: inout Volume) {
        volume.isBootable = facts.isBootable
        volume.imageMetadata = facts.imageMetadata
        if let metadata = facts.metadata, !metadata.isEmpty { volume.metadata = metadata }
        let name = volume.name ?? ""
        if let old = facts.name, !old.isEmpty, name.isEmpty || name.hasPrefix(VolumeBackupEngine.temporaryName) {
            volume.name = old
            volume.description = facts.description
        }
    }

    /// The backup is as good as before; the volume is neither what it was nor what it should be.
    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, now) = (parts.stores, SagaRun.id, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            try stores.volumes.settle(ledger.volume, on: .workFailed(.restore), heldBy: run, at: now, transaction)
            guard
                let backup = try stores.backups.settle(
                    ledger.backup, .available, failReason: error.message, heldBy: run, at: now, transaction)
            else { return }
            try parts.note(
                .backup, backup.id.rawValue, of: backup.projectID, .restoreBackup, .restoreFailed,
                request: ledger.requestID, transaction)
        }
    }
}
