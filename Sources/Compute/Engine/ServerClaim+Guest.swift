// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import ImageContract
import NetworkContract
import TaskKit

/// What runs do about the guest of the server that they hold. Every call may be repeated.
extension ServerClaim {
    // MARK: Build

    /// What `host` needs to build the guest; the volumes are exported there from now on, and its disks may be open there.
    /// `flavor` nil: the one that the row says.
    func specification(
        on host: String, flavor: FlavorSnapshot? = nil, files: [ServerDraft.File] = [], adminPassword: String? = nil
    ) async throws -> GuestSpecification {
        var server = try await held()
        if let flavor { server.flavor = flavor }
        let (stores, id, lost) = (parts.stores, server.id, lost)
        try await parts.database.write { try stores.blockDevices.setHost(ofServer: id, host, $0) }
        let volumes = try await VolumeLeases(parts).connectAll(of: id, to: host)
        let (extras, devices) = try await parts.database.read { transaction in
            guard let extras = try stores.servers.extras(id, transaction) else { throw lost }
            return (extras, try stores.blockDevices.of(id, transaction))
        }
        return try GuestAssembly.specification(
            server, extras, ports: try await ports(), devices: devices, volumes: volumes, files: files,
            adminPassword: adminPassword, parts.config)
    }

    /// Builds the guest, and says to Block Storage that it has its volumes.
    func build(_ guest: GuestSpecification, on host: String) async throws {
        _ = try await parts.call(host, BuildGuest(guest: guest), timeout: parts.config.buildTimeout)
        for device in try await volumes() {
            guard let attachment = device.attachment else { continue }
            try await parts.volumes.complete(attachment, device: device.device ?? "")
        }
    }

    /// Volumes that are the server's own, and that nothing else is being done to.
    func volumes() async throws -> [ServerBlockDevice] {
        let (stores, id) = (parts.stores, server)
        return try await parts.database.read { try stores.blockDevices.of(id, $0) }
            .filter { $0.isVolume && $0.state == .attached }
    }

    // MARK: Ports

    func ports() async throws -> [ServerPort] {
        let (stores, id) = (parts.stores, server)
        guard let row = try await parts.database.read({ try stores.servers.server(id, $0) }) else { return [] }
        return try await parts.networks.ports(of: [row])[id.rawValue] ?? []
    }

    func waitForPorts(on host: String) async throws {
        guard parts.config.portUpTimeout > .zero else { return }
        let end = parts.clock.now() + parts.config.portUpTimeout
        for port in try await ports() {
            guard try await parts.networks.waitUntilUp(port.id, limit: max(end - parts.clock.now(), .milliseconds(1)))
            else {
                throw CloudError(
                    .unavailable, "Virtual Interface creation failed: port \(port.id) did not come up in time.",
                    kind: "VirtualInterfaceCreateException",
                    cause: "host \(host) has not plugged it within \(parts.config.portUpTimeout)")
            }
        }
    }

    // MARK: Power

    func stop(on host: String, graceSeconds: Int) async throws {
        _ = try await parts.call(
            host, PowerAction(server: server, kind: .stop, graceSeconds: graceSeconds),
            timeout: parts.config.powerTimeout + .seconds(graceSeconds))
    }

    func start(on host: String) async throws -> GuestReply {
        let volumes = try await VolumeLeases(parts).connectAll(of: server, to: host)
        return try await parts.call(
            host, PowerAction(server: server, kind: .start, graceSeconds: 0, volumes: volumes),
            timeout: parts.config.powerTimeout)
    }

    // MARK: Leave

    /// Removes a guest that was built while its server was deleted: the deletion may not have met it.
    func destroyIfEnding(on host: String) async throws {
        let (stores, id) = (parts.stores, server)
        let row = try await parts.database.read { try stores.servers.server(id, $0) }
        guard row.map({ $0.isDeleted || $0.state.task == .deleting }) ?? true, try await parts.isUp(host) else {
            return
        }
        _ = try await parts.call(host, DestroyGuest(server: id), timeout: parts.config.powerTimeout)
    }

    /// Nothing of the guest is left on the host, unless that is lost. Throws `.unavailable` while nobody can say.
    func destroy(on host: String) async throws {
        guard try await answers(host) else { return }
        _ = try await parts.call(host, DestroyGuest(server: server), timeout: parts.config.powerTimeout)
    }

    /// False: the host is lost, and runs nothing any more. Throws `.unavailable` while nobody can say.
    func answers(_ host: String) async throws -> Bool {
        switch try await parts.reach(host) {
        case .up: return true
        case .lost: return false
        case .silent:
            throw CloudError(.unavailable, "The host of this server did not answer.", cause: "host \(host) is silent")
        }
    }

    /// As `destroy`, and its volumes are reserved for the server alone.
    func clear(_ host: String) async throws {
        try await destroy(on: host)
        let (stores, id) = (parts.stores, server)
        try await parts.database.write { try stores.blockDevices.setHost(ofServer: id, nil, $0) }
        for device in try await volumes() {
            if let attachment = device.attachment { try await parts.volumes.disconnect(attachment) }
        }
    }
}

/// The making of an image of a root disk, in the steps of a run. Every call may be repeated.
struct RootDiskUpload: Sendable {
    let parts: ComputeParts
    let server: ServerID
    let host: String
    let image: ImageID
    let actor: Requester

    /// Copies and uploads in one go: the copy is large, and the file of a step that was repeated would be another.
    func run() async throws {
        let principal = actor.principal
        if let image = try await parts.images.image(image, for: principal), image.status == "active" { return }
        let copy = try await parts.call(
            host, CopyRootDisk(server: server, copy: image.rawValue), timeout: parts.config.imageTimeout)
        try await parts.images.upload(image, from: copy.path, limit: parts.config.imageTimeout, for: principal)
    }

    /// The copy of a host that is away goes with the server's folder.
    func removeCopy() async throws {
        guard try await parts.isUp(host) else { return }
        _ = try await parts.call(
            host, RemoveRootDiskCopy(server: server, copy: image.rawValue), timeout: parts.config.powerTimeout)
    }
}
