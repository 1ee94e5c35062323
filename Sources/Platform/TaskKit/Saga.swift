// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

package enum SagaRunTag {}
/// One run of a saga. A row that a saga holds names it in its `saga_run` column.
package typealias SagaRunID = ID<SagaRunTag>

/// A durable workflow: named steps with `run` and `undo`, and a ledger that is saved after each step.
///
/// Every step may run twice, because the process may die between a step's effect and the save of the ledger.
/// When a step throws, `undo` runs for it and for all before it, last first; undo must be safe to repeat, too.
/// After a restart, runs resume by themselves.
package protocol Saga: Sendable {
    /// What one step leaves for the next. Fields are only ever added, as optionals: old rows must still decode.
    associatedtype Ledger: Codable & Sendable
    /// What the steps use: stores, drivers, other services' contracts.
    associatedtype Context: Sendable
    /// Unique in the cloud: `server.create`.
    static var name: StaticString { get }
    /// How long a run may take, beside what it waits for by options. An older one is undone.
    static var deadline: Duration { get }
    /// The limits from the configuration that its steps wait by, all together: the deadline is later by as much.
    static func waits(_ context: Context) -> Duration
    static var steps: [SagaStep<Self>] { get }
    /// After every undo: writes the failure where the user sees it (the server's fault). Repeated after a crash.
    static func failed(_ ledger: Ledger, _ error: CloudError, _ context: Context) async throws
}

extension Saga {
    package static func waits(_ context: Context) -> Duration { .zero }
}

package struct SagaStep<S: Saga>: Sendable {
    package typealias Action = @Sendable (inout S.Ledger, S.Context) async throws -> Void
    package let name: StaticString
    package let run: Action
    /// Nil: nothing to undo.
    package let undo: Action?

    package init(_ name: StaticString, run: @escaping Action, undo: Action? = nil) {
        self.name = name
        self.run = run
        self.undo = undo
    }
}
