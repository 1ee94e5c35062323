// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import ImageContract
import LogKit
import NetworkContract
import PlacementContract
import TaskKit

/// Builds one server. Survives a crash at any line, and gives way to a deletion: every step asks whether the row still
/// names this run, and a run that has lost the row removes what it made.
package enum CreateServerSaga: Saga {
    package static let name: StaticString = "server.create"
    package static let deadline = Duration.seconds(1800)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.volumeTimeout + parts.config.buildTimeout + parts.config.portUpTimeout
    }

    /// A port that the server shall have. Its id is chosen before anything is made, so that repeating makes no second.
    package struct PortPlan: Codable, Sendable, Equatable {
        package var id: PortID
        /// The user brought it; Compute only borrows it.
        package var isExisting: Bool
        package var request: ServerPortRequest?

        package static func == (left: Self, right: Self) -> Bool { left.id == right.id }
    }

    /// A volume that the server shall have. Its ids are chosen before anything is made.
    package struct VolumePlan: Codable, Sendable, Equatable {
        package var device: BlockDeviceID
        package var volume: VolumeID
        package var attachment: VolumeAttachmentID
        /// What is made; nil: the volume is there.
        package var draft: ServerVolumeDraft?
        package var name: String
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var actor: Requester
        package var hostRequest: HostRequest
        package var resources: ResourceRequest
        package var plans: [PortPlan]
        /// For the config drive alone, and only when there is one.
        package var adminPassword: String?
        package var files: [ServerDraft.File]
        package var host: String?
        package var ports: [ServerPort]?
        package var volumes: [VolumePlan]?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("place", run: place, undo: giveBack),
        SagaStep("connect", run: connect, undo: disconnect),
        SagaStep("volumes", run: leaseVolumes, undo: returnVolumes),
        SagaStep("build", run: build, undo: destroy),
        SagaStep("plug", run: waitForPorts),
        SagaStep("finish", run: finish, undo: unfinish),
    ]

    // MARK: Place

    private static func place(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let server = try await held(ledger, parts)
        let scheduler = ServerScheduler(parts)
        var attempts = 0
        for view in try await scheduler.hosts(for: ledger.hostRequest, ledger.resources) {
            attempts += 1
            guard attempts <= parts.config.placementAttempts else { break }
            do {
                try await parts.placement.claim(
                    consumer: server.id.rawValue, provider: ID(view.host.nodeID.rawValue),
                    resources: ledger.resources.resources, project: server.projectID, user: server.userID)
            } catch let error as CloudError where error.code == .conflict {
                continue
            }
            if try await take(view, ledger, parts) {
                ledger.host = view.host.host
                return
            }
        }
        // Nothing is held while it waits, and each wait is longer.
        try await parts.placement.release(consumer: server.id.rawValue)
        throw SagaRetry(
            after: min(.seconds(5), .milliseconds(100) * (1 << min(SagaRun.current?.attempt ?? 0, 6))),
            because: ServerScheduler.failure(NoValidHost([.init(host: "", reasons: ["other servers were faster"])])))
    }

    /// Writes the host into the row. False: meanwhile a member of the group got there that keeps this one away.
    private static func take(_ view: HostView, _ ledger: Ledger, _ parts: ComputeParts) async throws -> Bool {
        let (stores, run, id, group) = (parts.stores, SagaRun.id, ledger.server, ledger.hostRequest.groupID)
        let (host, node, zone, now) = (view.host.host, view.host.hypervisor.hostname, view.zone, parts.clock.now())
        return try await parts.database.write { transaction in
            if let group, let group = try stores.groups.group(group, transaction) {
                let others = try stores.servers.hosts(of: group.members.filter { $0 != id }, transaction)
                let here = others.count { $0.host == host }
                if group.policy == .antiAffinity, here >= group.maximumPerHost ?? 1 { return false }
                if group.policy == .affinity, here < others.count { return false }
            }
            guard try stores.servers.place(id, run: run, host: host, node: node, zone: zone, transaction),
                let server = try stores.servers.server(id, transaction)
            else { throw lost(id) }
            try advance(server, .networkRequested, at: now, stores, transaction)
            return true
        }
    }

    private static func giveBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await parts.placement.release(consumer: ledger.server.rawValue)
        let (stores, run, id) = (parts.stores, SagaRun.id, ledger.server)
        try await parts.database.write {
            _ = try stores.servers.place(id, run: run, host: nil, node: nil, zone: nil, $0)
        }
        // Their rows came with the request, so they go even if the run never came to the volumes.
        try await returnVolumes(&ledger, parts)
    }

    // MARK: Connect

    private static func connect(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let server = try await held(ledger, parts)
        guard let host = server.host else { throw lost(server.id) }
        let (principal, zone) = (ledger.actor.principal, server.zone ?? parts.config.defaultZone)
        var ports: [ServerPort] = []
        for plan in ledger.plans {
            let port: ServerPort
            if var request = plan.request, !plan.isExisting {
                request.hostname = server.hostname
                port = try await parts.networks.ensureServerPort(
                    plan.id, request, server: server.id.rawValue, zone: zone, for: principal)
            } else {
                port = try await parts.networks.claimPort(
                    plan.id, server: server.id.rawValue, zone: zone, for: principal)
            }
            try await parts.networks.bindPort(plan.id, server: server.id.rawValue, host: host)
            ports.append(port)
        }
        ledger.ports = ports
    }

    private static func disconnect(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        for plan in ledger.plans { try await parts.networks.releasePort(plan.id, server: ledger.server.rawValue) }
    }

    // MARK: Volumes

    private static func leaseVolumes(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let plans = ledger.volumes ?? []
        guard !plans.isEmpty else { return }
        let server = try await held(ledger, parts)
        let principal = ledger.actor.principal
        // All are begun before the first is waited for.
        for plan in plans {
            guard let draft = plan.draft else { continue }
            _ = try await parts.volumes.ensureVolume(plan.volume, draft, name: plan.name, for: principal)
        }
        let end = parts.clock.now() + parts.config.volumeTimeout
        for plan in plans {
            if plan.draft != nil {
                let left = max(end - parts.clock.now(), .milliseconds(1))
                let info = try await parts.volumes.waitUntilAvailable(plan.volume, limit: left)
                if info.isMultiattach {
                    let stores = parts.stores
                    try await parts.database.write { try stores.blockDevices.setShared(plan.device, true, $0) }
                }
            }
            try await parts.volumes.reserve(
                plan.attachment, volume: plan.volume, server: server.id.rawValue, for: principal)
        }
    }

    /// Ends the leases and what was made for them, unless the host never said that the guest is gone.
    private static func returnVolumes(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        for plan in ledger.volumes ?? [] {
            let isMade = plan.draft != nil
            let isAbandoned = try await parts.database.write { transaction in
                guard let device = try stores.blockDevices.device(plan.device, transaction), device.host != nil else {
                    return false
                }
                try stores.blockDevices.abandon(plan.device, deletesVolume: isMade, at: now, transaction)
                return true
            }
            guard !isAbandoned else { continue }
            try await parts.volumes.release(plan.attachment)
            if isMade { try await parts.volumes.deleteServerVolume(plan.volume) }
            try await parts.database.write { try stores.blockDevices.delete(plan.device, $0) }
        }
    }

    /// Exports the volumes to the host. The connections hold secrets, so they go to the host and are not saved.
    private static func connectVolumes(
        _ devices: [ServerBlockDevice], to host: String, _ parts: ComputeParts
    ) async throws -> [GuestVolume] {
        let leases = VolumeLeases(parts)
        var volumes: [GuestVolume] = []
        for device in devices where device.isVolume {
            volumes.append(try await leases.connect(device, to: host))
            guard let attachment = device.attachment else { continue }
            try await parts.volumes.complete(attachment, device: device.device ?? "")
        }
        return volumes
    }

    // MARK: Build

    private static func build(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.server, parts.clock.now())
        let (server, extras, devices) = try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run, !server.isDeleted,
                let extras = try stores.servers.extras(id, transaction)
            else { throw lost(id) }
            try advance(server, .spawnRequested, at: now, stores, transaction)
            // From here on the host may have them open.
            try stores.blockDevices.setHost(ofServer: id, server.host, transaction)
            return (server, extras, try stores.blockDevices.of(id, transaction))
        }
        guard let host = server.host else { throw lost(id) }
        let volumes = try await connectVolumes(devices, to: host, parts)
        let guest = try GuestAssembly.specification(
            server, extras, ports: ledger.ports ?? [], devices: devices, volumes: volumes, files: ledger.files,
            adminPassword: ledger.adminPassword, parts.config)
        _ = try await parts.call(host, BuildGuest(guest: guest), timeout: parts.config.buildTimeout)
    }

    /// Runs even when `build` threw: the host may have acted before the connection broke.
    private static func destroy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard let host = ledger.host else { return }
        switch try await parts.reach(host) {
        case .up:
            _ = try await parts.call(host, DestroyGuest(server: ledger.server), timeout: parts.config.powerTimeout)
        case .silent: return
        case .lost: break
        }
        let (stores, id) = (parts.stores, ledger.server)
        try await parts.database.write { try stores.blockDevices.setHost(ofServer: id, nil, $0) }
    }

    // MARK: Finish

    private static func waitForPorts(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard parts.config.portUpTimeout > .zero else { return }
        let end = parts.clock.now() + parts.config.portUpTimeout
        for plan in ledger.plans {
            let left = end - parts.clock.now()
            guard try await parts.networks.waitUntilUp(plan.id, limit: max(left, .milliseconds(1))) else {
                throw CloudError(
                    .unavailable, "Virtual Interface creation failed: port \(plan.id) did not come up in time.",
                    kind: "VirtualInterfaceCreateException",
                    cause: "host \(ledger.host ?? "?") has not plugged it within \(parts.config.portUpTimeout)")
            }
        }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.server, parts.clock.now())
        let (request, host) = (ledger.requestID, ledger.host)
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else { throw lost(id) }
            // The first try committed and the process died before it could say so.
            if server.sagaRun == nil, server.state.vm == .active { return }
            guard server.sagaRun == run, let state = server.state.after(.buildFinished) else { throw lost(id) }
            _ = try stores.servers.move(server, to: state, run: nil, power: .running, at: now, transaction)
            try stores.blockDevices.settle(ofServer: id, heldBy: run, at: now, transaction)
            try stores.servers.setLaunched(id, at: now, transaction)
            try stores.actions.finish(id, request: request, error: nil, host: host, at: now, transaction)
        }
        ledger.adminPassword = nil
        ledger.files = []
    }

    /// Takes the row back before the guest goes, unless somebody has begun something with the server meanwhile.
    private static func unfinish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.server, parts.clock.now())
        let devices = (ledger.volumes ?? []).map(\.device)
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == nil, !server.isDeleted,
                let state = server.state.after(.buildUndone)
            else { return }
            _ = try stores.servers.move(server, to: state, run: run, at: now, transaction)
            try stores.blockDevices.unsettle(ofServer: id, devices, to: run, at: now, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.server, parts.clock.now())
        let (request, host) = (ledger.requestID, ledger.host)
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run, !server.isDeleted,
                let state = server.state.after(.buildFailed)
            else { return }
            _ = try stores.servers.move(server, to: state, run: nil, power: .noState, at: now, transaction)
            try stores.servers.setFault(id, ServerFault(error, at: now), transaction)
            try stores.actions.finish(id, request: request, error: error, host: host, at: now, transaction)
        }
    }

    // MARK: The row

    /// The server, if its row still names this run.
    private static func held(_ ledger: Ledger, _ parts: ComputeParts) async throws -> Server {
        let (stores, run, id) = (parts.stores, SagaRun.id, ledger.server)
        return try await parts.database.read { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run, !server.isDeleted
            else {
                throw lost(id)
            }
            return server
        }
    }

    private static func advance(
        _ server: Server, _ event: ServerEvent, at time: Timestamp, _ stores: ComputeStores,
        _ transaction: any Transaction
    ) throws {
        guard let state = server.state.after(event),
            try stores.servers.move(server, to: state, run: server.sagaRun, at: time, transaction)
        else { throw lost(server.id) }
    }

    private static func lost(_ id: ServerID) -> CloudError {
        CloudError(
            .conflict, "Instance \(id) was deleted while it was built.", kind: "UnexpectedDeletingTaskStateError")
    }
}

extension ServerFault {
    /// Upstream's code for whatever a host could not do is 500; what the user can mend keeps its own.
    init(_ error: CloudError, at time: Timestamp) {
        self.init(code: 500, message: String(error.message.prefix(255)), details: error.cause ?? "", at: time)
    }
}
