// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// Copies a volume, which nobody has open, to another backend, and perhaps to another type on the way.
package enum MigrateVolumeSaga: Saga {
    package static let name: StaticString = "volume.migrate"
    package static let deadline = Duration.seconds(48 * 3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait + parts.config.copyTimeout * 3 + parts.config.commandTimeout
    }

    package struct Ledger: Codable, Sendable, VolumeLedger {
        package var volume: VolumeID
        package var requestID: String
        /// `host@backend#pool`.
        package var target: String
        /// Nil: the type stays.
        package var type: VolumeTypeID?
        package var isMultiattach: Bool?
        /// `migrate`, or `retype`.
        package var work: VolumeWork
        package var origin: String?
        package var originLocation: String?
        package var location: String?

        package init(
            volume: VolumeID, requestID: String, target: String, type: VolumeTypeID? = nil,
            isMultiattach: Bool? = nil, work: VolumeWork
        ) {
            self.volume = volume
            self.requestID = requestID
            self.target = target
            self.type = type
            self.isMultiattach = isMultiattach
            self.work = work
        }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("copy", run: copy, undo: discard),
        SagaStep("switch", run: swap),
        SagaStep("erase", run: erase),
    ]

    private static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await parts.lock(ledger.volume)
        let volume = try await parts.held(ledger.volume)
        ledger.origin = ledger.origin ?? volume.host
        ledger.originLocation = ledger.originLocation ?? volume.location
        let (stores, id, target) = (parts.stores, ledger.volume, ledger.target)
        try await parts.database.write { try stores.volumes.setMigrationTarget(id, target, $0) }
    }

    private static func path(_ ledger: Ledger, _ parts: BlockStorageParts) -> String {
        ScratchFiles.path("volume-\(ledger.volume)", parts.config)
    }

    private static func copy(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let volume = try await parts.held(ledger.volume)
        guard let origin = ledger.origin else { throw BlockStorageParts.lost(volume.id) }
        try await ScratchFiles.prepare(parts.config)
        let (path, limit) = (path(ledger, parts), parts.config.copyTimeout)
        let handle = try await parts.handle(volume)
        try await parts.call(origin, .export(.volume(handle), path: path, format: .raw), timeout: limit)
        var copy = handle
        copy.location = ""
        copy.location = try await parts.call(ledger.target, .create(copy, from: .blank), timeout: limit).location ?? ""
        ledger.location = copy.location
        ledger.location = try await parts.call(
            ledger.target, .restore(copy, path: path, format: .raw), timeout: limit
        ).location
        try await ScratchFiles.remove(path)
    }

    private static func discard(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await ScratchFiles.remove(path(ledger, parts))
        // Once the row names the target, that is where the only bytes are.
        guard let volume = try await parts.volume(ledger.volume), volume.host != ledger.target,
            try await parts.isUp(ledger.target)
        else { return }
        var copy = volume.handle(passphrase: nil)
        copy.location = ledger.location ?? ""
        try await parts.call(ledger.target, .delete(copy))
    }

    /// The volume is at rest again, elsewhere; the lock stays until the origin is erased.
    private static func swap(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now, done) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now(), ledger)
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction) else { throw BlockStorageParts.lost(id) }
            // The first try committed and the process died before it could say so.
            if volume.sagaRun == nil, volume.host == done.target { return }
            guard volume.sagaRun == run, let state = volume.state.after(.workFinished(done.work)),
                try stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
            else { throw BlockStorageParts.lost(id) }
            volume.host = done.target
            volume.location = done.location ?? ""
            volume.migration = "success"
            volume.isMultiattach = done.isMultiattach ?? volume.isMultiattach
            if let type = done.type { volume.typeID = type }
            if let backend = try stores.backends.backend(VolumeBackend.address(of: done.target), transaction) {
                volume.zone = backend.zone
            }
            try stores.volumes.update(volume, at: now, transaction)
            try stores.volumes.setMigrationTarget(id, nil, transaction)
        }
    }

    /// What a backend that fails, or is away, keeps is swept later, because no row names it. So this fails nothing.
    private static func erase(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        if let origin = ledger.origin {
            let old = VolumeHandle(id: ledger.volume, sizeGiB: 0, location: ledger.originLocation ?? "")
            do {
                try await parts.call(origin, .delete(old))
            } catch let error as CloudError {
                parts.log.warning(
                    "moved volume left behind", ["volume": ledger.volume, "backend": origin, "error": error])
            }
        }
        try await parts.unlock(ledger.volume)
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard
                var volume = try stores.volumes.settle(
                    id, on: .workFailed(ledger.work), heldBy: run, at: now, transaction)
            else { return }
            volume.migration = "error"
            try stores.volumes.update(volume, at: now, transaction)
            try stores.volumes.setMigrationTarget(id, nil, transaction)
        }
    }
}
