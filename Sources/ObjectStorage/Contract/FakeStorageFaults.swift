// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// What befalls the calls of a `FakeStorageDevice`, as a test wants it.
package final class FakeStorageFaults: Sendable {
    private struct State {
        var failure: CloudError?
        var failures = 0
        var hangs = 0
        var skipped = 0
        var isAway = false
        var isFull = false
        var waiting: [AsyncStream<Never>.Continuation] = []
        var calls: [String] = []
    }
    private let state = Mutex(State())

    /// Names of the calls so far.
    package var calls: [String] { state.withLock { $0.calls } }

    /// The next `count` calls fail, after `skipping` that do not.
    package func fail(
        _ count: Int = 1, skipping: Int = 0,
        with error: CloudError = CloudError(.unavailable, "The storage device is not available.")
    ) {
        state.withLock {
            $0.failure = error
            $0.failures = count
            $0.skipped = skipping
        }
    }

    /// The next `count` calls wait until `release`, or until they are cancelled.
    package func hang(_ count: Int = 1) { state.withLock { $0.hangs = count } }

    /// Those that hang go on.
    package func release() {
        let waiting = state.withLock { state in
            state.hangs = 0
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.finish() }
    }

    /// How many calls hang now.
    package var hanging: Int { state.withLock { $0.waiting.count } }

    /// While it is away, every call says so.
    package func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    /// While it is full, it takes no bytes and no rows.
    package func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    /// Each call passes here first.
    func pass(_ name: String, needsSpace: Bool = false) async throws {
        let stream = state.withLock { state -> AsyncStream<Never>? in
            state.calls.append(name)
            guard state.hangs > 0 else { return nil }
            state.hangs -= 1
            let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
            state.waiting.append(continuation)
            return stream
        }
        if let stream {
            for await _ in stream {}
            try Task.checkCancellation()
        }
        try state.withLock { state in
            if state.isAway { throw CloudError(.unavailable, "The storage device is not available.") }
            if state.isFull, needsSpace {
                throw CloudError(.insufficientStorage, "There was not enough space to save the resource.")
            }
            guard state.failures > 0, let failure = state.failure else { return }
            guard state.skipped == 0 else {
                state.skipped -= 1
                return
            }
            state.failures -= 1
            throw failure
        }
    }
}
