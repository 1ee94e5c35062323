// SPDX-License-Identifier: Apache-2.0
import ComputeCore
import DatabaseKit
import TaskKit
import TestKit
import Testing

extension ComputeWorld {
    /// A process that comes to `point` dies there; `meanwhile` is what others do until another process takes over,
    /// whose runs fail at `failure`.
    func interrupted(
        at point: SagaPoint, failingAt failure: SagaPoint?,
        _ start: @escaping @Sendable (ServerEngine) async throws -> SagaRunID,
        meanwhile: @escaping @Sendable (ServerEngine) async throws -> Void = { _ in }
    ) async throws -> SagaRecord {
        let first = SagaRunner(
            database: database, registry: registry, holder: "first", limits: .test,
            probe: { if $0 == point { throw SagaCrash() } })
        let id = try await start(ServerEngine(parts, sagas: first))
        try await withServices([first]) { await first.idle() }
        let second = SagaRunner(
            database: database, registry: registry, holder: "second", limits: .test,
            probe: { if $0 == failure { throw SagaWalk.fault } })
        try await meanwhile(ServerEngine(parts, sagas: second))
        return try await withServices([second]) {
            try await eventually { try await second.outcome(of: id) != nil }
            await second.idle()
            return try #require(try await second.outcome(of: id))
        }
    }
}
