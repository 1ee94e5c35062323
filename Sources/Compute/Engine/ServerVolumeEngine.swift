// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import LogKit
import PolicyKit
import TaskKit

/// Volumes of servers: `os-volume_attachments`.
package struct ServerVolumeEngine: Sendable {
    private let servers: ServerEngine
    private var parts: ComputeParts { servers.parts }

    package init(_ servers: ServerEngine) { self.servers = servers }

    /// Where volumes come and go (nova: compute/api.py).
    private static let states: Set<VMState> = [.active, .paused, .stopped, .resized, .shelved, .shelvedOffloaded]

    // MARK: Read

    package func list(_ id: ServerID, for context: CallContext) async throws -> [ServerBlockDevice] {
        let server = try await servers.server(id, for: context)
        let stores = parts.stores
        return try await parts.database.read { try stores.blockDevices.of(server.id, $0) }.filter(\.isShown)
    }

    package func show(
        _ id: ServerID, _ volume: VolumeID, for context: CallContext
    ) async throws -> ServerBlockDevice {
        try await device(of: try await servers.server(id, for: context), volume)
    }

    private func device(of server: Server, _ volume: VolumeID) async throws -> ServerBlockDevice {
        let (stores, id) = (parts.stores, server.id)
        guard
            let device = try await parts.database.read({
                try stores.blockDevices.device(of: id, volume: volume, $0)
            }), device.isShown
        else { throw Self.notAttached(server.id, volume) }
        return device
    }

    private static func notAttached(_ server: ServerID, _ volume: VolumeID) -> CloudError {
        .notFound("Instance \(server) is not attached to volume \(volume.rawValue.prefix(64))")
    }

    private static func noVolume(_ volume: VolumeID) -> CloudError {
        .notFound("Volume \(volume.rawValue.prefix(64)) could not be found.", kind: "VolumeNotFound")
    }

    // MARK: Attach

    package struct AttachRequest: Sendable {
        package var volume: VolumeID
        package var device: String?
        package var tag: String?
        package var deletesOnTermination = false
        package init(volume: VolumeID) { self.volume = volume }
    }

    /// Reserves the volume at once, so that its refusal is the answer; the host does the rest later.
    package func attach(
        _ id: ServerID, _ request: AttachRequest, for context: CallContext
    ) async throws -> ServerBlockDevice {
        let server = try await servers.server(id, for: context)
        try ServerEngine.checkLock(server, context)
        try Self.checkState(server, "attach_volume", context)
        guard server.host != nil || server.state.vm == .shelvedOffloaded else { throw ServerEngine.notReady(id) }
        guard let volume = try await parts.volumes.volume(request.volume, for: context.principal) else {
            throw Self.noVolume(request.volume)
        }
        try await checkNotAttached(volume, to: server)
        try VolumeChecks.canAttach(volume, context)
        let run: SagaRunID = parts.ids.next()
        let device = try await claim(request, volume, server, run)
        let attachment = device.attachment ?? ID("")
        do {
            try await parts.volumes.reserve(
                attachment, volume: volume.id, server: server.id.rawValue, for: context.principal)
        } catch {
            try await VolumeLeases(parts).release(device, deletesVolume: false)
            throw Self.asBadVolume(error)
        }
        do {
            let hasHost = try await begin(device, run, server, context)
            // A server on the shelf gets its volume later, and has it for all others at once (nova:
            // `_attach_volume_shelved_offloaded`).
            if !hasHost { try await parts.volumes.complete(attachment, device: device.device ?? "") }
        } catch {
            try await VolumeLeases(parts).release(device, deletesVolume: false)
            throw error
        }
        return device
    }

    private static func checkState(_ server: Server, _ action: String, _ context: CallContext) throws {
        guard server.state.task == nil, states.contains(server.state.vm) else {
            throw ServerEngine.invalidState(server, action)
        }
        // nova 2.20: volumes come and go on the shelf, too.
        let isShelved = server.state.vm == .shelved || server.state.vm == .shelvedOffloaded
        guard !isShelved || context.microversion >= Microversion(2, 20) else {
            throw ServerEngine.invalidState(server, action)
        }
    }

    private func checkNotAttached(_ volume: VolumeInfo, to server: Server) async throws {
        let (stores, id) = (parts.stores, volume.id)
        let holders = try await parts.database.read { try stores.blockDevices.servers(with: id, $0) }
        if !holders.isEmpty, !volume.isMultiattach {
            throw CloudError.badRequest(
                "Invalid volume: volume \(id) is already attached to instances: "
                    + holders.map(\.rawValue).joined(separator: " "), kind: "InvalidVolume")
        }
        guard !holders.contains(server.id) else { throw Self.alreadyAttached(id) }
    }

    private static func alreadyAttached(_ volume: VolumeID) -> CloudError {
        .badRequest("Invalid volume: volume \(volume) already attached", kind: "InvalidVolume")
    }

    /// Writes the row, which keeps the name and the volume from others, before anything is reserved.
    private func claim(
        _ request: AttachRequest, _ volume: VolumeInfo, _ server: Server, _ run: SagaRunID
    ) async throws -> ServerBlockDevice {
        let (stores, ids, now, id) = (parts.stores, parts.ids, parts.clock.now(), server.id)
        let properties = try await servers.imageProperties(of: server)
        do {
            return try await parts.database.write { transaction in
                let present = try stores.blockDevices.of(id, transaction)
                // A server that was made before its disks were written down has a root disk all the same.
                let taken = present.compactMap(\.device) + (present.contains { $0.isRoot } ? [] : ["/dev/vda"])
                var names = BlockDeviceNames(taken: taken, bus: properties["hw_disk_bus"])
                var device = ServerBlockDevice(
                    id: ids.next(), server: id, source: .volume, destination: .volume, state: .reserving, at: now)
                device.volume = volume.id
                device.attachment = ids.next()
                device.device = names.next(wanted: request.device)
                device.deletesOnTermination = request.deletesOnTermination
                device.size = volume.sizeGiB
                device.tag = request.tag
                device.isShared = volume.isMultiattach
                device.sagaRun = run
                try stores.blockDevices.insert(device, transaction)
                return device
            }
        } catch DatabaseError.unique {
            throw Self.alreadyAttached(volume.id)
        }
    }

    /// False: the server is on no host.
    private func begin(
        _ device: ServerBlockDevice, _ run: SagaRunID, _ server: Server, _ context: CallContext
    ) async throws -> Bool {
        let (stores, sagas, now, request) = (parts.stores, servers.sagas, parts.clock.now(), context.requestID)
        let user = context.principal.userID
        return try await parts.database.write { transaction in
            guard let server = try stores.servers.server(server.id, transaction), !server.isDeleted else {
                throw ServerEngine.notFound(server.id)
            }
            // Between the look and now it may have come to a host, or left it.
            guard server.state.task != .deleting, server.host != nil || server.state == ServerState(.shelvedOffloaded),
                try stores.blockDevices.move(
                    device.id, from: .reserving, heldBy: run, to: server.host == nil ? .attached : .attaching,
                    holder: server.host == nil ? nil : run, at: now, transaction)
            else { throw ServerEngine.invalidState(server, "attach_volume") }
            try stores.actions.begin(
                server.id, action: "attach_volume", event: "compute_attach_volume", request: request, user: user,
                project: server.projectID, at: now, transaction)
            guard let host = server.host else {
                try stores.actions.finish(server.id, request: request, error: nil, host: nil, at: now, transaction)
                return false
            }
            try sagas.start(
                AttachVolumeSaga.self, id: run,
                ledger: .init(server: server.id, requestID: request, device: device.id, host: host), in: transaction)
            return true
        }
    }

    /// Block Storage's refusals as nova tells them.
    private static func asBadVolume(_ error: any Error) -> any Error {
        guard let error = error as? CloudError, error.code == .badRequest || error.code == .conflict else {
            return error
        }
        let message = error.message.hasPrefix("Invalid volume") ? error.message : "Invalid volume: \(error.message)"
        return CloudError.badRequest(message, kind: "InvalidVolume")
    }

    // MARK: Change

    /// The fields that a client may send back as it got them, and the one that it may change.
    package struct Update: Sendable {
        package var newVolume: VolumeID
        package var id: String?
        package var server: String?
        package var device: String??
        package var tag: String?
        package var deletesOnTermination: Bool?
        package init(newVolume: VolumeID) { self.newVolume = newVolume }
    }

    /// `onlySwaps`: before 2.85 there was nothing else to change.
    package func update(
        _ id: ServerID, _ volume: VolumeID, _ update: Update, onlySwaps: Bool, for context: CallContext
    ) async throws {
        let isSwap = onlySwaps || update.newVolume != volume
        let server = try await servers.server(
            id, for: context,
            as: isSwap ? "os_compute_api:os-volumes-attachments:swap" : "os_compute_api:os-volumes-attachments:update")
        if !onlySwaps { try await change(server, volume, update) }
        if isSwap { try await swap(volume, for: context) }
    }

    private func change(_ server: Server, _ volume: VolumeID, _ update: Update) async throws {
        let device = try await device(of: server, volume)
        func check(_ isSame: Bool, _ name: String) throws {
            guard isSame else { throw CloudError.badRequest("The \(name) property is not mutable") }
        }
        try check(update.id == nil || update.id == volume.rawValue, "id")
        try check(update.server == nil || update.server == server.id.rawValue, "serverId")
        if let path = update.device { try check(path == device.device, "device") }
        try check(update.tag == nil || update.tag == device.tag, "tag")
        guard let deletes = update.deletesOnTermination else { return }
        let (stores, id) = (parts.stores, device.id)
        try await parts.database.write { try stores.blockDevices.setDeletesOnTermination(id, deletes, $0) }
    }

    /// nova takes this from a Block Storage that is migrating the volume, and refuses it otherwise. Here Block Storage
    /// asks in the process (`ComputeService.relocateVolume`), so there is never such a call.
    private func swap(_ volume: VolumeID, for context: CallContext) async throws {
        guard try await parts.volumes.volume(volume, for: context.principal) != nil else {
            throw Self.noVolume(volume)
        }
        throw CloudError.conflict(
            "volume \(volume) is not migrating; this API should only be called by Cinder")
    }

    // MARK: Detach

    package func detach(_ id: ServerID, _ volume: VolumeID, for context: CallContext) async throws {
        let server = try await servers.server(id, for: context)
        guard try await parts.volumes.volume(volume, for: context.principal) != nil else {
            throw Self.noVolume(volume)
        }
        let device = try await device(of: server, volume)
        guard !device.isRoot else { throw CloudError.badRequest("Cannot detach a root device volume") }
        try ServerEngine.checkLock(server, context)
        try Self.checkState(server, "detach_volume", context)
        try await checkHost(server)
        let run: SagaRunID = parts.ids.next()
        try await claimDetach(device, run)
        let (stores, attachment) = (parts.stores, device.attachment ?? ID(""))
        do {
            // The volume of a server that is on no host is reserved for it, and not in use.
            if server.host != nil { try await parts.volumes.beginDetaching(attachment, for: context.principal) }
        } catch {
            let now = parts.clock.now()
            try await parts.database.write {
                _ = try stores.blockDevices.move(
                    device.id, from: .detaching, heldBy: run, to: .attached, holder: nil, at: now, $0)
            }
            throw Self.asBadVolume(error)
        }
        let (sagas, now, request) = (servers.sagas, parts.clock.now(), context.requestID)
        let user = context.principal.userID
        try await parts.database.write { transaction in
            try stores.actions.begin(
                server.id, action: "detach_volume", event: "compute_detach_volume", request: request, user: user,
                project: server.projectID, at: now, transaction)
            try sagas.start(
                DetachVolumeSaga.self, id: run,
                ledger: .init(
                    server: server.id, requestID: request, device: device.id, host: server.host, isUnplugged: nil),
                in: transaction)
        }
    }

    /// A host that is away is waited for only once the detaching has begun (nova: `check_instance_host`).
    private func checkHost(_ server: Server) async throws {
        guard let host = server.host, try await parts.reach(host) == .silent else { return }
        throw CloudError(
            .conflict, "Compute service is unavailable at this time; the volume stays attached.",
            kind: "ServiceUnavailable", cause: "host \(host) is silent")
    }

    private func claimDetach(_ device: ServerBlockDevice, _ run: SagaRunID) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        let isClaimed = try await parts.database.write {
            try stores.blockDevices.move(
                device.id, from: .attached, heldBy: nil, to: .detaching, holder: run, at: now, $0)
        }
        guard isClaimed else {
            throw CloudError.badRequest(
                "Invalid volume: volume \(device.volume?.rawValue ?? "") is being attached or detached already",
                kind: "InvalidVolume")
        }
    }
}
