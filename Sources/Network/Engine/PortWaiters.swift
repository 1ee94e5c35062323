// SPDX-License-Identifier: Apache-2.0
import LifecycleKit
import NetworkContract
import Synchronization

/// Who waits for a port's status to change. A wake is a hint: the waiter asks the database.
final class PortWaiters: Sendable {
    private struct State {
        var nextID = 0
        var waiters: [PortID: [Int: Signal]] = [:]
    }
    private let state = Mutex(State())

    /// Registers before the first look, so no change falls between look and wait. Give the number back to `remove`.
    func add(_ port: PortID) -> (number: Int, signal: Signal) {
        state.withLock { state in
            state.nextID += 1
            let signal = Signal()
            state.waiters[port, default: [:]][state.nextID] = signal
            return (state.nextID, signal)
        }
    }

    func remove(_ port: PortID, _ number: Int) {
        state.withLock { state in
            state.waiters[port]?[number] = nil
            if state.waiters[port]?.isEmpty == true { state.waiters[port] = nil }
        }
    }

    func wake(_ port: PortID) {
        let signals = state.withLock { $0.waiters[port].map { Array($0.values) } ?? [] }
        for signal in signals { signal.wake() }
    }
}
