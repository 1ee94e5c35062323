// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import LifecycleKit
import TaskKit

/// The ledger of a run that has a volume's lock.
package protocol VolumeLedger {
    var volume: VolumeID { get }
}

extension Saga where Ledger: VolumeLedger, Context == BlockStorageParts {
    /// A step: from now on this run alone changes where the volume's bytes are.
    static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await parts.lock(ledger.volume)
    }

    /// Undoes `lock`.
    static func unlock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await parts.unlock(ledger.volume)
    }
}

/// What sagas and engines that work on volumes share.
extension BlockStorageParts {
    // MARK: Keys

    /// The passphrase of an encrypted volume or snapshot.
    package func passphrase(_ key: VolumeKeyID?) async throws -> String? {
        guard let key else { return nil }
        let stores = stores
        guard let sealed = try await database.read({ try stores.keys.sealed(key, $0) }) else {
            throw Self.keyLost
        }
        return try keyring.open(sealed)
    }

    static let keyLost = CloudError(.bug, "The key of the volume cannot be found.")

    /// The volume as its driver knows it, with its passphrase.
    package func handle(_ volume: Volume) async throws -> VolumeHandle {
        volume.handle(passphrase: try await passphrase(volume.keyID))
    }

    package func handle(_ snapshot: VolumeSnapshot) async throws -> VolumeSnapshotHandle {
        snapshot.handle(passphrase: try await passphrase(snapshot.keyID))
    }

    // MARK: Rows

    package func volume(_ id: VolumeID) async throws -> Volume? {
        let stores = stores
        return try await database.read { try stores.volumes.volume(id, $0) }
    }

    /// The volume, if its row names this run. Throws `.conflict` when another has taken it.
    package func held(_ id: VolumeID) async throws -> Volume {
        guard let volume = try await volume(id), volume.sagaRun == SagaRun.id else { throw Self.lost(id) }
        return volume
    }

    static func lost(_ id: VolumeID) -> CloudError {
        CloudError(.conflict, "Volume \(id) was taken by another operation.", kind: "VolumeLost")
    }

    // MARK: Locks

    /// In a saga's step: this run alone changes where the volume's bytes are, until `unlock` or the end of the run.
    /// Asks to be repeated while another does.
    package func lock(_ volume: VolumeID) async throws {
        guard try await takeLock(volume, for: SagaRun.id.rawValue, isRun: true) else {
            let pause = Duration.milliseconds(min(1000, 20 << min(SagaRun.current?.attempt ?? 0, 6)))
            throw SagaRetry(after: pause, because: Self.busy(volume))
        }
    }

    /// Outside of sagas: waits for the lock, and gives it back whatever becomes of the caller.
    package func withLock<T: Sendable>(
        _ volume: VolumeID, for holder: String, _ body: @Sendable () async throws -> T
    ) async throws -> T {
        // One of two calls for the same thing must not give back what the other has.
        let holder = "\(holder) \(ids.hex())"
        let end = ContinuousClock.now + config.commandTimeout
        while try await !takeLock(volume, for: holder, isRun: false) {
            guard ContinuousClock.now < end else { throw Self.busy(volume) }
            try await Task.sleep(for: .milliseconds(50))
        }
        let result: Result<T, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        let (database, stores) = (database, stores)
        try await shielded { try await database.write { try stores.locks.release(volume, of: holder, $0) } }
        return try result.get()
    }

    private func takeLock(_ volume: VolumeID, for holder: String, isRun: Bool) async throws -> Bool {
        let (stores, now) = (stores, clock.now())
        return try await database.write { try stores.locks.take(volume, for: holder, isRun: isRun, at: now, $0) }
    }

    package func unlock(_ volume: VolumeID) async throws {
        let (stores, run) = (stores, SagaRun.id.rawValue)
        try await database.write { try stores.locks.release(volume, of: run, $0) }
    }

    private static func busy(_ volume: VolumeID) -> CloudError {
        CloudError(.unavailable, "Volume \(volume) is busy.", cause: "another run has locked it")
    }

    // MARK: Failures

    /// Tells the owner why what was accepted has failed; for `failed` of sagas.
    package func note(
        _ resource: VolumeMessage.Resource, _ id: String, of project: ProjectID, _ action: VolumeMessage.Action,
        _ detail: VolumeMessage.Detail, request: String?, _ transaction: any Transaction
    ) throws {
        let now = clock.now()
        try stores.messages.insert(
            VolumeMessage(
                id: ids.next(), projectID: project, requestID: request, resource: resource, resourceID: id,
                action: action, detail: detail, createdAt: now, expiresAt: now + config.messageLife),
            transaction)
    }
}
