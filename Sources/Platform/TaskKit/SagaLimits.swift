// SPDX-License-Identifier: Apache-2.0

/// The bounds of a `SagaRunner`.
package struct SagaLimits: Sendable {
    /// Runs that work at the same time; others wait. A run that waits for a repeat takes no place.
    package var parallelRuns = 64
    /// Runs held in memory; more stay in the database until a scan finds room.
    package var queuedRuns = 10_000
    /// How often one undo is tried before it is left for the reconciler.
    package var undoAttempts = 8
    /// How long one call of an undo, or of `failed`, may take.
    package var undoLimit = Duration.seconds(120)
    /// The first pause between two tries of an undo; it doubles each time.
    package var firstBackoff = Duration.milliseconds(200)
    package var lastBackoff = Duration.seconds(30)
    /// How long a process that says nothing keeps its runs.
    package var lease = Duration.seconds(60)
    /// How often leases are renewed and runs of dead processes are looked for.
    package var scanInterval = Duration.seconds(15)
    /// How long the record of an ended run is kept.
    package var retention = Duration.seconds(3600)

    package init() {}

    func backoff(attempt: Int) -> Duration {
        min(lastBackoff, firstBackoff * (1 << min(max(attempt - 1, 0), 16)))
    }
}
