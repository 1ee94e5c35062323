// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// Ends one volume, with its snapshots where the caller asked for that. Also lets go of one that the operator takes
/// back.
package enum DeleteVolumeSaga: Saga {
    package static let name: StaticString = "volume.delete"
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait * 2 + parts.config.commandTimeout * 2
    }

    package struct Ledger: Codable, Sendable, VolumeLedger {
        package var volume: VolumeID
        package var requestID: String
        /// The bytes stay where they are.
        package var isUnmanaged: Bool
        package var deletesSnapshots: Bool

        package init(volume: VolumeID, requestID: String, isUnmanaged: Bool = false, deletesSnapshots: Bool = false) {
            self.volume = volume
            self.requestID = requestID
            self.isUnmanaged = isUnmanaged
            self.deletesSnapshots = deletesSnapshots
        }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("snapshots", run: deleteSnapshots),
        SagaStep("delete", run: delete),
        SagaStep("forget", run: forget),
    ]

    /// Volumes that are being copied from it come first.
    private static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id) = (parts.stores, ledger.volume)
        let isSource = try await parts.database.read { transaction in
            if try stores.volumes.isSource(id, transaction) { return true }
            return try stores.snapshots.snapshots(of: id, transaction).contains {
                try stores.volumes.isSource($0.id, transaction)
            }
        }
        guard !isSource else {
            throw SagaRetry(
                after: .milliseconds(500), because: CloudError(.conflict, "Volume \(id) is being copied."))
        }
        try await parts.lock(id)
    }

    /// Nil: it is gone. Throws when an administrator said meanwhile that it is something else: nothing of it goes then.
    private static func held(_ ledger: Ledger, _ parts: BlockStorageParts) async throws -> Volume? {
        guard let volume = try await parts.volume(ledger.volume) else { return nil }
        guard volume.sagaRun == SagaRun.id else { throw BlockStorageParts.lost(volume.id) }
        return volume
    }

    private static func deleteSnapshots(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard ledger.deletesSnapshots, let volume = try await held(ledger, parts) else { return }
        let stores = parts.stores
        // Newest first: each depends on the older ones at most.
        for snapshot in try await parts.database.read({ try stores.snapshots.snapshots(of: volume.id, $0) }).reversed()
        {
            if let host = volume.host {
                try await backend(host, .deleteSnapshot(snapshot.handle(passphrase: nil)), parts)
            }
            try await parts.database.write { transaction in
                try stores.snapshots.delete(snapshot.id, transaction)
                if let key = snapshot.keyID { try stores.keys.deleteIfUnused(key, transaction) }
            }
        }
    }

    private static func delete(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let volume = try await held(ledger, parts), let host = volume.host else { return }
        let handle = volume.handle(passphrase: nil)
        try await backend(host, ledger.isUnmanaged ? .unmanage(handle) : .delete(handle), parts)
    }

    /// A backend that is away, or busy, is asked again.
    private static func backend(
        _ host: String, _ work: VolumeCommand.Work, _ parts: BlockStorageParts
    ) async throws {
        try await SagaRetry.whileUnavailable { try await parts.call(host, work) }
    }

    private static func forget(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.volume, SagaRun.id)
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard let volume = try stores.volumes.volume(id, transaction) else { return }
            guard volume.sagaRun == run else { throw BlockStorageParts.lost(id) }
            // Only a forced deletion finds any, and none that a host has open.
            for attachment in try stores.attachments.attachments(of: id, transaction) {
                try stores.attachments.delete(attachment.id, transaction)
            }
            try stores.volumes.delete(id, transaction)
            if let key = volume.keyID { try stores.keys.deleteIfUnused(key, transaction) }
        }
    }

    /// Leaves it in error, so that it can be deleted again.
    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            let event: VolumeEvent = ledger.isUnmanaged ? .workFailed(.unmanage) : .deleteFailed
            guard try stores.volumes.settle(id, on: event, heldBy: run, at: now, transaction) != nil else { return }
            for snapshot in try stores.snapshots.snapshots(of: id, transaction) where snapshot.sagaRun == run {
                _ = try stores.snapshots.move(snapshot, to: .errorDeleting, run: nil, at: now, transaction)
            }
        }
    }
}
