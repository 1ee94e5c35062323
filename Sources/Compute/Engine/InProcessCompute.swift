// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract

/// What Compute does for the other services of its process: answers guests about themselves, and tells their hosts what
/// has become of their volumes.
package struct InProcessCompute: ComputeService {
    private let parts: ComputeParts
    private let documents: MetadataEngine

    package init(_ parts: ComputeParts) {
        self.parts = parts
        documents = MetadataEngine(parts)
    }

    package func metadata(of server: ServerID, in project: ProjectID, path: String) async throws -> MetadataAnswer? {
        try await documents.metadata(of: server, in: project, path: path)
    }

    package func keepPassword(
        _ password: [UInt8], of server: ServerID, in project: ProjectID, path: String
    ) async throws -> Bool {
        try await documents.keepPassword(password, of: server, in: project, path: path)
    }

    package func moveVolume(
        _ volume: String, of server: ServerID, toFile path: String, format: String
    ) async throws {
        guard let format = VolumeConnection.Format(rawValue: format) else {
            throw CloudError(.bug, "The volume cannot be moved.", cause: "unknown format \(format)")
        }
        guard let host = try await host(of: server) else { return }
        _ = try await parts.call(
            host, MoveVolume(server: server, volume: ID(volume), path: path, format: format),
            timeout: parts.config.powerTimeout)
    }

    package func relocateVolume(
        of server: ServerID, to connection: VolumeConnection, _ step: VolumeRelocation.Step, request: String
    ) async throws -> VolumeRelocation.State {
        let stores = parts.stores
        let found = try await parts.database.read { transaction in
            try stores.servers.server(server, transaction).flatMap { row in
                try stores.blockDevices.device(of: server, volume: connection.volume, transaction).map { (row, $0) }
            }
        }
        guard let (row, device) = found, !row.isDeleted, let host = row.host, let target = device.target else {
            return .gone
        }
        switch try await parts.reach(host) {
        case .up: break
        case .lost: return .gone
        case .silent:
            throw CloudError(.unavailable, "The host of this server did not answer.", cause: "host \(host) is silent")
        }
        if step == .copy {
            guard row.state.task == nil else { return .waiting }
            // nova: compute/api.py, `swap_volume`
            guard row.state.vm == .active || row.state.vm == .paused else {
                throw CloudError.conflict(
                    "Cannot 'swap_volume' instance \(server) while it is in vm_state \(row.state.vm.rawValue)",
                    kind: "InstanceInvalidState")
            }
        }
        let volume = GuestVolume(
            connection: connection, device: target, bus: device.diskBus, deviceType: device.deviceType,
            bootIndex: device.bootIndex, tag: device.tag, isShared: device.isShared)
        let reply = try await parts.call(
            host, RelocateVolume(server: server, volume: volume, step: step), timeout: parts.config.powerTimeout)
        if step == .finish, reply.state == .moved { try await noteMove(row, host, request) }
        return reply.state
    }

    private func noteMove(_ server: Server, _ host: String, _ request: String) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.actions.begin(
                server.id, action: "swap_volume", event: "compute_swap_volume", request: request, user: server.userID,
                project: server.projectID, at: now, transaction)
            try stores.actions.finish(server.id, request: request, error: nil, host: host, at: now, transaction)
        }
    }

    package func resizeVolume(
        _ volume: String, of server: ServerID, toBytes sizeBytes: Int64, request: String
    ) async throws {
        guard let host = try await host(of: server) else { return }
        let (stores, clock) = (parts.stores, parts.clock)
        try await parts.database.write { transaction in
            guard let row = try stores.servers.server(server, transaction) else { return }
            try stores.actions.begin(
                server, action: "extend_volume", event: "compute_extend_volume", request: request, user: row.userID,
                project: row.projectID, at: clock.now(), transaction)
            try stores.actions.reopen(server, request: request, transaction)
        }
        var failure: CloudError?
        do {
            _ = try await parts.call(
                host, ResizeVolume(server: server, volume: ID(volume), sizeBytes: sizeBytes),
                timeout: parts.config.powerTimeout)
        } catch let error as CloudError {
            failure = error
        }
        let outcome = failure
        try await parts.database.write {
            try stores.actions.finish(server, request: request, error: outcome, host: host, at: clock.now(), $0)
        }
        if let outcome { throw outcome }
    }

    package func isStarting(anyOf servers: [ServerID]) async throws -> Bool {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            try servers.contains { try stores.servers.server($0, transaction)?.state.task?.startsGuest ?? false }
        }
    }

    package func leasesHeld(among attachments: [String]) async throws -> Set<String> {
        let stores = parts.stores
        return try await parts.database.read { try stores.blockDevices.known(attachments, $0) }
    }

    /// Nil: nothing of the server runs anywhere. A host that does not answer is asked all the same, and its silence told.
    private func host(of server: ServerID) async throws -> String? {
        let stores = parts.stores
        guard let found = try await parts.database.read({ try stores.servers.server(server, $0) }), !found.isDeleted,
            let host = found.host, try await parts.reach(host) != .lost
        else { return nil }
        return host
    }
}
