// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import LogKit

/// Moves one run on, step by step, until it ends or has to wait.
struct SagaExecution: Sendable {
    enum Outcome: Sendable {
        case ended(SagaRecord)
        /// Come back after a pause, from what is saved.
        case again(after: Duration)
        /// Another process holds the run.
        case lost
        /// This process is stopping. What is saved is where the next one begins.
        case stopped
        /// A probe says that this process died.
        case crashed
        /// This program cannot load the run.
        case quarantined
    }

    /// Ends the walk through the steps; never leaves this file.
    private struct Pause: Error { let outcome: Outcome }

    let database: any Database
    let store: SagaStore
    let clock: WallClock
    let limits: SagaLimits
    let probe: SagaProbe?
    let log: Logger

    func advance(_ record: SagaRecord, _ performer: any SagaPerformer) async -> Outcome {
        var run: Walk
        do {
            run = Walk(record: record, session: try performer.open(ledger: record.ledger), names: performer.stepNames)
        } catch {
            log.error(
                "saga run cannot be loaded", ["saga": record.saga, "run": record.id, "error": "\(error)"])
            return .quarantined
        }
        do {
            try await forward(&run)
            try await backward(&run, performer)
            return .ended(run.record)
        } catch let pause as Pause {
            return pause.outcome
        } catch is SagaCrash {
            return .crashed
        } catch {
            guard !Task.isCancelled else { return .stopped }
            // The save failed: a full disk, a database that is away. The step runs again from the last save.
            log.error("saga run not saved", ["saga": record.saga, "run": record.id, "error": "\(error)"])
            return .again(after: limits.lastBackoff)
        }
    }

    /// A run in memory.
    private struct Walk: Sendable {
        var record: SagaRecord
        var session: any SagaSession
        let names: [String]

        var stepName: String { names[record.step] }

        mutating func turn(_ error: CloudError) {
            record.direction = .backward
            record.error = error
            record.attempts = 0
            // The deadline may pass after the last step of an older program, which had more steps.
            record.step = min(record.step, names.count - 1)
        }
    }

    // MARK: Forward

    private func forward(_ run: inout Walk) async throws {
        while run.record.direction == .forward, !run.record.state.hasEnded {
            let step = run.record.step
            guard step < run.names.count else {
                run.record.state = .finished
                try await save(&run)
                return
            }
            let left = run.record.deadline - clock.now()
            let error = left > .zero ? try await call(&run, .step, limit: left) : lateness(run)
            if let error {
                try await stumble(&run, error)
            } else {
                run.record.step += 1
                run.record.attempts = 0
                if run.record.step == run.names.count { run.record.state = .finished }
                try await save(&run)
                try await probe?(.savedStep(step))
            }
        }
    }

    /// A step threw: repeat it, or turn back.
    private func stumble(_ run: inout Walk, _ error: any Error) async throws {
        let now = clock.now()
        var reason = error
        if let retry = error as? SagaRetry {
            if now + retry.delay < run.record.deadline {
                run.record.attempts += 1
                SagaMetrics.repeated[run.record.saga].add()
                try await save(&run)
                throw Pause(outcome: .again(after: retry.delay))
            }
            reason = retry.reason ?? lateness(run)
        } else if error is CancellationError {
            // Nobody but the time limit cancels a step of a runner that is not stopping.
            reason = lateness(run)
        }
        let fault = CloudError(describing: reason)
        log.warning(
            "saga unwinds",
            ["saga": run.record.saga, "run": run.record.id, "step": run.stepName, "error": fault])
        run.turn(fault)
        try await save(&run)
    }

    private func lateness(_ run: Walk) -> CloudError {
        CloudError(
            .unavailable, "The operation did not finish in time.",
            cause: "step \(run.stepName) of \(run.record.saga) met the deadline")
    }

    // MARK: Backward

