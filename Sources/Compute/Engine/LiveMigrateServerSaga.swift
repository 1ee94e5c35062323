// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import PlacementContract
import TaskKit

/// Looks for a host that takes a guest while it runs. No hypervisor of this cloud says yet that it does
/// (`HypervisorInfo.takesRunningGuests`), so a run ends with the scheduler's reasons, and the server is what it was.
package enum LiveMigrateServerSaga: Saga {
    package static let name: StaticString = "server.live-migrate"
    package static let deadline = Duration.seconds(3600)

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var migration: ServerMigrationID
        package var hostRequest: HostRequest
        package var resources: ResourceRequest
        package var oldState: VMState
        package var source: String
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("place", run: place)]

    private static func move(_ ledger: Ledger, _ parts: ComputeParts) -> ServerMove {
        ServerMove(parts, ledger.server, ledger.migration, .liveMigrate, request: ledger.requestID)
    }

    private static func place(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        _ = try await move(ledger, parts).held()
        let hosts = try await ServerScheduler(parts).hosts(for: ledger.hostRequest, ledger.resources)
        // A host of a newer program: this controller does not know how its guests come.
        throw ServerScheduler.failure(
            NoValidHost(hosts.map { .init(host: $0.host.host, reasons: ["its agent is newer than the controller"]) }))
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).fail(error, as: ledger.oldState, .error, host: ledger.source)
    }
}
