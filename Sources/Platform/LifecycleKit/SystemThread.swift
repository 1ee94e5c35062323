// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization

/// A thread of the operating system, for loops that block: the accept loop, libvirt's event loop, pools.
///
/// Nothing that blocks may run on Swift's cooperative pool: with two cores it has two threads.
package struct SystemThread: Sendable {
    private let thread: pthread_t

    /// Starts a thread that runs `body` and ends. `name` shows in `top -H`; the kernel keeps 15 bytes of it.
    ///
    /// Traps when the kernel refuses a thread: a process that cannot start one cannot serve, either.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> SystemThread {
        let argument = Unmanaged.passRetained(ThreadBody(name: name, run: body)).toOpaque()
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, runThread, argument)
        precondition(code == 0, "cannot start thread \(name): errno \(code)")
        return SystemThread(thread: thread)
    }

    /// Waits for the end of the thread. Call once, never from the cooperative pool unless the end is near.
    package func join() { pthread_join(thread, nil) }

    /// For a thread that nobody joins.
    package func detach() { pthread_detach(thread) }
}

private final class ThreadBody: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    // SAFETY: `start` passed one retained reference; this is the only place that takes it back.
    let body = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
    clinux_thread_name(String(body.name.prefix(15)))
    body.run()
    return nil
}

/// A mutex with a condition, for threads that wait for each other. Async code uses `Mutex` and `Signal`.
package final class Monitor<State>: @unchecked Sendable {
    // SAFETY: `state` is touched only between lock and unlock of `mutex`. Both primitives live at fixed addresses
    // until deinit, which runs when no thread can be inside, since a thread inside holds a reference.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    package init(_ state: sending State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func withLock<T>(_ body: (inout State) throws -> T) rethrows -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Blocks this thread until `body` gives a value; `body` runs again after each `wakeOne` or `wakeAll`.
    package func wait<T>(_ body: (inout State) -> T?) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let value = body(&state) { return value }
            pthread_cond_wait(condition, mutex)
        }
    }

    package func wakeOne() { pthread_cond_signal(condition) }
    package func wakeAll() { pthread_cond_broadcast(condition) }
}
