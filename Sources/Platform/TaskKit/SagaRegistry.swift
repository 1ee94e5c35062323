// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// Which sagas this process can run, and with what. Services register theirs before the runner starts.
package final class SagaRegistry: Sendable {
    private let sagas = Mutex<[String: any SagaPerformer]>([:])

    package init() {}

    package func register<S: Saga>(_: S.Type, _ context: S.Context) {
        let name = S.name.description
        precondition(Set(S.steps.map(\.name.description)).count == S.steps.count, "two steps of \(name) have one name")
        precondition(!S.steps.contains { $0.name.description.contains(",") }, "a step of \(name) has a comma")
        let isNew = sagas.withLock { $0.updateValue(Performer<S>(context: context), forKey: name) == nil }
        precondition(isNew, "two sagas are named \(name)")
    }

    package var names: [String] { sagas.withLock { $0.keys.sorted() } }

    /// How long a run may take, with the configuration of this process. Nil: the saga is not registered.
    package func deadline(of saga: String) -> Duration? { performer(of: saga)?.deadline }

    func performer(of saga: String) -> (any SagaPerformer)? { sagas.withLock { $0[saga] } }
}

/// A saga with its context, without their types.
protocol SagaPerformer: Sendable {
    var stepNames: [String] { get }
    var deadline: Duration { get }
    func hasUndo(_ step: Int) -> Bool
    /// Throws when the saved ledger does not decode.
    func open(ledger: String) throws -> any SagaSession
}

/// One run's ledger in memory. What a call changed before it threw is kept: undo needs to know of it.
protocol SagaSession: Sendable {
    mutating func run(_ step: Int) async throws
    mutating func undo(_ step: Int) async throws
    func failed(_ error: CloudError) async throws
    func ledgerText() throws -> String
}

private struct Performer<S: Saga>: SagaPerformer {
    let context: S.Context
    let steps = S.steps

    var stepNames: [String] { steps.map(\.name.description) }
    var deadline: Duration { S.deadline + S.waits(context) }

    func hasUndo(_ step: Int) -> Bool { steps[step].undo != nil }

    func open(ledger: String) throws -> any SagaSession {
        let ledger = try JSONValueDecoder.decode(S.Ledger.self, from: ledger)
        return Session<S>(steps: steps, context: context, ledger: ledger)
    }
}

private struct Session<S: Saga>: SagaSession {
    let steps: [SagaStep<S>]
    let context: S.Context
    var ledger: S.Ledger

    mutating func run(_ step: Int) async throws { try await steps[step].run(&ledger, context) }

    mutating func undo(_ step: Int) async throws { try await steps[step].undo?(&ledger, context) }

    func failed(_ error: CloudError) async throws { try await S.failed(ledger, error, context) }

    func ledgerText() throws -> String { try JSONValueEncoder.text(ledger) }
}
