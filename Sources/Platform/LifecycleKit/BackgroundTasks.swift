// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import Synchronization

/// Work that outlives the call that started it: a saga's run, a request's handler. The only way to start a task.
///
/// Every task is counted and can be stopped. As a `Service` it waits for its tasks when the process stops, so put it
/// before the services that use it in the list given to `ServiceGroup`.
package final class BackgroundTasks: Service {
    private struct State {
        var isStopping = false
        var nextID: UInt64 = 0
        /// Nil while the task has no handle yet: `spawn` stores it a moment after the start.
        var tasks: [UInt64: Task<Void, Never>?] = [:]
        var drained: [CheckedContinuation<Void, Never>] = []
    }

    package let name: String
    private let limit: Int
    private let drainLimit: Duration
    private let state = Mutex(State())
    private let log = Logger("lifecycle")

    /// At the stop, tasks have `drainLimit` to end by themselves; then they are cancelled.
    package init(_ name: String = "background", limit: Int = 100_000, drainLimit: Duration = .seconds(10)) {
        self.name = name
        self.limit = limit
        self.drainLimit = drainLimit
    }

    package var count: Int { state.withLock { $0.tasks.count } }

    /// Starts `body`. False when the process is stopping or `limit` tasks run: then `body` never runs.
    @discardableResult
    package func spawn(_ name: StaticString, _ body: @escaping @Sendable () async -> Void) -> Bool {
        let id = state.withLock { state -> UInt64? in
            guard !state.isStopping, state.tasks.count < limit else { return nil }
            state.nextID += 1
            state.tasks.updateValue(nil, forKey: state.nextID)
            return state.nextID
        }
        guard let id else {
            log.warning("background task refused", ["group": self.name, "task": name.description])
            return false
        }
        let task = Task {
            await body()
            self.ended(id)
        }
        state.withLock { state in
            if state.tasks.keys.contains(id) { state.tasks.updateValue(task, forKey: id) }
        }
        return true
    }

    /// Waits until the task that runs this is cancelled, then drains.
    package func run() async throws {
        await Signal().wait()
        await shielded { await self.drain() }
    }

    /// Refuses new tasks and waits for the running ones; cancels what is left after the limit and waits as long again.
    package func drain() async {
        state.withLock { $0.isStopping = true }
        if await isDrained(within: drainLimit) { return }
        let left = state.withLock { Array($0.tasks.values) }
        log.warning("background tasks cancelled", ["group": name, "count": left.count])
        for task in left { task?.cancel() }
        if await isDrained(within: drainLimit) { return }
        log.error("background tasks did not end", ["group": name, "count": count])
    }

    private func isDrained(within limit: Duration) async -> Bool {
        let end = Signal()
        let waiting = Task {
            await self.untilEmpty()
            end.wake()
        }
        defer { waiting.cancel() }
        return await end.wait(atMost: limit)
    }

    private func untilEmpty() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if state.tasks.isEmpty { return true }
                state.drained.append(continuation)
                return false
            }
            if isEmpty { continuation.resume() }
        }
    }

    private func ended(_ id: UInt64) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.tasks[id] = nil
            guard state.tasks.isEmpty else { return [] }
            defer { state.drained = [] }
            return state.drained
        }
        for waiter in waiters { waiter.resume() }
    }
}
