// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import TaskKit

/// Moves a volume to another backend while a server's guest has it open, and perhaps to another type on the way: the
/// hypervisor copies the bytes, then lets the guest go on in the new place.
///
/// Only the host knows where a guest writes. So nothing is undone step by step: `failed` asks the host, and ends the
/// move forward or backward, as often as it takes until the host has answered or is lost.
package enum MigrateAttachedVolumeSaga: Saga {
    package static let name: StaticString = "volume.migrate-attached"
    package static let deadline = Duration.seconds(48 * 3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait * 2 + parts.config.copyTimeout + parts.config.commandTimeout * 5
    }
    /// A copy that comes no further for so long has failed.
    private static let stallLimit = Duration.seconds(600)
    private static let longestPause = Duration.seconds(5)
    /// How often a host, or a backend, is asked in a row that fails, or says nothing: it may have been started anew.
    private static let attempts = 12

    package struct Ledger: Codable, Sendable {
        package var volume: VolumeID
        package var requestID: String
        package var attachment: VolumeAttachmentID
        package var server: String
        /// `host@backend#pool`.
        package var target: String
        /// Nil: the type stays.
        package var type: VolumeTypeID?
        /// `migrate`, or `retype`.
        package var work: VolumeWork
        package var origin: String?
        package var originLocation: String?
        package var connector: HostConnector?
        package var location: String?
        /// Where the host finds the new place; without secrets.
        package var place: VolumeConnection?
        package var doneBytes: Int64?
        package var progressAt: Timestamp?
        package var failures: Int?
        /// From now on the guest may be in the new place.
        package var isFinishing: Bool?

        package init(
            volume: VolumeID, requestID: String, attachment: VolumeAttachmentID, server: String, target: String,
            type: VolumeTypeID? = nil, work: VolumeWork
        ) {
            self.volume = volume
            self.requestID = requestID
            self.attachment = attachment
            self.server = server
            self.target = target
            self.type = type
            self.work = work
        }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("create", run: create),
        SagaStep("copy", run: copy),
        SagaStep("lock", run: lock),
        SagaStep("move", run: move),
        SagaStep("switch", run: swap),
        SagaStep("erase", run: erase),
        SagaStep("finish", run: finish),
    ]

    // MARK: Create

    /// The lock waits for the end of an earlier move, which may still erase what it left where this one begins.
    private static func create(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await parts.lock(ledger.volume)
        let volume = try await parts.held(ledger.volume)
        ledger.origin = ledger.origin ?? volume.host
        ledger.originLocation = ledger.originLocation ?? volume.location
        ledger.connector = try await lease(ledger, parts).connector
        try await mark(ledger, parts)
        var handle = try await parts.handle(volume)
        handle.location = ""
        let copy = handle
        ledger.location = try await patiently(&ledger) { ledger in
            try await parts.call(ledger.target, .create(copy, from: .blank), timeout: parts.config.copyTimeout)
        }.location
        ledger.place = try await patiently(&ledger) { try await connect($0, parts) }.withoutSecrets
        try await parts.unlock(ledger.volume)
    }

    private static func mark(_ ledger: Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, now, id, target) = (parts.stores, parts.clock.now(), ledger.volume, ledger.target)
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction) else { throw BlockStorageParts.lost(id) }
            volume.migration = "migrating"
            try stores.volumes.update(volume, at: now, transaction)
            // Or it would be swept before any row names it.
            try stores.volumes.setMigrationTarget(id, target, transaction)
        }
    }

    /// The lease, if the server still has the volume by it.
    private static func lease(_ ledger: Ledger, _ parts: BlockStorageParts) async throws -> VolumeAttachment {
        let (stores, id) = (parts.stores, ledger.attachment)
        guard let attachment = try await parts.database.read({ try stores.attachments.attachment(id, $0) }),
            attachment.status == .attached, attachment.connector != nil
        else {
            throw CloudError.conflict("The server no longer has the volume \(ledger.volume).", kind: "VolumeDetached")
        }
        return attachment
    }

    /// Exports the new place to the attachment's host. Repeatable; what comes back holds secrets.
    private static func connect(_ ledger: Ledger, _ parts: BlockStorageParts) async throws -> VolumeConnection {
        guard let connector = ledger.connector, var volume = try await parts.volume(ledger.volume) else {
            throw BlockStorageParts.lost(ledger.volume)
        }
        volume.location = ledger.location ?? ""
        let handle = try await parts.handle(volume)
        let reply = try await parts.call(ledger.target, .connect(handle, to: connector, isReadOnly: false))
        guard let connection = reply.connection else {
            throw CloudError(.bug, "The volume could not be exported.", cause: "no connection from \(ledger.target)")
        }
        return connection
    }

    // MARK: Copy

    /// Without the lock: the guest's owner may stop or reboot it meanwhile.
    private static func copy(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        _ = try await parts.held(ledger.volume)
        _ = try await lease(ledger, parts)
        let state = try await patiently(&ledger) { ledger in
            try await ask(.copy, to: try await connect(ledger, parts), ledger, parts)
        }
        switch state {
        case .ready, .moved: return
        case .copying(let bytes): try await wait(at: bytes, &ledger, parts)
        case .waiting: try await wait(at: ledger.doneBytes ?? 0, &ledger, parts)
        case .closed, .resting, .gone: throw stopped(ledger)
        }
    }

    /// Asks to be repeated, as long as the copy comes further.
    private static func wait(at bytes: Int64, _ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let now = parts.clock.now()
        let late = CloudError(
            .unavailable, "The volume's move came no further.", cause: "\(bytes) bytes of \(ledger.volume) are copied")
        if let since = ledger.progressAt, ledger.doneBytes == bytes {
            guard now - since < stallLimit else { throw late }
        } else {
            ledger.progressAt = now
            ledger.doneBytes = bytes
        }
        let pause = Duration.milliseconds(100 << min(SagaRun.current?.attempt ?? 0, 6))
        throw SagaRetry(after: min(pause, longestPause), because: late)
    }

    private static func stopped(_ ledger: Ledger) -> CloudError {
        .conflict("The server stopped while its volume \(ledger.volume) was being moved.", kind: "InstanceNotRunning")
    }

    /// Asks to be repeated while nobody answers, for some time.
    private static func patiently<T: Sendable>(
        _ ledger: inout Ledger, _ body: @Sendable (Ledger) async throws -> T
    ) async throws -> T {
        do {
            let result = try await body(ledger)
            ledger.failures = nil
            return result
        } catch let error as CloudError where error.code == .unavailable {
            let failures = (ledger.failures ?? 0) + 1
            ledger.failures = failures
            guard failures < attempts else { throw error }
            throw SagaRetry(after: min(.milliseconds(200 << failures), longestPause), because: error)
        }
    }

    private static func ask(
        _ step: VolumeRelocation.Step, to connection: VolumeConnection, _ ledger: Ledger, _ parts: BlockStorageParts
    ) async throws -> VolumeRelocation.State {
        guard let compute = parts.compute.service else { return .gone }
        return try await compute.relocateVolume(
            of: ServerID(ledger.server), to: connection, step, request: ledger.requestID)
    }

    // MARK: Move

    /// From here to the switch nobody is told where the volume is, and no guest that was told before is about to start.
    private static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await parts.lock(ledger.volume)
        if try await parts.compute.service?.isStarting(anyOf: [ServerID(ledger.server)]) == true {
            try await parts.unlock(ledger.volume)
            throw SagaRetry(
                after: .milliseconds(300),
                because: .conflict("Server \(ledger.server) is starting for too long."))
        }
        _ = try await parts.held(ledger.volume)
        _ = try await lease(ledger, parts)
        ledger.isFinishing = true
        ledger.progressAt = nil
    }

    private static func move(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let place = ledger.place else { throw BlockStorageParts.lost(ledger.volume) }
        switch try await patiently(&ledger, { try await ask(.finish, to: place, $0, parts) }) {
        // The host was fenced, or the server deleted: the new place was equal, and may have more than the old.
        case .moved, .gone: return
        case .copying(let bytes): try await wait(at: bytes, &ledger, parts)
        case .waiting, .ready: try await wait(at: ledger.doneBytes ?? 0, &ledger, parts)
        case .closed, .resting: throw stopped(ledger)
        }
    }

    // MARK: Switch

    /// Whatever has become of the run's claim, a row whose guest has moved says where it is.
    private static func swap(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let connection = try await patiently(&ledger) { try await connect($0, parts) }
        let (stores, run, id, now, done) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now(), ledger)
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction) else { throw BlockStorageParts.lost(id) }
            guard volume.host == done.origin else { return }
            volume.host = done.target
            volume.location = done.location ?? ""
            if let type = done.type { volume.typeID = type }
            if let backend = try stores.backends.backend(VolumeBackend.address(of: done.target), transaction) {
                volume.zone = backend.zone
            }
            try stores.volumes.update(volume, at: now, transaction)
            try stores.volumes.setMigrationTarget(id, nil, transaction)
            if var attachment = try stores.attachments.attachment(done.attachment, transaction) {
                attachment.move(to: connection)
                try stores.attachments.update(attachment, transaction)
            }
            try stores.locks.release(id, of: run.rawValue, transaction)
        }
    }

    // MARK: Erase

    /// The host has said that the old place is closed. What a backend that fails, or is away, keeps is swept later,
    /// because no row names it. So this fails nothing.
    private static func erase(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let volume = try await parts.volume(ledger.volume), volume.sagaRun == SagaRun.id,
            volume.host == ledger.target, let origin = ledger.origin
        else { return }
        try await remove(origin, ledger.originLocation, ledger, parts)
    }

    private static func remove(
        _ backend: String, _ location: String?, _ ledger: Ledger, _ parts: BlockStorageParts
    ) async throws {
        let handle = VolumeHandle(id: ledger.volume, sizeGiB: 0, location: location ?? "")
        do {
            guard try await parts.isUp(backend) else {
                throw CloudError(.unavailable, "The backend does not answer.", cause: backend)
            }
            if let connector = ledger.connector {
                try await parts.call(backend, .disconnect(handle, from: connector))
            }
            try await parts.call(backend, .delete(handle))
        } catch let error as CloudError {
            parts.log.warning(
                "moved volume left behind", ["volume": ledger.volume, "backend": backend, "error": error])
        }
    }

    // MARK: Finish

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await rest(ledger, .workFinished(ledger.work), migration: "success", parts)
    }

    /// The row is nobody's again. A volume that only migrates has kept its status, or has what its attachments say.
    private static func rest(
        _ ledger: Ledger, _ event: VolumeEvent, migration: String, _ parts: BlockStorageParts
    ) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard var volume = try stores.volumes.volume(id, transaction), volume.sagaRun == run else { return }
            let state = volume.status == ledger.work.status ? volume.state.after(event) ?? volume.state : volume.state
            guard try stores.volumes.move(volume, to: state, run: nil, at: now, transaction) else {
                throw BlockStorageParts.lost(id)
            }
            volume.migration = migration
            try stores.volumes.update(volume, at: now, transaction)
            try stores.volumes.setMigrationTarget(id, nil, transaction)
        }
    }

    // MARK: Failure

    /// Ends in one place what may be in two. Throws, to be repeated, while the host that knows does not answer.
    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        var ledger = ledger
        guard let volume = try await parts.volume(ledger.volume) else { return }
        // An administrator has reset it, and another run has begun: the copy is that one's.
        guard volume.sagaRun == SagaRun.id || volume.sagaRun == nil else {
            return try await rest(ledger, .workFailed(ledger.work), migration: "error", parts)
        }
        try await parts.lock(ledger.volume)
        if volume.host == ledger.target {
            try await erase(&ledger, parts)
            return try await finish(&ledger, parts)
        }
        var state = VolumeRelocation.State.resting
        if let place = ledger.place { state = try await ask(.cancel, to: place, ledger, parts) }
        if state == .moved || (state == .gone && ledger.isFinishing == true) {
            try await swap(&ledger, parts)
            try await erase(&ledger, parts)
            return try await finish(&ledger, parts)
        }
        if ledger.origin != nil { try await remove(ledger.target, ledger.location, ledger, parts) }
        try await rest(ledger, .workFailed(ledger.work), migration: "error", parts)
        let (stores, id) = (parts.stores, ledger.volume)
        try await parts.database.write { try stores.volumes.setMigrationTarget(id, nil, $0) }
    }
}
