// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// Ends one snapshot, after the volumes that are being made of it. Also lets go of one that the operator takes.
package enum DeleteSnapshotSaga: Saga {
    package static let name: StaticString = "volume-snapshot.delete"
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait * 2 + parts.config.copyTimeout
    }

    package struct Ledger: Codable, Sendable, VolumeLedger {
        package var snapshot: VolumeSnapshotID
        package var volume: VolumeID
        package var requestID: String
        /// Its bytes stay where they are. Nil is false.
        package var isUnmanaged: Bool?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("delete", run: delete),
        SagaStep("forget", run: forget),
    ]

    private static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id) = (parts.stores, ledger.snapshot)
        guard try await !parts.database.read({ try stores.volumes.isSource(id, $0) }) else {
            throw SagaRetry(
                after: .milliseconds(500), because: CloudError(.conflict, "Snapshot \(id) is being copied."))
        }
        try await parts.lock(ledger.volume)
    }

    private static func delete(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id) = (parts.stores, ledger.snapshot)
        guard let snapshot = try await parts.database.read({ try stores.snapshots.snapshot(id, $0) }) else { return }
        // An administrator said meanwhile that it is something else.
        guard snapshot.sagaRun == SagaRun.id else { throw CreateSnapshotSaga.lost(id) }
        guard let host = try await parts.volume(snapshot.volumeID)?.host else { return }
        let handle = try await parts.handle(snapshot)
        let work: VolumeCommand.Work =
            ledger.isUnmanaged == true ? .unmanageSnapshot(handle) : .deleteSnapshot(handle)
        try await SagaRetry.whileUnavailable {
            try await parts.call(host, work, timeout: parts.config.copyTimeout)
        }
    }

    private static func forget(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.snapshot, SagaRun.id)
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard let snapshot = try stores.snapshots.snapshot(id, transaction) else { return }
            guard snapshot.sagaRun == run else { throw CreateSnapshotSaga.lost(id) }
            try stores.snapshots.delete(id, transaction)
            if let key = snapshot.keyID { try stores.keys.deleteIfUnused(key, transaction) }
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.snapshot, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            let event: VolumeSnapshotEvent = ledger.isUnmanaged == true ? .unmanageFailed : .deleteFailed
            guard let snapshot = try stores.snapshots.settle(id, on: event, heldBy: run, at: now, transaction) else {
                return
            }
            try parts.note(
                .snapshot, id.rawValue, of: snapshot.projectID, .deleteSnapshot, .snapshotDeleteFailed,
                request: ledger.requestID, transaction)
        }
    }
}
