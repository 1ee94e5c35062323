// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import LogKit
import NetworkContract
import TaskKit

/// Gives a server a port, and its guest the card for it. It holds no row: whoever takes the server meanwhile wins, and
/// the port goes back.
package enum AttachInterfaceSaga: Saga {
    package static let name: StaticString = "server.attach-interface"
    package static let deadline = Duration.seconds(600)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.powerTimeout }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var actor: Requester
        package var host: String
        package var zone: String
        package var plan: CreateServerSaga.PortPlan
        package var hostname: String
        package var tag: String?
        /// Nil: that of the guest's other cards.
        package var model: String?
        package var nic: GuestSpecification.NIC?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("connect", run: connect, undo: disconnect),
        SagaStep("plug", run: plug, undo: unplug),
        SagaStep("finish", run: finish, undo: unfinish),
    ]

    private static func connect(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (id, principal, server) = (ledger.plan.id, ledger.actor.principal, ledger.server.rawValue)
        let port: ServerPort
        if var request = ledger.plan.request, !ledger.plan.isExisting {
            request.hostname = ledger.hostname
            port = try await parts.networks.ensureServerPort(
                id, request, server: server, zone: ledger.zone, for: principal)
        } else {
            port = try await parts.networks.claimPort(id, server: server, zone: ledger.zone, for: principal)
        }
        try await parts.networks.bindPort(id, server: server, host: ledger.host)
        ledger.nic = .init(
            portID: port.id.rawValue, tapName: port.tapName, macAddress: port.macAddress, mtu: port.mtu,
            model: ledger.model)
    }

    /// A port that another device holds stays that device's.
    private static func disconnect(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await parts.networks.releasePort(ledger.plan.id, server: ledger.server.rawValue)
    }

    private static func plug(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard let nic = ledger.nic else { throw lost(ledger.server) }
        let (stores, wanted) = (parts.stores, ledger)
        try await parts.database.read { try check(wanted, stores, $0) }
        _ = try await parts.call(
            ledger.host, AttachInterface(server: ledger.server, nic: nic), timeout: parts.config.powerTimeout)
    }

    /// Runs even when `plug` threw: the host may have acted before the connection broke. A host that is silent is asked
    /// by nobody again; its guest then has a card on a port that is gone, until its next start.
    private static func unplug(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard let nic = ledger.nic, try await parts.reach(ledger.host) == .up else { return }
        _ = try await parts.call(
            ledger.host, DetachInterface(server: ledger.server, nic: nic), timeout: parts.config.detachTimeout)
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, now, final) = (parts.stores, parts.clock.now(), ledger)
        try await parts.database.write { transaction in
            try check(final, stores, transaction)
            if let tag = final.tag {
                try stores.servers.setNetworkTag(final.server, port: final.plan.id.rawValue, tag, transaction)
            }
            try stores.actions.finish(
                final.server, request: final.requestID, error: nil, host: final.host, at: now, transaction)
        }
    }

    private static func unfinish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, server, port) = (parts.stores, ledger.server, ledger.plan.id.rawValue)
        try await parts.database.write { try stores.servers.setNetworkTag(server, port: port, nil, $0) }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write {
            try stores.actions.finish(
                ledger.server, request: ledger.requestID, error: error, host: ledger.host, at: now, $0)
        }
    }

    /// Whoever begins something with the server after this sees the new port.
    private static func check(
        _ ledger: Ledger, _ stores: ComputeStores, _ transaction: any Transaction
    ) throws {
        guard let server = try stores.servers.server(ledger.server, transaction), !server.isDeleted,
            server.host == ledger.host, server.state.task == nil
        else { throw lost(ledger.server) }
    }

    private static func lost(_ server: ServerID) -> CloudError {
        CloudError(
            .conflict, "Instance \(server) was taken by another operation while an interface was attached to it.",
            kind: "InstanceInvalidState")
    }
}
