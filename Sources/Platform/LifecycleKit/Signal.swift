// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A bit that can be set from one side and awaited from the other.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}

/// A wake-up for a loop. Wakes that nobody waits for are kept as one, so a loop never misses work that came while
/// it was busy, and never runs twice for ten wakes.
package final class Signal: Sendable {
    private struct State {
        var isPending = false
        var nextID: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
    }
    private let state = Mutex(State())

    package init() {}

    /// Cheap, from any thread.
    package func wake() {
        let waiters = state.withLock { state in
            let waiters = state.waiters
            state.waiters = [:]
            state.isPending = waiters.isEmpty
            return waiters
        }
        for waiter in waiters.values { waiter.resume(returning: true) }
    }

    /// Returns true after a wake; false after `limit`, or when the task is cancelled.
    @discardableResult
    package func wait(atMost limit: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.wait() }
            group.addTask {
                try? await Task.sleep(for: limit)  // cancelled early: the answer is the same
                return false
            }
            let isWoken = await group.next() ?? false
            group.cancelAll()
            // A wake may come between the limit and the cancellation of the waiter: it counts.
            for await late in group where late { return true }
            return isWoken
        }
    }

    /// Returns true after a wake; false when the task is cancelled.
    @discardableResult
    package func wait() async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.isPending {
                        state.isPending = false
                        return true
                    }
                    // Checked under the lock: the handler below takes it too, so no cancellation falls between.
                    if Task.isCancelled { return false }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
            waiter?.resume(returning: false)
        }
    }
}
