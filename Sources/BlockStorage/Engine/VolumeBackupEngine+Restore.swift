// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import SecurityKit
import TaskKit

/// What is made of backups.
extension VolumeBackupEngine {
    package struct Restoration: Sendable {
        package var backup: VolumeBackupID
        package var volume: VolumeID
        package var volumeName: String?
    }

    /// Into a volume that is given, or into a new one as large as the backup.
    package func restore(
        _ id: VolumeBackupID, into volumeID: VolumeID?, name: String?, for context: CallContext
    ) async throws -> Restoration {
        let stores = parts.stores
        let backup = try await parts.database.read { try Self.load(id, context, nil, stores, $0) }
        guard backup.status == .available else { throw Self.invalid("Backup status must be available") }
        let target: VolumeID
        if let volumeID {
            target = volumeID
        } else {
            target = try await makeVolume(for: backup, name: name, context)
        }
        let (sagas, now, run, request): (SagaRunner, Timestamp, SagaRunID, String) = (
            sagas, parts.clock.now(), parts.ids.next(), context.requestID
        )
        let begin: @Sendable (any Transaction) throws -> Restoration = { transaction in
            let backup = try Self.load(id, context, nil, stores, transaction)
            guard backup.status == .available else { throw Self.invalid("Backup status must be available") }
            let volume = try VolumeEngine.load(target, context, "volume:get", stores, transaction)
            try Self.check(volume, for: backup)
            guard let state = volume.state.after(.workRequested(.restore)),
                try stores.volumes.move(volume, to: state, run: run, at: now, transaction)
            else { throw VolumeErrors.invalidVolume("Volume to be restored to must be available") }
            var restoring = backup
            restoring.restoreVolumeID = volume.id
            try stores.backups.update(restoring, at: now, transaction)
            try stores.backups.setStatus(id, .restoring, run: run, at: now, transaction)
            try sagas.start(
                RestoreBackupSaga.self, id: run, ledger: .init(backup: id, volume: volume.id, requestID: request),
                in: transaction)
            return Restoration(backup: id, volume: volume.id, volumeName: volume.name)
        }
        do {
            return try await parts.database.write(begin)
        } catch {
            // What was made for it goes again: nobody was told of it.
            if volumeID == nil { try await volumes.discard(target, request: request) }
            throw error
        }
    }

    private static func check(_ volume: Volume, for backup: VolumeBackup) throws {
        guard volume.status == .available else {
            throw VolumeErrors.invalidVolume("Volume to be restored to must be available")
        }
        guard volume.sizeGiB >= backup.sizeGiB else {
            throw VolumeErrors.invalidVolume(
                "volume size \(volume.sizeGiB) is too small to restore backup of size \(backup.sizeGiB).")
        }
        // What was a secret stays one.
        guard backup.keyID == nil || volume.keyID != nil else {
            throw needsEncryption
        }
    }

    private static let needsEncryption = VolumeErrors.invalidVolume(
        "The backup of an encrypted volume can be restored to an encrypted volume only. Create one of an encrypted "
            + "type that is as large, and restore into it.")

    /// What a volume is called until it is restored and has its old name back.
    static let temporaryName = "restore_backup_"

    /// Waits for the new volume, as upstream does: its caller is told the name of a volume that is being restored.
    private func makeVolume(for backup: VolumeBackup, name: String?, _ context: CallContext) async throws -> VolumeID {
        var draft = VolumeDraft(
            source: .blank, sizeGiB: backup.sizeGiB, name: name ?? Self.temporaryName + "\(backup.id)")
        draft.description = backup.description
        let stores = parts.stores
        if let typeID = backup.volumeFacts.typeID, try await parts.database.read({ transaction in
            try stores.types.type(typeID, transaction).map {
                try VolumeTypeEngine.isVisible($0, context, stores, transaction)
            } ?? false
        }) {
            draft.type = typeID.rawValue
        }
        let wanted = draft.type
        // What was a secret stays one, so nothing is made that could not take it.
        if backup.keyID != nil {
            let type = try await parts.database.read { transaction in
                try wanted.flatMap { try stores.types.find($0, transaction) }
            }
            guard type?.encryption != nil else { throw Self.needsEncryption }
        }
        let volume = try await volumes.create(draft, for: context)
        if let run = volume.sagaRun {
            do {
                try await sagas.runToEnd(run)
            } catch let error as CloudError {
                throw VolumeErrors.invalidVolume(
                    "Error while creating volume \(volume.id) for restoring backup \(backup.id).: \(error.message)")
            }
        }
        return volume.id
    }
}
