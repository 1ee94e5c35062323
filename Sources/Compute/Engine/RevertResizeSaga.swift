// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import TaskKit

/// Takes a move back: the server is what was set aside of it. Only forward: a run that fails before anything is done
/// leaves the server to be confirmed or reverted again, a later failure leaves it in ERROR with its old flavor and
/// disks.
package enum RevertResizeSaga: Saga {
    package static let name: StaticString = "server.revert-resize"
    package static let deadline = Duration.seconds(1800)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.powerTimeout * 3 }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var migration: ServerMigrationID
        package var oldFlavor: FlavorSnapshot
        package var oldState: VMState
        /// Where the server is.
        package var host: String
        var source: ServerMove.Place
        /// What was set aside is the guest again.
        package var isRestored: Bool?

        var startsGuest: Bool { oldState == .active }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("restore", run: restore),
        SagaStep("settle", run: settle),
        SagaStep("start", run: start),
        SagaStep("finish", run: finish),
    ]

    private static func move(_ ledger: Ledger, _ parts: ComputeParts) -> ServerMove {
        ServerMove(parts, ledger.server, ledger.migration, .revertResize, request: ledger.requestID)
    }

    private static func restore(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (move, final) = (move(ledger, parts), ledger)
        _ = try await move.held()
        guard try await parts.isUp(final.source.host) else {
            throw CloudError(
                .conflict, "Service is unavailable at this time.", kind: "ServiceUnavailable",
                cause: "host \(final.source.host) does not report")
        }
        let reply = try await SagaRetry.whileUnavailable {
            if final.host != final.source.host { try await move.claim.destroy(on: final.host) }
            return try await parts.call(
                final.source.host, RestoreGuest(server: final.server, aside: final.migration.rawValue),
                timeout: parts.config.powerTimeout)
        }
        guard reply.isRestored else {
            throw CloudError(
                .conflict, "Nothing is left of what the server was before.", kind: "ResizeError",
                cause: "host \(final.source.host) has nothing set aside for migration \(final.migration)")
        }
        ledger.isRestored = true
    }

    private static func settle(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        try await move.settle(at: ledger.source)
        let (stores, id, flavor) = (parts.stores, ledger.server, ledger.oldFlavor)
        try await parts.database.write { try stores.servers.setFlavor(id, flavor, $0) }
        try await move.giveBack()
    }

    private static func start(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (move, host) = (move(ledger, parts), ledger.source.host)
        _ = try await move.held()
        if ledger.startsGuest { try await SagaRetry.whileUnavailable { try await move.claim.start(on: host) } }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, now) = (parts.stores, ledger.server, parts.clock.now())
        try await move(ledger, parts).finish(
            as: ledger.startsGuest ? .active : .stopped, .reverted, power: ledger.startsGuest ? .running : .shutdown,
            host: ledger.source.host
        ) { try stores.servers.setLaunched(id, at: now, $0) }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        guard ledger.isRestored == true else {
            return try await move.fail(error, as: .resized, .finished, host: ledger.host)
        }
        var ledger = ledger
        if try await move.claim.heldIfAny() != nil { try await settle(&ledger, parts) }
        try await move.fail(error, as: .error, .error, host: ledger.source.host)
    }
}
