// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit

/// Snapshots of attached volumes that another service asks the host for. Block Storage of this cloud makes its
/// snapshots itself, above the file that the guest has open, and is told of no other: a host never does what is asked
/// here.
package struct AssistedSnapshotEngine: Sendable {
    private let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    /// Where a host could be asked (nova: compute/api.py, `volume_snapshot_create`).
    private static let states: Set<VMState> = [.active, .stopped, .paused, .suspended]

    /// The server that has the volume. Throws `.badRequest` with upstream's reasons when it is nobody's, many
    /// servers', or one's that is in no state for it.
    package func server(with volume: String) async throws -> Server {
        let stores = parts.stores
        let servers = try await parts.database.read { transaction in
            try stores.blockDevices.servers(with: ID(volume), transaction).compactMap { id in
                try stores.servers.server(id, transaction)
            }
        }
        guard let server = servers.first(where: { !$0.isDeleted }) else {
            throw CloudError.badRequest(
                "No volume Block Device Mapping with id \(volume.prefix(64)).", kind: "VolumeBDMNotFound")
        }
        guard servers.count == 1 else {
            throw CloudError.badRequest(
                "Block Device Mapping \(volume.prefix(64)) is a multi-attach volume and is not valid for this "
                    + "operation.", kind: "VolumeBDMIsMultiAttach")
        }
        guard server.host != nil else {
            throw CloudError.badRequest("Instance \(server.id) is not ready", kind: "InstanceNotReady")
        }
        guard Self.states.contains(server.state.vm) else {
            throw CloudError.badRequest(
                "Cannot 'volume_snapshot' instance \(server.id) while it is in vm_state \(server.state.vm.rawValue)",
                kind: "InstanceInvalidState")
        }
        return server
    }
}