    private func backward(_ run: inout Walk, _ performer: any SagaPerformer) async throws {
        guard run.record.direction == .backward, !run.record.state.hasEnded else { return }
        // An older program may have had more steps.
        run.record.step = min(run.record.step, run.names.count - 1)
        while run.record.step >= 0 {
            if performer.hasUndo(run.record.step) {
                if let error = try await call(&run, .undo, limit: limits.undoLimit) {
                    try await stumbleBack(&run, error)
                    continue
                }
                run.record.step -= 1
                run.record.attempts = 0
                try await save(&run)
            } else {
                run.record.step -= 1
            }
        }
        if let error = try await call(&run, .failed, limit: limits.undoLimit) {
            // Without it the user would wait for ever, so it is never given up.
            log.error("saga cannot tell its failure", fields(run, error))
            try await repeatLater(&run, error)
        }
        run.record.state = run.record.stuckSteps.isEmpty ? .failed : .stuckUndo
        try await save(&run)
    }

    /// An undo threw: repeat it, or leave it for the reconciler.
    private func stumbleBack(_ run: inout Walk, _ error: any Error) async throws {
        guard run.record.attempts + 1 >= limits.undoAttempts else {
            log.warning("undo failed", fields(run, error))
            return try await repeatLater(&run, error)
        }
        log.error("undo gave up", fields(run, error))
        run.record.stuckSteps.append(run.stepName)
        run.record.step -= 1
        run.record.attempts = 0
        try await save(&run)
    }

    private func repeatLater(_ run: inout Walk, _ error: any Error) async throws {
        run.record.attempts += 1
        SagaMetrics.repeated[run.record.saga].add()
        try await save(&run)
        throw Pause(
            outcome: .again(after: (error as? SagaRetry)?.delay ?? limits.backoff(attempt: run.record.attempts)))
    }

    private func fields(
        _ run: Walk, _ error: any Error
    ) -> KeyValuePairs<String, any CustomStringConvertible & Sendable> {
        [
            "saga": run.record.saga, "run": run.record.id,
            "step": run.record.step >= 0 ? run.stepName : "failed", "attempt": run.record.attempts + 1,
            "error": "\(error)",
        ]
    }

    // MARK: Calls

    private enum Call: Sendable { case step, undo, failed }

    /// Runs the code of the saga. Returns what it threw. Throws itself only when the run must stop where it is saved.
    private func call(_ run: inout Walk, _ call: Call, limit: Duration) async throws -> (any Error)? {
        let before = run
        let current = SagaRun(
            id: run.record.id, saga: run.record.saga, deadline: run.record.deadline, attempt: run.record.attempts)
        let probe = probe
        let (session, error) = try await SagaRun.$current.withValue(current) {
            try await withTimeout(limit, "saga \(current.saga)") { () -> (any SagaSession, (any Error)?) in
                var session = before.session
                do {
                    try await Self.perform(call, before, &session, probe)
                    return (session, nil)
                } catch {
                    return (session, error)
                }
            }
        }
        if let crash = error as? SagaCrash { throw crash }
        if error != nil && Task.isCancelled { throw Pause(outcome: .stopped) }
        run.session = session
        return error
    }

    private static func perform(
        _ call: Call, _ run: Walk, _ session: inout any SagaSession, _ probe: SagaProbe?
    ) async throws {
        let step = run.record.step
        switch call {
        case .step:
            try await probe?(.beforeStep(step))
            try await session.run(step)
            try await probe?(.afterStep(step))
        case .undo:
            try await probe?(.beforeUndo(step))
            try await session.undo(step)
            try await probe?(.afterUndo(step))
        case .failed:
            let fault = run.record.error ?? CloudError(.bug, "The operation failed.")
            try await session.failed(fault)
        }
    }

    private func save(_ run: inout Walk) async throws {
        run.record.ledger = try run.session.ledgerText()
        let (record, store, now) = (run.record, store, clock.now())
        let isSaved = try await database.write { try store.save(record, at: now, $0) }
        guard isSaved else {
            log.warning("saga run lost", ["saga": record.saga, "run": record.id])
            throw Pause(outcome: .lost)
        }
    }
}
