// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import LogKit

/// The volumes that servers lease from Block Storage: where hosts find them, and how leases end.
///
/// A lease ends only when no host can have the volume open: the host said so, or it is lost. Until then its row stays.
struct VolumeLeases: Sendable {
    let parts: ComputeParts

    init(_ parts: ComputeParts) { self.parts = parts }

    /// Exports a volume to a host. Repeatable; the connection holds secrets and is never stored.
    func connect(_ device: ServerBlockDevice, to host: String) async throws -> GuestVolume {
        guard let attachment = device.attachment, let target = device.target else {
            throw CloudError(.bug, "The volume cannot be attached.", cause: "block device \(device.id) has no lease")
        }
        let connection = try await parts.volumes.connect(attachment, to: try await connector(host))
        return GuestVolume(
            connection: connection, device: target, bus: device.diskBus, deviceType: device.deviceType,
            bootIndex: device.bootIndex, tag: device.tag, isShared: device.isShared)
    }

    /// What a guest that starts on `host` needs: every volume that its server has, exported again.
    func connectAll(of server: ServerID, to host: String) async throws -> [GuestVolume] {
        let stores = parts.stores
        let devices = try await parts.database.read { try stores.blockDevices.of(server, $0) }
        var volumes: [GuestVolume] = []
        // One that the host was asked to attach is the guest's, too: the start must not take it away again.
        for device in devices
        where device.isVolume && (device.state == .attached || (device.state == .attaching && device.host != nil)) {
            volumes.append(try await connect(device, to: host))
        }
        return volumes
    }

    private func connector(_ name: String) async throws -> HostConnector {
        let stores = parts.stores
        guard let host = try await parts.database.read({ try stores.hosts.host(name, $0) }) else {
            throw CloudError(.unavailable, "The host of this server is not available.", cause: "no host \(name)")
        }
        return HostConnector(
            host: name, ip: host.hypervisor.hostAddress, initiator: host.hypervisor.initiator)
    }

    /// Ends a lease that no host uses any more, and the volume's life if it goes with the server. Repeatable.
    func release(_ device: ServerBlockDevice, deletesVolume: Bool) async throws {
        if let attachment = device.attachment { try await parts.volumes.release(attachment) }
        if deletesVolume, let volume = device.volume { try await parts.volumes.deleteServerVolume(volume) }
        let (stores, id) = (parts.stores, device.id)
        try await parts.database.write { try stores.blockDevices.delete(id, $0) }
    }

    /// After the guest is gone from its host.
    func releaseAll(of server: ServerID) async throws {
        let stores = parts.stores
        for device in try await parts.database.read({ try stores.blockDevices.of(server, $0) }) where device.isVolume {
            try await release(device, deletesVolume: device.deletesOnTermination)
        }
    }

    /// Leaves the volumes of a server to the reconciler: its host does not answer.
    func abandonAll(of server: ServerID) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            for device in try stores.blockDevices.of(server, transaction) where device.isVolume {
                try stores.blockDevices.abandon(device.id, at: now, transaction)
            }
        }
    }
}
