// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LogKit
import PlacementContract
import TaskKit

/// Builds a server anew on another host, after its own was lost: from its image or from its volumes. What the lost host
/// still has of it is an orphan when it comes back; what it holds in placement there goes with the reconciler's next
/// round.
package enum EvacuateServerSaga: Saga {
    package static let name: StaticString = "server.evacuate"
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.buildTimeout + parts.config.portUpTimeout
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var migration: ServerMigrationID
        package var hostRequest: HostRequest
        package var resources: ResourceRequest
        package var startsGuest: Bool
        var source: ServerMove.Place
        var destination: ServerMove.Place?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("place", run: place, undo: giveBack),
        SagaStep("settle", run: settle, undo: settleBack),
        SagaStep("build", run: build, undo: destroy),
        SagaStep("plug", run: waitForPorts),
        SagaStep("finish", run: finish, undo: unfinish),
    ]

    private static func move(_ ledger: Ledger, _ parts: ComputeParts) -> ServerMove {
        ServerMove(parts, ledger.server, ledger.migration, .evacuate, request: ledger.requestID)
    }

    private static func place(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        ledger.destination = try await move.claim(ledger.hostRequest, ledger.resources, prefers: nil)
        try await move.advance(to: .rebuilding, .preMigrating)
    }

    private static func giveBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).giveBack()
    }

    private static func settle(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        guard let destination = ledger.destination else { throw move.claim.lost }
        // A host that came back meanwhile runs its guest still.
        guard try await !parts.isUp(ledger.source.host) else {
            throw CloudError.conflict(
                "Compute service of \(ledger.source.host) is still in use.", kind: "ComputeServiceInUse")
        }
        try await move.settle(at: destination)
        try await move.advance(to: .rebuildSpawning, .preMigrating)
    }

    private static func settleBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        if ledger.destination != nil { try await move(ledger, parts).settleBack(at: ledger.source) }
    }

    private static func build(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        guard let host = ledger.destination?.host else { throw move.claim.lost }
        var guest = try await move.specification(try await move.held().flavor, on: host)
        guest.staysOff = ledger.startsGuest ? nil : true
        _ = try await parts.call(host, BuildGuest(guest: guest), timeout: parts.config.buildTimeout)
    }

    private static func destroy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).destroy(at: ledger.destination)
    }

    private static func waitForPorts(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        if ledger.startsGuest { try await move(ledger, parts).waitForPorts(at: ledger.destination) }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, now) = (parts.stores, ledger.server, parts.clock.now())
        try await move(ledger, parts).finish(
            as: ledger.startsGuest ? .active : .stopped, .done, power: ledger.startsGuest ? .running : .shutdown,
            host: ledger.destination?.host
        ) { try stores.servers.setLaunched(id, at: now, $0) }
    }

    private static func unfinish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).reopen(
            from: ServerState(ledger.startsGuest ? .active : .stopped), .done,
            to: ServerState(ledger.startsGuest ? .active : .stopped, .rebuildSpawning))
    }

    /// Nobody knows what is left of the server on its old host (nova: conductor/manager.py, `rebuild_instance`).
    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).fail(error, as: .error, .error, host: ledger.source.host)
    }
}
