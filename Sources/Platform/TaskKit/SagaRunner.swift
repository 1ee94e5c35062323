// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import LogKit
import Synchronization

/// Runs sagas: those started here, those that a restart interrupted, and those of processes that died.
///
/// The database is the queue; what is in memory is only a hint where to look. Stopping cancels the running steps
/// and saves nothing of them: the next start repeats them.
package final class SagaRunner: Service {
    package let name = "sagas"
    private let database: any Database
    private let registry: SagaRegistry
    private let store: SagaStore
    private let clock: WallClock
    private let limits: SagaLimits
    private let execution: SagaExecution
    private let log = Logger("sagas")

    /// A run that wants a slot. The record is known only when nobody can have changed it: at the start.
    private struct Ticket: Sendable {
        let id: SagaRunID
        var record: SagaRecord?
    }
    private struct State {
        var queue = FIFO<Ticket>()
        /// Runs in the queue, in a slot, or in a pause.
        var active: Set<SagaRunID> = []
        var working = 0
        /// A probe said so.
        var isDead = false
        /// Runs that this program cannot load. They stay in the database for one that can.
        var quarantined: Set<SagaRunID> = []
        var waiters: [SagaRunID: [Signal]] = [:]
        var idleWaiters: [Signal] = []
    }
    private let state = Mutex(State())
    private let work = Signal()

    /// `holder` names this process among all that share the database; a new one for each start.
    package init(
        database: any Database, registry: SagaRegistry, holder: String, clock: WallClock = .system,
        limits: SagaLimits = SagaLimits(), probe: SagaProbe? = nil
    ) {
        self.database = database
        self.registry = registry
        self.clock = clock
        self.limits = limits
        store = SagaStore(holder: holder)
        execution = SagaExecution(
            database: database, store: store, clock: clock, limits: limits, probe: probe, log: log)
    }

    // MARK: For engines

    /// Records a run in the caller's transaction; it begins when that commits. Never begins when it rolls back.
    package func start<S: Saga>(
        _: S.Type, id: SagaRunID, ledger: S.Ledger, in transaction: any Transaction
    ) throws {
        let saga = S.name.description
        guard let deadline = registry.deadline(of: saga) else { preconditionFailure("saga \(saga) is not registered") }
        let now = clock.now()
        let record = SagaRecord(
            id: id, saga: saga, ledger: try JSONValueEncoder.text(ledger), createdAt: now, deadline: now + deadline)
        try store.insert(record, leaseUntil: now + limits.lease, transaction)
        transaction.afterCommit { [weak self] in self?.enqueue(Ticket(id: id, record: record)) }
    }

    /// Waits for the end of a run. Throws the error that it failed with; `CancellationError` when the caller is
    /// cancelled, which does not end the run.
    package func runToEnd(_ id: SagaRunID) async throws {
        let signal = Signal()
        state.withLock { $0.waiters[id, default: []].append(signal) }
        defer { state.withLock { Self.remove(signal, from: &$0.waiters, id) } }
        while true {
            if let record = try await outcome(of: id) {
                if record.state == .finished { return }
                throw record.error ?? CloudError(.bug, "The operation failed.")
            }
            // Another process may run it; then nobody wakes the signal here.
            guard await signal.wait(atMost: .seconds(2)) || !Task.isCancelled else { throw CancellationError() }
        }
    }

    /// The record of an ended run; nil while it runs. Throws `.notFound` when there is none (any more).
    package func outcome(of id: SagaRunID) async throws -> SagaRecord? {
        let store = store
        guard let record = try await database.read({ try store.load(id, $0) }) else {
            throw CloudError.notFound("Operation \(id) could not be found.")
        }
        return record.state.hasEnded ? record : nil
    }

    /// Whether nobody is at work under this id.
    package func hasNoRun(_ run: SagaRunID?) async throws -> Bool {
        guard let run else { return true }
        do {
            return try await outcome(of: run) != nil
        } catch let error as CloudError where error.code == .notFound {
            return true
        }
    }

    private static func remove(_ signal: Signal, from waiters: inout [SagaRunID: [Signal]], _ id: SagaRunID) {
        waiters[id]?.removeAll { $0 === signal }
        if waiters[id]?.isEmpty == true { waiters[id] = nil }
    }

    // MARK: Service

    package func run() async throws {
        // Behind SQLite there is one process, so what is unfinished at the start is this one's.
        let takesAll = database.dialect == .sqlite
        let isScanned = await scan(takingAll: takesAll)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.scanLoop(takingAll: takesAll && !isScanned) }
            while !Task.isCancelled {
                while let ticket = self.nextTicket() {
                    group.addTask { await self.perform(ticket) }
                }
                await self.work.wait()
            }
        }
    }

    /// Returns when no run is in memory: none waits, works or pauses. For tests and for a clean stop.
    package func idle() async {
        while !Task.isCancelled {
            let signal = state.withLock { state -> Signal? in
                guard !state.active.isEmpty else { return nil }
                let signal = Signal()
                state.idleWaiters.append(signal)
                return signal
            }
            guard let signal else { return }
            await signal.wait()
        }
    }

    /// Takes over what other processes left (everything, when this is the only one) and queues all unfinished runs.
    package func resume(takingAll: Bool) async throws {
        let (store, now) = (store, clock.now())
        let (lease, limit) = (now + limits.lease, limits.queuedRuns)
        let (taken, held) = try await database.write { transaction in
            try store.renew(until: lease, transaction)
            let taken = try store.takeOver(all: takingAll, at: now, leaseUntil: lease, transaction)
            return (taken, try store.held(limit: limit, transaction))
        }
        if taken > 0 { log.info("saga runs resumed", ["count": taken]) }
        for id in held { enqueue(Ticket(id: id)) }
    }

    // MARK: Scan

    private func scanLoop(takingAll: Bool) async {
        var takingAll = takingAll
        while true {
            try? await Task.sleep(for: limits.scanInterval)  // an early end means cancellation
            if Task.isCancelled { return }
            if await scan(takingAll: takingAll) { takingAll = false }
        }
    }

    /// False: the database did not answer.
    private func scan(takingAll: Bool) async -> Bool {
        do {
            try await lookAround(takingAll: takingAll)
            return true
        } catch {
            log.error("saga scan failed", ["error": "\(error)"])
            return false
        }
    }

    /// Reads first: a cloud that has nothing to do writes nothing.
    private func lookAround(takingAll: Bool) async throws {
        let (store, limit) = (store, clock.now() - limits.retention)
        let overview = try await database.read { try store.overview(endedBefore: limit, $0) }
        SagaMetrics.stuck[].set(overview.stuck)
        if overview.running > 0 { try await resume(takingAll: takingAll) }
        if overview.purgeable > 0 { try await database.write { try store.purge(endedBefore: limit, $0) } }
    }

    // MARK: Queue

    private func enqueue(_ ticket: Ticket) {
        let isNew = state.withLock { state in
            guard !state.isDead, state.active.count < limits.queuedRuns, !state.quarantined.contains(ticket.id),
                state.active.insert(ticket.id).inserted
            else { return false }
            state.queue.append(ticket)
            SagaMetrics.active[].set(state.active.count)
            return true
        }
        if isNew { work.wake() }
    }

    private func nextTicket() -> Ticket? {
        state.withLock { state in
            guard state.working < limits.parallelRuns, let ticket = state.queue.popFirst() else { return nil }
            state.working += 1
            return ticket
        }
    }

    private func perform(_ ticket: Ticket) async {
        let outcome = await advance(ticket)
        let isQueueWaiting = state.withLock { state in
            state.working -= 1
            return !state.queue.isEmpty
        }
        if isQueueWaiting { work.wake() }
        guard case .again(let delay) = outcome else { return forget(ticket.id) }
        try? await Task.sleep(for: delay)  // an early end means cancellation: the run is as saved
        let isQueued = state.withLock { state in
            guard !Task.isCancelled, !state.isDead else { return false }
            state.queue.append(Ticket(id: ticket.id))
            return true
        }
        if isQueued { work.wake() } else { forget(ticket.id) }
    }

    private func advance(_ ticket: Ticket) async -> SagaExecution.Outcome {
        if let record = ticket.record { return await advance(record) }
        do {
            let store = store
            let held = try await database.read { try store.loadHeld(ticket.id, $0) }
            guard let held else { return .lost }
            return await advance(held)
        } catch {
            log.error("saga run not read", ["run": ticket.id, "error": "\(error)"])
            return .again(after: limits.lastBackoff)
        }
    }

    private func advance(_ record: SagaRecord) async -> SagaExecution.Outcome {
        guard let performer = registry.performer(of: record.saga) else {
            log.error("saga is unknown to this program", ["saga": record.saga, "run": record.id])
            quarantine(record)
            return .quarantined
        }
        let outcome = await execution.advance(record, performer)
        switch outcome {
        case .ended(let ended): report(ended)
        case .quarantined: quarantine(record)
        case .crashed: die()
        case .again, .lost, .stopped: break
        }
        return outcome
    }

    private func quarantine(_ record: SagaRecord) {
        state.withLock { _ = $0.quarantined.insert(record.id) }
        SagaMetrics.quarantined[record.saga].add()
    }

    /// A dead process works no more; another runner finds its runs.
    private func die() {
        state.withLock { state in
            state.isDead = true
            while let ticket = state.queue.popFirst() { state.active.remove(ticket.id) }
        }
    }

    private func report(_ record: SagaRecord) {
        SagaMetrics.ended[record.saga, record.state.rawValue].add()
        SagaMetrics.duration[record.saga].observe(clock.now() - record.createdAt)
        if record.state == .stuckUndo { SagaMetrics.stuck[].add() }
    }

    private func forget(_ id: SagaRunID) {
        let signals = state.withLock { state in
            state.active.remove(id)
            SagaMetrics.active[].set(state.active.count)
            var signals = state.waiters[id] ?? []
            if state.active.isEmpty {
                signals += state.idleWaiters
                state.idleWaiters = []
            }
            return signals
        }
        for signal in signals { signal.wake() }
    }
}
