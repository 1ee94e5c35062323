// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import TaskKit

/// Boots a server from another disk, with its own beside it. A server whose rescue failed has its own disks again, and
/// is off and in ERROR if its guest was stopped for it.
package enum RescueServerSaga: Saga {
    package static let name: StaticString = "server.rescue"
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.buildTimeout + parts.config.shutdownGrace
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var host: String
        package var rescue: GuestSpecification.Rescue
        /// For the config drive alone, and only when there is one.
        package var adminPassword: String?
        package var graceSeconds: Int
        /// The host may have stopped the guest.
        package var isTouched: Bool?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("rescue", run: rescue, undo: putBack),
        SagaStep("finish", run: finish),
    ]

    private static func claim(_ ledger: Ledger, _ parts: ComputeParts) -> ServerClaim {
        ServerClaim(parts, ledger.server, .rescue, request: ledger.requestID)
    }

    private static func rescue(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        var guest = try await claim(ledger, parts).specification(
            on: ledger.host, adminPassword: ledger.adminPassword)
        guest.rescue = ledger.rescue
        ledger.isTouched = true
        _ = try await parts.call(
            ledger.host, RescueGuest(guest: guest, graceSeconds: ledger.graceSeconds),
            timeout: parts.config.buildTimeout + .seconds(ledger.graceSeconds))
    }

    /// Runs even when `rescue` threw: the host may have acted before the connection broke. Not when another run has the
    /// server by now, or none: what it is, is theirs to say.
    private static func putBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        // The record of the run stays for a while after its end.
        ledger.adminPassword = nil
        guard ledger.isTouched == true, try await claim(ledger, parts).heldIfAny() != nil,
            try await parts.isUp(ledger.host)
        else { return }
        _ = try await parts.call(
            ledger.host, UnrescueGuest(server: ledger.server, volumes: nil), timeout: parts.config.powerTimeout)
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, now) = (parts.stores, ledger.server, parts.clock.now())
        try await claim(ledger, parts).finish(as: .rescued, power: .running, host: ledger.host) { _, transaction in
            try stores.servers.setLaunched(id, at: now, transaction)
        }
        ledger.adminPassword = nil
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await claim(ledger, parts).fail(
            error, as: ledger.isTouched == true ? .error : nil, host: ledger.host)
    }
}

/// Boots a server from its own disks again.
package enum UnrescueServerSaga: Saga {
    package static let name: StaticString = "server.unrescue"
    package static let deadline = Duration.seconds(900)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.powerTimeout }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var host: String
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("unrescue", run: unrescue)]

    private static func claim(_ ledger: Ledger, _ parts: ComputeParts) -> ServerClaim {
        ServerClaim(parts, ledger.server, .unrescue, request: ledger.requestID)
    }

    private static func unrescue(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let volumes = try await VolumeLeases(parts).connectAll(of: ledger.server, to: ledger.host)
        let reply = try await parts.call(
            ledger.host, UnrescueGuest(server: ledger.server, volumes: volumes), timeout: parts.config.powerTimeout)
        try await claim(ledger, parts).finish(as: .active, power: reply.powerState ?? .running, host: ledger.host)
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await claim(ledger, parts).fail(error, as: .error, host: ledger.host)
    }
}
