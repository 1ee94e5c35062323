// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// A snapshot that one run makes, because a guest writes on while its volume is copied, and that goes afterwards.
struct TemporarySnapshot: Sendable {
    let id: VolumeSnapshotID
    let parts: BlockStorageParts

    struct Draft: Sendable {
        var id: VolumeSnapshotID
        /// Of the snapshot's own making.
        var run: SagaRunID
        var name: String
        var description: String
        var user: UserID
        var requestID: String
    }

    /// Starts the making, in the transaction that starts the run which copies.
    static func begin(
        _ draft: Draft, of volume: Volume, _ parts: BlockStorageParts, _ sagas: SagaRunner,
        _ transaction: any Transaction
    ) throws {
        var snapshot = VolumeSnapshot(
            id: draft.id, of: volume, projectID: volume.projectID, userID: draft.user, createdAt: parts.clock.now())
        snapshot.name = draft.name
        snapshot.description = draft.description
        snapshot.sagaRun = draft.run
        try parts.stores.snapshots.insert(snapshot, transaction)
        try sagas.start(
            CreateSnapshotSaga.self, id: draft.run,
            ledger: .init(snapshot: draft.id, volume: volume.id, requestID: draft.requestID), in: transaction)
    }

    /// In a saga's step: waits until the snapshot is made, and holds it from then on, so that its owner does not delete
    /// it meanwhile.
    func hold() async throws {
        let (stores, id, run, now) = (parts.stores, id, SagaRun.id, parts.clock.now())
        let isHeld = try await parts.database.write { transaction in
            guard let snapshot = try stores.snapshots.snapshot(id, transaction), snapshot.status != .error else {
                throw CloudError(.unavailable, "The volume could not be frozen for the copy.")
            }
            if snapshot.sagaRun == run { return true }
            guard let status = snapshot.status.after(.backupRequested) else { return false }
            return try stores.snapshots.move(snapshot, to: status, run: run, at: now, transaction)
        }
        guard isHeld else {
            throw SagaRetry(
                after: .milliseconds(min(2000, 50 << min(SagaRun.current?.attempt ?? 0, 6))),
                because: CloudError(.unavailable, "The snapshot for the copy was not ready in time."))
        }
    }

    /// In a saga's step, or its undo. Not an error when there is none. Lets go of the run's locks.
    func drop() async throws {
        let (stores, id) = (parts.stores, id)
        guard let snapshot = try await parts.database.read({ try stores.snapshots.snapshot(id, $0) }),
            let host = try await parts.volume(snapshot.volumeID)?.host
        else { return }
        guard snapshot.status != .creating else {
            throw SagaRetry(
                after: .seconds(1 << min(SagaRun.current?.attempt ?? 0, 7)),
                because: CloudError(.conflict, "Snapshot \(id) is being made."))
        }
        // Its owner took it over.
        guard snapshot.sagaRun == nil || snapshot.sagaRun == SagaRun.id else { return }
        try await parts.lock(snapshot.volumeID)
        try await parts.call(
            host, .deleteSnapshot(try await parts.handle(snapshot)), timeout: parts.config.copyTimeout)
        let run = SagaRun.id.rawValue
        try await parts.database.write { transaction in
            try stores.snapshots.delete(id, transaction)
            try stores.locks.releaseAll(of: run, transaction)
            if let key = snapshot.keyID { try stores.keys.deleteIfUnused(key, transaction) }
        }
    }

    /// `drop` after the work is done: a backend that is down is waited for.
    func clean() async throws { try await SagaRetry.whileUnavailable { try await drop() } }
}

extension BlockStorageParts {
    /// In a saga's step: what is copied, and the backend that has it. The volume itself is this run's.
    func content(
        of id: VolumeID, frozenAs snapshotID: VolumeSnapshotID?
    ) async throws -> (content: VolumeContent, host: String) {
        guard let snapshotID else {
            let volume = try await held(id)
            guard let host = volume.host else { throw Self.lost(id) }
            return (.volume(try await handle(volume)), host)
        }
        let stores = stores
        guard let snapshot = try await database.read({ try stores.snapshots.snapshot(snapshotID, $0) }),
            let host = try await volume(snapshot.volumeID)?.host
        else { throw CreateSnapshotSaga.lost(snapshotID) }
        return (.snapshot(try await handle(snapshot)), host)
    }
}
