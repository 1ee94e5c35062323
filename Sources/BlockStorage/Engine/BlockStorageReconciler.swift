// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LogKit
import TaskKit

/// Repairs what runs that died halfway, and hands that are not ours, leave behind: rows in the middle of something that
/// no run does, locks of ended runs, leases that Compute has forgotten, bytes that no row names.
package struct BlockStorageReconciler: Reconciler {
    package let name = "block-storage"
    package let interval = Duration.seconds(60)
    /// A row that a run changed so shortly before is left to it.
    private static let patience = Duration.seconds(120)
    /// Compute notes a lease before it asks for one, so one that it does not know for so long is nobody's.
    private static let leasePatience = Duration.seconds(600)
    /// Between `os-reserve` and `os-attach`, or `os-begin_detaching` and `os-detach`.
    private static let reservationLife = Duration.seconds(3600)

    private let parts: BlockStorageParts
    private let sagas: SagaRunner
    /// Behind SQLite there is one process, so what is older than it is a dead one's.
    private let startedAt: Timestamp

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
        startedAt = parts.clock.now()
    }

    package func reconcile() async throws -> Int {
        try await adoptVolumes() + adoptSnapshots() + freeLocks() + endReservations() + endLeases() + deleteDoomed() + sweep()
    }

    // MARK: Rows

    private func adoptVolumes() async throws -> Int {
        let (stores, limit) = (parts.stores, parts.clock.now() - Self.patience)
        var repaired = 0
        for volume in try await parts.database.read({ try stores.volumes.unattended(since: limit, $0) }) {
            guard try await sagas.hasNoRun(volume.sagaRun) else { continue }
            try await adopt(volume)
            parts.log.warning("volume without a run", ["volume": volume.id, "status": volume.status.rawValue])
            repaired += 1
        }
        return repaired
    }

    private func adopt(_ volume: Volume) async throws {
        let (parts, sagas, now) = (parts, sagas, parts.clock.now())
        let run = parts.ids.next(SagaRunTag.self)
        let event: VolumeEvent?
        switch volume.status {
        case .creating: event = .createFailed
        case .managing: event = .manageFailed
        case .deleting: event = nil
        default: event = VolumeWork.allCases.first { $0.status == volume.status }.map { .workFailed($0) }
        }
        try await parts.database.write { transaction in
            if let event {
                guard let state = volume.state.after(event),
                    try parts.stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
                else { return }
                var ended = volume
                ended.endWork()
                try parts.stores.volumes.update(ended, at: now, transaction)
            } else {
                guard try parts.stores.volumes.move(volume, to: volume.state, run: run, at: now, transaction) else {
                    return
                }
                let hasSnapshots = try parts.stores.snapshots.count(of: volume.id, transaction) > 0
                try sagas.start(
                    DeleteVolumeSaga.self, id: run,
                    ledger: .init(
                        volume: volume.id, requestID: "req-" + run.rawValue, deletesSnapshots: hasSnapshots),
                    in: transaction)
            }
        }
    }

    private func adoptSnapshots() async throws -> Int {
        let (parts, sagas, now) = (parts, sagas, parts.clock.now())
        let (stores, limit) = (parts.stores, now - Self.patience)
        var repaired = 0
        for snapshot in try await parts.database.read({ try stores.snapshots.unattended(since: limit, $0) }) {
            guard try await sagas.hasNoRun(snapshot.sagaRun) else { continue }
            try await parts.database.write { transaction in
                let event: VolumeSnapshotEvent
                switch snapshot.status {
                case .creating: event = .createFailed
                case .restoring: event = .restoreEnded
                case .backingUp: event = .backupEnded
                case .unmanaging: event = .unmanageFailed
                case .deleting:
                    let run = parts.ids.next(SagaRunTag.self)
                    guard try stores.snapshots.move(snapshot, to: .deleting, run: run, at: now, transaction) else {
                        return
                    }
                    return try sagas.start(
                        DeleteSnapshotSaga.self, id: run,
                        ledger: .init(
                            snapshot: snapshot.id, volume: snapshot.volumeID, requestID: "req-" + run.rawValue),
                        in: transaction)
                case .available, .error, .errorDeleting: return
                }
                guard let status = snapshot.status.after(event) else { return }
                _ = try stores.snapshots.move(snapshot, to: status, run: nil, at: now, transaction)
            }
            parts.log.warning(
                "snapshot without a run", ["snapshot": snapshot.id, "status": snapshot.status.rawValue])
            repaired += 1
        }
        return repaired
    }

    private func freeLocks() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        let isAlone = parts.database.dialect == .sqlite
        var repaired = 0
        for lock in try await parts.database.read({ try stores.locks.all(before: now, $0) }) {
            // What is no run holds a lock for two commands at most.
            let isDead =
                lock.isRun
                ? try await sagas.hasNoRun(SagaRunID(lock.holder))
                : isAlone && lock.lockedAt < startedAt || now - lock.lockedAt > parts.config.commandTimeout * 3
            guard isDead else { continue }
            try await parts.database.write { try stores.locks.release(lock.volume, of: lock.holder, $0) }
            parts.log.warning("lock without a holder", ["volume": lock.volume])
            repaired += 1
        }
        return repaired
    }

    // MARK: Leases

    /// Of clients that know no attachments (`os-reserve`, `os-begin_detaching`), and never came back.
    private func endReservations() async throws -> Int {
        let (stores, limit) = (parts.stores, parts.clock.now() - Self.reservationLife)
        let lease = VolumeLease(parts: parts, sagas: sagas)
        var repaired = 0
        for id in try await parts.database.read({ try stores.volumes.reserved(since: limit, $0) }) {
            let isEnded = try await parts.database.write { transaction in
                guard let before = try stores.volumes.volume(id, transaction), before.sagaRun == nil else { return false }
                try lease.settle(id, transaction)
                return try stores.volumes.volume(id, transaction)?.status != before.status
            }
            guard isEnded else { continue }
            parts.log.warning("reservation ended", ["volume": id])
            repaired += 1
        }
        return repaired
    }

    /// Of servers that are gone, when Compute, which ends them after the host has closed the volume, knows nothing of
    /// them.
    private func endLeases() async throws -> Int {
        guard let compute = parts.compute.service else { return 0 }
        let (stores, limit) = (parts.stores, parts.clock.now() - Self.leasePatience)
        let leases = try await parts.database.read { try stores.attachments.all($0) }
            .filter { $0.isComputes && $0.createdAt < limit }
        guard !leases.isEmpty else { return 0 }
        let held = try await compute.leasesHeld(among: leases.map(\.id.rawValue))
        var repaired = 0
        for lease in leases where !held.contains(lease.id.rawValue) {
            do {
                try await VolumeLease(parts: parts, sagas: sagas).release(lease.id)
                parts.log.warning("lease ended", ["volume": lease.volumeID, "server": lease.server ?? ""])
                repaired += 1
            } catch let error as CloudError {
                // The others come first.
                parts.log.error("lease not ended", ["volume": lease.volumeID, "error": error])
            }
        }
        return repaired
    }

    private func deleteDoomed() async throws -> Int {
        let (stores, lease) = (parts.stores, VolumeLease(parts: parts, sagas: sagas))
        let doomed = try await parts.database.read { try stores.volumes.doomed($0) }
        for volume in doomed { try await parts.database.write { try lease.deleteIfDoomed(volume.id, $0) } }
        return 0
    }

    // MARK: Backends

    /// What a backend has that no row names, and that is old, goes.
    private func sweep() async throws -> Int {
        let (stores, config, now) = (parts.stores, parts.config, parts.clock.now())
        var repaired = 0
        for backend in try await parts.database.read({ try stores.backends.all($0) })
        where backend.isUp(at: now, limit: config.backendTimeout) {
            // Read last, so that nothing that was made meanwhile is missing; what is younger than the age stays anyhow.
            let (volumes, arriving, snapshots) = try await parts.database.read { transaction in
                (
                    try stores.volumes.volumes(onBackend: backend.address, transaction),
                    try stores.volumes.volumes(movingTo: backend.address, transaction),
                    try stores.snapshots.snapshots(onBackend: backend.address, transaction)
                )
            }
            let work = VolumeCommand.Work.sweep(
                volumes: volumes.map { volume in
                    var handle = volume.handle(passphrase: nil)
                    // Chains of what nobody has may be made shorter meanwhile.
                    handle.isAttached = volume.status != .available
                    return handle
                } + arriving.map { VolumeHandle(id: $0.id, sizeGiB: $0.sizeGiB, isAttached: true) },
                snapshots: snapshots.map { $0.handle(passphrase: nil) },
                ageSeconds: Int(config.sweepAge.components.seconds))
            do {
                let swept = try await parts.call(backend.address, work).swept ?? []
                for name in swept { parts.log.warning("removed from backend", ["backend": backend.address, "name": name]) }
                repaired += swept.count
            } catch let error as CloudError {
                parts.log.warning("backend not swept", ["backend": backend.address, "error": error])
            }
        }
        return repaired
    }
}
