// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import TaskKit

/// Changes the power state of one server. The host reaches the wanted state from any state, so repeating is safe.
package enum PowerActionSaga: Saga {
    package static let name: StaticString = "server.power"
    package static let deadline = Duration.seconds(900)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.powerTimeout + parts.config.shutdownGrace
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var host: String
        package var kind: PowerAction.Kind
        package var graceSeconds: Int
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("apply", run: apply)]

    private static func apply(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, run, id, kind) = (parts.stores, SagaRun.id, ledger.server, ledger.kind)
        // Exports do not outlive a start of the storage, and a volume may have moved while the guest was off.
        let volumes = kind.startsGuest ? try await VolumeLeases(parts).connectAll(of: id, to: ledger.host) : nil
        let reply = try await parts.call(
            ledger.host, PowerAction(server: id, kind: kind, graceSeconds: ledger.graceSeconds, volumes: volumes),
            timeout: parts.config.powerTimeout + .seconds(ledger.graceSeconds))
        let (request, host, now) = (ledger.requestID, ledger.host, parts.clock.now())
        try await parts.database.write { transaction in
            // Another run holds it: a deletion, which wins.
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run,
                let state = server.state.after(.powerFinished(kind))
            else { return }
            let power = reply.powerState ?? kind.power
            _ = try stores.servers.move(server, to: state, run: nil, power: power, at: now, transaction)
            if server.fault != nil { try stores.servers.setFault(id, nil, transaction) }
            try stores.actions.finish(id, request: request, error: nil, host: host, at: now, transaction)
        }
    }

    /// The server is what it was; its timeline and its fault say what went wrong.
    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let (stores, run, id, kind) = (parts.stores, SagaRun.id, ledger.server, ledger.kind)
        let (request, host, now) = (ledger.requestID, ledger.host, parts.clock.now())
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run,
                let state = server.state.after(.powerFailed(kind))
            else { return }
            _ = try stores.servers.move(server, to: state, run: nil, at: now, transaction)
            try stores.servers.setFault(id, ServerFault(error, at: now), transaction)
            try stores.actions.finish(id, request: request, error: error, host: host, at: now, transaction)
        }
    }
}
