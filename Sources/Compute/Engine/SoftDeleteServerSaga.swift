// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import TaskKit

/// Stops a server that its owner deleted and may still want back, or starts it when it is wanted back. What it holds
/// stays its own until it is reclaimed.
package enum SoftDeleteServerSaga: Saga {
    package static let name: StaticString = "server.soft-delete"
    package static let deadline = Duration.seconds(900)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.powerTimeout * 2 + parts.config.shutdownGrace
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        /// Nil: it is on the shelf, and on no host.
        package var host: String?
        /// `softDelete` or `restore`.
        package var work: ServerWork
        /// What the server was before it was deleted.
        package var origin: VMState
        package var graceSeconds: Int
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("apply", run: apply)]

    private static func claim(_ ledger: Ledger, _ parts: ComputeParts) -> ServerClaim {
        ServerClaim(parts, ledger.server, ledger.work, request: ledger.requestID)
    }

    private static func apply(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (claim, stores, now, final) = (claim(ledger, parts), parts.stores, parts.clock.now(), ledger)
        if ledger.work == .restore {
            let isShelved = ledger.origin == .shelved || ledger.origin == .shelvedOffloaded
            var power = PowerState.shutdown
            if !isShelved, let host = ledger.host { power = try await claim.start(on: host).powerState ?? .running }
            return try await claim.finish(as: isShelved ? ledger.origin : .active, power: power, host: ledger.host) {
                try stores.shelves.forgetSoftDeletion(of: $0.id, $1)
            }
        }
        if let host = ledger.host {
            if ledger.origin == .rescued {
                _ = try await parts.call(
                    host, UnrescueGuest(server: ledger.server, volumes: nil), timeout: parts.config.powerTimeout)
            }
            try await claim.stop(on: host, graceSeconds: ledger.origin == .active ? ledger.graceSeconds : 0)
        }
        try await claim.finish(as: .softDeleted, power: .shutdown, host: ledger.host) {
            try stores.shelves.noteSoftDeletion(of: $0.id, from: final.origin, at: now, $1)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await claim(ledger, parts).fail(error, host: ledger.host)
    }
}
