// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import TaskKit

/// Freezes a volume's bytes, or takes over what the backend has as a snapshot of it already. Where the storage freezes
/// the file itself, a guest that has it open moves on to a new one.
package enum CreateSnapshotSaga: Saga {
    package static let name: StaticString = "volume-snapshot.create"
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait + parts.config.commandTimeout * 2
    }

    package struct Ledger: Codable, Sendable, VolumeLedger {
        package var snapshot: VolumeSnapshotID
        package var volume: VolumeID
        package var requestID: String
        package var result: VolumeSnapshotResult?
        /// What the backend has by that name already. Nil: the volume is frozen.
        package var foreign: String?

        package init(snapshot: VolumeSnapshotID, volume: VolumeID, requestID: String, foreign: String? = nil) {
            self.snapshot = snapshot
            self.volume = volume
            self.requestID = requestID
            self.foreign = foreign
        }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("freeze", run: freeze, undo: thaw),
        SagaStep("move", run: move),
        SagaStep("finish", run: finish, undo: unfinish),
    ]

    /// A host that was told where the volume is, and has not said yet that it opened it, must not open what is frozen.
    private static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await parts.lock(ledger.volume)
        let (stores, id) = (parts.stores, ledger.volume)
        let attachments = try await parts.database.read { try stores.attachments.attachments(of: id, $0) }
        let servers = attachments.filter(\.isComputes).compactMap(\.server)
        var isBeingOpened = attachments.contains { $0.status == .attaching }
        if !isBeingOpened, !servers.isEmpty, let compute = parts.compute.service {
            isBeingOpened = try await compute.isStarting(anyOf: servers.map { ServerID($0) })
        }
        guard isBeingOpened else { return }
        try await parts.unlock(id)
        throw SagaRetry(
            after: .milliseconds(300), because: CloudError(.conflict, "Volume \(id) is being attached for too long."))
    }

    // MARK: Freeze

    private struct Rows: Sendable {
        var snapshot: VolumeSnapshot
        var volume: Volume
        var host: String
    }

    private static func rows(_ ledger: Ledger, _ parts: BlockStorageParts) async throws -> Rows {
        let (stores, id) = (parts.stores, ledger.snapshot)
        guard let snapshot = try await parts.database.read({ try stores.snapshots.snapshot(id, $0) }),
            let volume = try await parts.volume(snapshot.volumeID), let host = volume.host
        else { throw lost(id) }
        return Rows(snapshot: snapshot, volume: volume, host: host)
    }

    private static func freeze(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let rows = try await rows(ledger, parts)
        guard rows.snapshot.sagaRun == SagaRun.id else { throw lost(ledger.snapshot) }
        let (snapshot, volume) = (try await parts.handle(rows.snapshot), try await parts.handle(rows.volume))
        if let foreign = ledger.foreign {
            let reply = try await parts.call(rows.host, .manageSnapshot(snapshot, of: volume, reference: foreign))
            ledger.result = VolumeSnapshotResult(
                snapshotLocation: reply.location ?? "", volumeLocation: rows.volume.location)
            return
        }
        try await checkUsers(of: rows, parts)
        ledger.result = try await parts.call(rows.host, .createSnapshot(snapshot, of: volume)).snapshot
    }

    /// Where guests must move on, only those of Compute can.
    private static func checkUsers(of rows: Rows, _ parts: BlockStorageParts) async throws {
        let (stores, address) = (parts.stores, VolumeBackend.address(of: rows.host))
        let isStuck = try await parts.database.read { transaction in
            guard try stores.backends.backend(address, transaction)?.movesOnSnapshot == true else { return false }
            return try stores.attachments.attachments(of: rows.volume.id, transaction)
                .contains { $0.connection != nil && !$0.isComputes }
        }
        guard !isStuck else {
            throw CloudError.conflict("The volume is used by something that is no server, and cannot be frozen.")
        }
    }

    /// The volume goes on where it was told to, which reads as before; a guest that has not moved yet writes below it,
    /// where it is read, too.
    private static func thaw(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard var rows = try? await rows(ledger, parts) else { return }  // deleted by force: swept
        try await parts.lock(ledger.volume)
        if let result = ledger.result {
            try await save(result, ledger, parts)
            rows.snapshot.location = result.snapshotLocation
        }
        // It was finished, and somebody uses it; or it was taken, and whoever has it lets go of the bytes.
        guard rows.snapshot.sagaRun == SagaRun.id else { return }
        guard try await parts.isUp(rows.host) else { return }
        let handle = try await parts.handle(rows.snapshot)
        try await parts.call(rows.host, ledger.foreign == nil ? .deleteSnapshot(handle) : .unmanageSnapshot(handle))
    }

    /// Where the bytes are now, whoever has the snapshot's row: this run has the volume's lock.
    private static func save(_ result: VolumeSnapshotResult, _ ledger: Ledger, _ parts: BlockStorageParts) async throws
    {
        let (stores, run, now) = (parts.stores, SagaRun.id.rawValue, parts.clock.now())
        let (volumeID, snapshotID) = (ledger.volume, ledger.snapshot)
        try await parts.database.write { transaction in
            guard try stores.locks.holds(volumeID, run, transaction) else { throw BlockStorageParts.lost(volumeID) }
            if var volume = try stores.volumes.volume(volumeID, transaction),
                volume.location != result.volumeLocation
            {
                volume.location = result.volumeLocation
                try stores.volumes.update(volume, at: now, transaction)
            }
            if var snapshot = try stores.snapshots.snapshot(snapshotID, transaction),
                snapshot.location != result.snapshotLocation
            {
                snapshot.location = result.snapshotLocation
                try stores.snapshots.update(snapshot, at: now, transaction)
            }
        }
    }

    // MARK: Move

    private static func move(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let result = ledger.result else { throw lost(ledger.snapshot) }
        // First: a guest that starts from now on starts on the new head.
        try await save(result, ledger, parts)
        let rows = try await rows(ledger, parts)
        let (stores, address) = (parts.stores, VolumeBackend.address(of: rows.host))
        let (attachments, moves) = try await parts.database.read { transaction in
            (
                try stores.attachments.attachments(of: rows.volume.id, transaction),
                try stores.backends.backend(address, transaction)?.movesOnSnapshot ?? false
            )
        }
        guard moves else { return }
        let handle = try await parts.handle(rows.volume)
        for attachment in attachments {
            guard let connector = attachment.connector, attachment.connection != nil else { continue }
            let reply = try await parts.call(
                rows.host, .connect(handle, to: connector, isReadOnly: attachment.mode == "ro"))
            guard let connection = reply.connection else { continue }
            if let server = attachment.server, attachment.status == .attached || attachment.status == .detaching,
                case .file(let path, let format) = connection.source
            {
                try await parts.compute.service?.moveVolume(
                    rows.volume.id.rawValue, of: ServerID(server), toFile: path, format: format.rawValue)
            }
            let id = attachment.id
            try await parts.database.write { transaction in
                guard var moved = try stores.attachments.attachment(id, transaction), moved.connection != nil else {
                    return
                }
                moved.move(to: connection)
                try stores.attachments.update(moved, transaction)
            }
        }
    }

    // MARK: Finish

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.snapshot, parts.clock.now())
        guard let result = ledger.result else { throw lost(id) }
        try await parts.database.write { transaction in
            guard var snapshot = try stores.snapshots.snapshot(id, transaction) else { throw lost(id) }
            // The first try committed and the process died before it could say so.
            if snapshot.sagaRun == nil, snapshot.status == .available, snapshot.progress == 100 { return }
            guard snapshot.sagaRun == run, let status = snapshot.status.after(.createFinished),
                try stores.snapshots.move(snapshot, to: status, run: nil, at: now, transaction)
            else { throw lost(id) }
            snapshot.location = result.snapshotLocation
            snapshot.progress = 100
            try stores.snapshots.update(snapshot, at: now, transaction)
            try stores.locks.releaseAll(of: run.rawValue, transaction)
        }
    }

    /// Takes the row back before the bytes go, unless somebody uses the snapshot already.
    private static func unfinish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.snapshot, parts.clock.now())
        try await parts.database.write { transaction in
            guard let snapshot = try stores.snapshots.snapshot(id, transaction), snapshot.sagaRun == nil,
                snapshot.status == .available
            else { return }
            _ = try stores.snapshots.move(snapshot, to: .creating, run: run, at: now, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.snapshot, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard
                let snapshot = try stores.snapshots.settle(
                    id, on: .createFailed, heldBy: run, at: now, transaction)
            else { return }
            try parts.note(
                .snapshot, id.rawValue, of: snapshot.projectID, .createSnapshot, .snapshotFailed,
                request: ledger.requestID, transaction)
        }
    }

    static func lost(_ id: VolumeSnapshotID) -> CloudError {
        CloudError(.conflict, "Snapshot \(id) was taken by another operation.", kind: "SnapshotLost")
    }
}
