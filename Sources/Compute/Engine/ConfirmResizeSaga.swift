// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import TaskKit

/// Ends a move for good: what the server was before goes. Nothing is taken back; a run that fails leaves the server as
/// it was asked, so that it can be confirmed again.
package enum ConfirmResizeSaga: Saga {
    package static let name: StaticString = "server.confirm-resize"
    package static let deadline = Duration.seconds(900)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.powerTimeout }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var migration: ServerMigrationID
        package var source: String
        /// Where the server is.
        package var host: String
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("discard", run: discard),
        SagaStep("finish", run: finish),
    ]

    private static func move(_ ledger: Ledger, _ parts: ComputeParts) -> ServerMove {
        ServerMove(parts, ledger.server, ledger.migration, .confirmResize, request: ledger.requestID)
    }

    private static func discard(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (move, final) = (move(ledger, parts), ledger)
        _ = try await move.held()
        try await SagaRetry.whileUnavailable {
            guard final.source == final.host else { return try await move.claim.destroy(on: final.source) }
            guard try await move.claim.answers(final.source) else { return }
            _ = try await parts.call(
                final.source, DiscardAside(server: final.server, aside: final.migration.rawValue),
                timeout: parts.config.powerTimeout)
        }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await parts.placement.release(consumer: ledger.migration.rawValue)
        let (stores, id) = (parts.stores, ledger.server)
        guard let server = try await parts.database.read({ try stores.servers.server(id, $0) }) else { return }
        // nova: compute/manager.py, `_confirm_resize`: as the guest is.
        let vm: VMState = server.power == .shutdown ? .stopped : .active
        try await move(ledger, parts).finish(as: vm, .confirmed, host: ledger.source)
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).fail(error, as: .resized, .finished, host: ledger.source)
    }
}
