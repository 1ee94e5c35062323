// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import LogKit
import NetworkContract
import TaskKit

/// Takes a port from a server, after its guest has let the card go. A guest that does not let go keeps the port.
package enum DetachInterfaceSaga: Saga {
    package static let name: StaticString = "server.detach-interface"
    /// A host that is away may come back, or be fenced, within this time.
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.detachTimeout }
    private static let hostRetryInterval = Duration.seconds(5)

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var host: String
        package var nic: GuestSpecification.NIC
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("unplug", run: unplug, undo: plugAgain),
        SagaStep("release", run: release),
    ]

    private static func unplug(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        switch try await parts.reach(ledger.host) {
        case .up:
            _ = try await parts.call(
                ledger.host, DetachInterface(server: ledger.server, nic: ledger.nic),
                timeout: parts.config.detachTimeout)
        case .silent:
            throw SagaRetry(
                after: hostRetryInterval,
                because: CloudError(
                    .unavailable, "The host of this server did not answer; the interface is still attached.",
                    cause: "host \(ledger.host) is silent"))
        case .lost: break
        }
    }

    /// The port is still the server's, so its guest has the card again. Runs even when `unplug` threw.
    private static func plugAgain(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, port) = (parts.stores, ledger.server, PortID(ledger.nic.portID))
        guard let server = try await parts.database.read({ try stores.servers.server(id, $0) }), !server.isDeleted,
            server.host == ledger.host, try await parts.reach(ledger.host) == .up,
            try await parts.networks.ports(of: [server])[id.rawValue]?.contains(where: { $0.id == port }) == true
        else { return }
        do {
            _ = try await parts.call(
                ledger.host, AttachInterface(server: id, nic: ledger.nic), timeout: parts.config.powerTimeout)
        } catch let error as CloudError where error.code == .notFound {
            // No guest, no card.
            return
        }
    }

    private static func release(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, now, final) = (parts.stores, parts.clock.now(), ledger)
        try await parts.networks.releasePort(PortID(final.nic.portID), server: final.server.rawValue)
        try await parts.database.write { transaction in
            try stores.servers.setNetworkTag(final.server, port: final.nic.portID, nil, transaction)
            try stores.actions.finish(
                final.server, request: final.requestID, error: nil, host: final.host, at: now, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write {
            try stores.actions.finish(
                ledger.server, request: ledger.requestID, error: error, host: ledger.host, at: now, $0)
        }
    }
}
