// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What the database knows of a run.
package struct SagaRecord: Sendable {
    package enum State: String, Sendable {
        /// Exits: finished, failed, stuckUndo.
        case running
        case finished
        /// Every step is undone.
        case failed
        /// As failed, but an undo gave up. The reconciler of the resource cleans up.
        case stuckUndo = "stuck-undo"

        package var hasEnded: Bool { self != .running }
    }

    package enum Direction: String, Sendable { case forward, backward }

    package let id: SagaRunID
    package let saga: String
    package var state = State.running
    package var direction = Direction.forward
    /// The step to run next; on the way back, the step to undo next, and -1 when `failed` comes next.
    package var step = 0
    /// Repeats of the current step or undo.
    package var attempts = 0
    /// JSON of the saga's `Ledger`.
    package var ledger: String
    package var error: CloudError?
    /// Names of the steps whose undo gave up.
    package var stuckSteps: [String] = []
    package let createdAt: Timestamp
    package let deadline: Timestamp
}
