// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// Lets a number of tasks in at once; the others wait their turn, in order, up to a limit.
package final class AsyncSlots: Sendable {
    private struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }
    private struct State {
        var free: Int
        var nextID: UInt64 = 0
        var waiters = FIFO<Waiter>()
    }

    private let name: String
    private let waitLimit: Int
    private let state: Mutex<State>

    package init(_ name: String, slots: Int, waitLimit: Int = 10_000) {
        precondition(slots > 0)
        self.name = name
        self.waitLimit = waitLimit
        state = Mutex(State(free: slots))
    }

    /// Runs `body` in a slot. Throws `.unavailable` when too many wait, `CancellationError` when it is cancelled before
    /// its turn.
    package func run<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        try await acquire()
        defer { release() }
        return try await body()
    }

    private func acquire() async throws {
        let id = state.withLock { state -> UInt64? in
            if state.free > 0 {
                state.free -= 1
                return nil
            }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let answer: Result<Void, any Error>? = state.withLock { state in
                    if state.free > 0 {
                        state.free -= 1
                        return .success(())
                    }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    guard state.waiters.count < waitLimit else {
                        return .failure(
                            CloudError(
                                .unavailable, "The service is busy. Please retry later.",
                                cause: "too many wait for \(name)"))
                    }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.remove { $0.id == id } }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    /// A slot goes straight to the next waiter, so that nobody overtakes it.
    private func release() {
        let next = state.withLock { state -> Waiter? in
            if let next = state.waiters.popFirst() { return next }
            state.free += 1
            return nil
        }
        next?.continuation.resume()
    }
}

/// Operations on one key never overlap and run in order; different keys run side by side.
///
/// For a host's work on one server or one volume. It protects nothing across processes: that is the database's part.
package final class KeyedSerialQueue<Key: Hashable & Sendable>: Sendable {
    private struct Lane {
        let slots: AsyncSlots
        var users = 0
    }

    private let name: String
    private let laneWaitLimit: Int
    private let width: AsyncSlots
    private let lanes = Mutex<[Key: Lane]>([:])

    /// `parallel` operations run at once over all keys; `waitLimit` may wait for one key, and for a place.
    package init(_ name: String, parallel: Int = 64, waitLimit: Int = 1000) {
        self.name = name
        laneWaitLimit = waitLimit
        width = AsyncSlots(name, slots: parallel, waitLimit: waitLimit)
    }

    /// Runs `body` when all earlier operations on `key` have ended. Throws `.unavailable` when too many wait.
    package func run<T: Sendable>(_ key: Key, _ body: @Sendable () async throws -> T) async throws -> T {
        let slots = lanes.withLock { lanes in
            var lane = lanes[key] ?? Lane(slots: AsyncSlots(name, slots: 1, waitLimit: laneWaitLimit))
            lane.users += 1
            lanes[key] = lane
            return lane.slots
        }
        defer { leave(key) }
        return try await slots.run { try await self.width.run(body) }
    }

    private func leave(_ key: Key) {
        lanes.withLock { lanes in
            guard var lane = lanes[key] else { preconditionFailure("lane of \(name) has no user") }
            lane.users -= 1
            lanes[key] = lane.users == 0 ? nil : lane
        }
    }
}
