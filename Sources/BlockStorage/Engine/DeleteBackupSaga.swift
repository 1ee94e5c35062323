// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// Ends one backup, on which no other builds.
package enum DeleteBackupSaga: Saga {
    package static let name: StaticString = "volume-backup.delete"
    package static let deadline = Duration.seconds(3600)

    package struct Ledger: Codable, Sendable {
        package var backup: VolumeBackupID
        package var requestID: String
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("remove", run: remove),
        SagaStep("forget", run: forget),
    ]

    private static func remove(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.backup, SagaRun.id)
        // A record may have made a second backup of the same bytes: the last one takes them with it.
        let data = try await parts.database.write { transaction -> VolumeBackupID? in
            guard let backup = try stores.backups.backup(id, transaction), backup.sagaRun == run,
                let data = backup.dataID
            else { return nil }
            guard try stores.backups.holders(ofData: data, transaction).count > 1 else { return data }
            try stores.backups.letGoOfData(id, transaction)
            return nil
        }
        if let data { try await parts.backupStore.remove(data) }
    }

    private static func forget(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.backup, SagaRun.id)
        try await parts.database.write { transaction in
            guard let backup = try stores.backups.backup(id, transaction), backup.sagaRun == run else { return }
            try stores.backups.delete(id, transaction)
            if let key = backup.keyID { try stores.keys.deleteIfUnused(key, transaction) }
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.backup, SagaRun.id, parts.clock.now())
        try await parts.database.write { transaction in
            guard let backup = try stores.backups.settle(
                id, .errorDeleting, failReason: error.message, heldBy: run, at: now, transaction)
            else { return }
            try parts.note(
                .backup, id.rawValue, of: backup.projectID, .deleteBackup, .backupDeleteFailed,
                request: ledger.requestID, transaction)
        }
    }
}
