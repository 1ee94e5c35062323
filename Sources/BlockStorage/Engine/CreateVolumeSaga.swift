// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import TaskKit

/// Makes one volume. Survives a crash at any line, and gives way to a forced deletion: what it made for a row that it
/// has lost it removes.
package enum CreateVolumeSaga: Saga {
    package static let name: StaticString = "volume.create"
    package static let deadline = Duration.seconds(24 * 3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait + parts.config.copyTimeout
    }
    /// How often a backend that does not answer is asked.
    private static let attempts = 5

    package enum Source: Codable, Sendable, Equatable {
        case blank
        case image(ImageInfo)
        case snapshot(VolumeSnapshotID)
        case volume(VolumeID)
        /// What the backend has by that name already.
        case foreign(String)
    }

    package struct Ledger: Codable, Sendable {
        package var volume: VolumeID
        package var project: ProjectID
        package var requestID: String
        package var source: Source
        package var backendRequest: BackendRequest
        package var host: String?
        /// What the volume shows of its image when it is done.
        package var imageMetadata: [String: String]
        package var isBootable: Bool
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("place", run: place, undo: giveBack),
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("create", run: create, undo: delete),
        SagaStep("finish", run: finish, undo: unfinish),
    ]

    // MARK: Place

    private static func place(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.volume, SagaRun.id)
        let request = ledger.backendRequest
        ledger.host = try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction), volume.sagaRun == run else {
                throw BlockStorageParts.lost(id)
            }
            if let host = volume.host { return host }
            let backend = try VolumeScheduler(parts).place(request, transaction)
            volume.host = backend.pool.name
            volume.zone = backend.zone
            try stores.volumes.update(volume, at: parts.clock.now(), transaction)
            return backend.pool.name
        }
    }

    private static func giveBack(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.volume, SagaRun.id)
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction), volume.sagaRun == run else { return }
            volume.host = nil
            volume.location = ""
            try stores.volumes.update(volume, at: parts.clock.now(), transaction)
        }
    }

    // MARK: Create

    /// The source stays where it is while it is copied.
    private static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        if case .volume(let source) = ledger.source { try await parts.lock(source) }
    }

    private static func unlock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        if case .volume(let source) = ledger.source { try await parts.unlock(source) }
    }

    private static func create(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        var volume = try await parts.held(ledger.volume)
        guard let host = volume.host else { throw BlockStorageParts.lost(volume.id) }
        let handle = try await parts.handle(volume)
        let work: VolumeCommand.Work
        if case .foreign(let reference) = ledger.source {
            work = .manage(handle, reference: reference)
        } else {
            work = .create(handle, from: try await source(ledger, parts))
        }
        let reply: VolumeCommandReply
        do {
            reply = try await parts.call(host, work, timeout: parts.config.copyTimeout)
        } catch let error as CloudError where error.code == .unavailable {
            // The agent may just have been restarted.
            guard (SagaRun.current?.attempt ?? 0) + 1 < attempts else { throw error }
            throw SagaRetry(after: .seconds(3), because: error)
        }
        volume.location = reply.location ?? ""
        let (stores, run, made) = (parts.stores, SagaRun.id, volume)
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(made.id, transaction), volume.sagaRun == run else {
                throw BlockStorageParts.lost(made.id)
            }
            volume.location = made.location
            try stores.volumes.update(volume, at: parts.clock.now(), transaction)
        }
    }

    private static func source(_ ledger: Ledger, _ parts: BlockStorageParts) async throws -> VolumeSource {
        let stores = parts.stores
        switch ledger.source {
        case .blank, .foreign: return .blank
        case .image(let image):
            return .image(
                id: image.id.rawValue, format: image.diskFormat ?? "raw", virtualSizeBytes: image.virtualSizeBytes)
        case .snapshot(let id):
            guard let snapshot = try await parts.database.read({ try stores.snapshots.snapshot(id, $0) }) else {
                throw VolumeErrors.notFound(id)
            }
            return .snapshot(try await parts.handle(snapshot))
        case .volume(let id):
            guard let volume = try await parts.volume(id) else {
                throw VolumeErrors.notFound(id)
            }
            return .volume(try await parts.handle(volume))
        }
    }

    /// Runs even when `create` threw: the backend may have acted before the connection broke. What a backend that is
    /// away still has is swept when it is back, because no row names it. A volume taken over from the operator is left.
    private static func delete(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let host = ledger.host, try await parts.isUp(host) else { return }
        guard let volume = try await parts.volume(ledger.volume) else {
            // A forced deletion has ended; what this run made after it is nobody's.
            let handle = VolumeHandle(id: ledger.volume, sizeGiB: ledger.backendRequest.sizeGiB)
            if case .foreign = ledger.source { return try await unmanage(handle, host, parts) }
            try await parts.call(host, .delete(handle))
            return
        }
        // It was finished, and somebody has begun something with it.
        guard volume.sagaRun == SagaRun.id || volume.status == .deleting else { return }
        let handle = volume.handle(passphrase: nil)
        if case .foreign = ledger.source { return try await unmanage(handle, host, parts) }
        try await parts.call(host, .delete(handle))
    }

    private static func unmanage(_ handle: VolumeHandle, _ host: String, _ parts: BlockStorageParts) async throws {
        try await parts.call(host, .unmanage(handle))
    }

    // MARK: Finish

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now, done) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now(), ledger)
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction) else { throw BlockStorageParts.lost(id) }
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            // The first try committed and the process died before it could say so.
            if volume.sagaRun == nil, volume.launchedAt != nil { return }
            guard volume.sagaRun == run, let state = volume.state.after(.createFinished),
                try stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
            else { throw BlockStorageParts.lost(id) }
            volume.launchedAt = now
            volume.isBootable = done.isBootable
            volume.imageMetadata = done.imageMetadata
            try stores.volumes.update(volume, at: now, transaction)
        }
    }

    /// Takes the row back before the bytes go, unless somebody has begun something with the volume meanwhile.
    private static func unfinish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction), volume.sagaRun == nil,
                let state = volume.state.after(.createUndone),
                try stores.volumes.move(volume, to: state, run: run, at: now, transaction)
            else { return }
            volume.launchedAt = nil
            try stores.volumes.update(volume, at: now, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            var isForeign = false
            if case .foreign = ledger.source { isForeign = true }
            guard
                let volume = try stores.volumes.settle(
                    id, on: isForeign ? .manageFailed : .createFailed, heldBy: run, at: now, transaction)
            else { return }
            let isPlaced = error.kind != "NoValidBackend"
            var action = VolumeMessage.Action.createVolume
            if case .image = ledger.source { action = .copyImageToVolume }
            try parts.note(
                .volume, id.rawValue, of: volume.projectID, isPlaced ? action : .scheduleVolume,
                isPlaced ? .createFailed : .noBackend, request: ledger.requestID, transaction)
        }
    }
}
