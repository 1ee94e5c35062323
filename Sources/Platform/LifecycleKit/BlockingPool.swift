// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// Threads that run blocking closures (SQLite, libvirt, bcrypt, waits for a child), away from the cooperative pool.
///
/// Threads start when they are needed and stay. The queue has a limit: past it a call fails at once, because a
/// service that is too slow must say so instead of collecting work.
package final class BlockingPool: Sendable {
    /// What happens to a call whose task is cancelled while its closure runs. A closure that has not begun never runs.
    package enum Cancellation: Sendable {
        /// The call returns when the closure does.
        case waits
        /// The call throws `CancellationError` at once and the closure's result is dropped. Only for closures without
        /// an effect that the caller would undo, or that is safe to meet again.
        case abandons
    }

    private let core: Core
    private let queueLimit: Int

    package init(_ name: String, threads: Int, queueLimit: Int = 4096) {
        precondition(threads > 0 && queueLimit > 0)
        self.queueLimit = queueLimit
        core = Core(name: name, threadLimit: threads)
    }

    deinit { core.stop() }

    /// Runs `body` on one of the threads. Throws what it throws; `.unavailable` when the queue is full.
    package func run<T: Sendable>(
        whenCancelled cancellation: Cancellation = .waits, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        let call = Call<T>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard call.wait(continuation) else { return }
                let accepted = core.enqueue(limit: queueLimit) {
                    guard call.begin() else { return }
                    call.finish(Result(catching: body))
                }
                if !accepted {
                    call.finish(
                        .failure(
                            CloudError(
                                .unavailable, "The service is busy. Please retry later.",
                                cause: "queue of \(core.name) is full")))
                }
            }
        } onCancel: {
            call.cancel(running: cancellation == .abandons)
        }
    }

    /// Runs `body` on one of the threads, with nobody who waits for it: a queue's worker, the end of a descriptor.
    /// False: the queue is full, and `body` never runs.
    package func start(_ body: @escaping @Sendable () -> Void) -> Bool { core.enqueue(limit: queueLimit, body) }
}

/// One thread with a queue: calls run one after the other, in order.
package struct BlockingThread: Sendable {
    private let pool: BlockingPool

    package init(_ name: String, queueLimit: Int = 4096) {
        pool = BlockingPool(name, threads: 1, queueLimit: queueLimit)
    }

    /// See `BlockingPool.run`.
    package func run<T: Sendable>(
        whenCancelled cancellation: BlockingPool.Cancellation = .waits, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try await pool.run(whenCancelled: cancellation, body)
    }
}

/// One `run`: whoever comes first, the closure's end or the cancellation, answers the caller; the other is ignored.
private final class Call<T: Sendable>: Sendable {
    private enum State {
        case new, cancelled, done
        case queued(CheckedContinuation<T, any Error>)
        case running(CheckedContinuation<T, any Error>)
    }
    private let state = Mutex(State.new)

    /// False: cancelled already, and answered.
    func wait(_ continuation: CheckedContinuation<T, any Error>) -> Bool {
        let isCancelled = state.withLock { state in
            if case .cancelled = state { return true }
            state = .queued(continuation)
            return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
        return !isCancelled
    }

    func begin() -> Bool {
        state.withLock { state in
            guard case .queued(let continuation) = state else { return false }
            state = .running(continuation)
            return true
        }
    }

    func finish(_ result: Result<T, any Error>) { take(queued: true, running: true)?.resume(with: result) }

    func cancel(running: Bool) {
        take(queued: true, running: running)?.resume(throwing: CancellationError())
    }

    private func take(queued: Bool, running: Bool) -> CheckedContinuation<T, any Error>? {
        state.withLock { state in
            switch state {
            case .new:
                state = .cancelled
                return nil
            case .queued(let continuation) where queued:
                state = .done
                return continuation
            case .running(let continuation) where running:
                state = .done
                return continuation
            default: return nil
            }
        }
    }
}

/// What the threads share with the pool; it outlives the pool until the last thread has gone.
private final class Core: Sendable {
    typealias Job = @Sendable () -> Void
    private struct State {
        var jobs = FIFO<Job>()
        var threads = 0
        var idle = 0
        var isStopped = false
    }

    let name: String
    private let threadLimit: Int
    private let monitor = Monitor(State())

    init(name: String, threadLimit: Int) {
        self.name = name
        self.threadLimit = threadLimit
    }

    func enqueue(limit: Int, _ job: @escaping Job) -> Bool {
        enum Next { case refuse, wake, start }
        let next: Next = monitor.withLock { state in
            guard state.jobs.count < limit, !state.isStopped else { return .refuse }
            state.jobs.append(job)
            guard state.jobs.count > state.idle, state.threads < threadLimit else { return .wake }
            state.threads += 1
            return .start
        }
        switch next {
        case .refuse: return false
        case .wake: monitor.wakeOne()
        case .start: SystemThread.start(name) { [self] in work() }.detach()
        }
        return true
    }

    func stop() {
        monitor.withLock { $0.isStopped = true }
        monitor.wakeAll()
    }

    /// Jobs that were queued before the stop still run: each has a caller that waits.
    private func work() {
        monitor.withLock { $0.idle += 1 }
        while true {
            let job: Job? = monitor.wait { state -> Job?? in
                if let job = state.jobs.popFirst() {
                    state.idle -= 1
                    return .some(job)
                }
                return state.isStopped ? .some(nil) : nil
            }
            guard let job else { return }
            job()
            monitor.withLock { $0.idle += 1 }
        }
    }
}
