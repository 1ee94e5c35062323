// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The run that the current task belongs to. A step reads its id to mark rows (`saga_run = …`) as held by this run.
package struct SagaRun: Sendable {
    package let id: SagaRunID
    package let saga: String
    /// When the run is unwound, if it has not ended.
    package let deadline: Timestamp
    /// How often this step (or undo) has asked to be repeated since its last success; 0 at first.
    package let attempt: Int

    @TaskLocal package static var current: SagaRun?

    /// The id of the current run. Traps outside of a step.
    package static var id: SagaRunID {
        guard let current else { preconditionFailure("not inside a saga's step") }
        return current.id
    }
}

/// Thrown by a step, or an undo, that wants to be called again: the host is busy, the guest is still booting.
///
/// The run gives its slot to others meanwhile. At the saga's deadline the run is unwound with `reason`.
package struct SagaRetry: Error, Sendable {
    package let delay: Duration
    package let reason: CloudError?

    package init(after delay: Duration, because reason: CloudError? = nil) {
        self.delay = delay
        self.reason = reason
    }

    /// In a saga's step: asks for its repetition, less and less often, while what `body` needs is unavailable.
    @discardableResult
    package static func whileUnavailable<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let error as CloudError where error.code == .unavailable {
            throw SagaRetry(after: .seconds(1 << min(SagaRun.current?.attempt ?? 0, 5)), because: error)
        }
    }
}

/// Thrown by a probe: the process "dies" here. Nothing is saved; another runner takes over from the last save.
package struct SagaCrash: Error, Sendable {
    package init() {}
}

/// Where a run stands, for tests that make it fail or crash at each place in turn.
package enum SagaPoint: Sendable, Equatable {
    case beforeStep(Int)
    /// The step's effect is there, and not yet saved.
    case afterStep(Int)
    /// The ledger with the step's outcome is saved.
    case savedStep(Int)
    case beforeUndo(Int)
    case afterUndo(Int)
}

package typealias SagaProbe = @Sendable (SagaPoint) async throws -> Void
