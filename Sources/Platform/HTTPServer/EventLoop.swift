// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import LifecycleKit
import Synchronization

/// Something with a descriptor that the loop watches. Must bear being called without cause.
protocol EventHandler: AnyObject, Sendable {
    func ready(_ events: UInt32)
    /// Once a second.
    func tick()
}

extension EventHandler {
    func tick() {}
}

/// One thread for everything that libmicrohttpd does not do: accepting, WebSockets, lingering closes, time limits.
final class EventLoop: Sendable {
    static let readable = UInt32(EPOLLIN.rawValue)
    static let writable = UInt32(EPOLLOUT.rawValue)

    private struct State {
        var handlers: [Int32: any EventHandler] = [:]
        var actions: [@Sendable () -> Void] = []
        var isStopped = false
    }

    private let epoll: Int32
    private let wakeup: Int32
    private let state = Mutex(State())
    private let thread = Mutex<SystemThread?>(nil)

    init() {
        epoll = clinux_epoll_create()
        wakeup = clinux_eventfd()
        precondition(epoll >= 0 && wakeup >= 0, "no descriptors for the event loop: errno \(errno)")
        clinux_epoll_add(epoll, wakeup, Self.readable, UInt64(bitPattern: Int64(wakeup)))
    }

    deinit {
        close(epoll)
        close(wakeup)
    }

    func start(everySecond: @escaping @Sendable () -> Void) {
        let started = SystemThread.start("http-events") { [self] in loop(everySecond) }
        thread.withLock { $0 = started }
    }

    /// Ends the thread after the actions that were posted before.
    func stop() {
        perform { [self] in state.withLock { $0.isStopped = true } }
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    func add(_ descriptor: Int32, _ events: UInt32, _ handler: any EventHandler) {
        state.withLock { $0.handlers[descriptor] = handler }
        clinux_epoll_add(epoll, descriptor, events, UInt64(bitPattern: Int64(descriptor)))
    }

    func modify(_ descriptor: Int32, _ events: UInt32) {
        clinux_epoll_modify(epoll, descriptor, events, UInt64(bitPattern: Int64(descriptor)))
    }

    /// The caller closes the descriptor afterwards.
    func remove(_ descriptor: Int32) {
        clinux_epoll_remove(epoll, descriptor)
        state.withLock { $0.handlers[descriptor] = nil }
    }

    /// Runs `action` on the loop's thread, soon.
    func perform(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.actions.append(action) }
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }

    /// Returns when all that was posted before has run.
    func barrier() async {
        await withCheckedContinuation { continuation in perform { continuation.resume() } }
    }

    private func loop(_ everySecond: () -> Void) {
        var events = [epoll_event](repeating: epoll_event(), count: 128)
        var nextTick = Monotonic.milliseconds() + 1000
        while !state.withLock({ $0.isStopped }) {
            let wait = max(0, nextTick - Monotonic.milliseconds())
            let count = epoll_wait(epoll, &events, Int32(events.count), Int32(clamping: wait))
            for event in events.prefix(max(0, Int(count))) {
                let descriptor = Int32(truncatingIfNeeded: event.data.u64)
                if descriptor == wakeup {
                    var drained: UInt64 = 0
                    _ = read(wakeup, &drained, 8)
                } else {
                    state.withLock { $0.handlers[descriptor] }?.ready(event.events)
                }
            }
            for action in state.withLock({ state in
                defer { state.actions = [] }
                return state.actions
            }) { action() }
            if Monotonic.milliseconds() >= nextTick {
                nextTick = Monotonic.milliseconds() + 1000
                for handler in state.withLock({ Array($0.handlers.values) }) { handler.tick() }
                everySecond()
            }
        }
    }
}

/// For send and recv: never block, never raise SIGPIPE.
enum SocketFlags {
    static let noWait = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
}

/// Time for limits; unaffected by changes of the clock.
enum Monotonic {
    static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}

/// Reads and drops what a client still sends after an early answer. Without it the kernel would reset the
/// connection, and the client would lose the answer.
final class Lingering: EventHandler {
    private static let timeLimit: Int64 = 10_000
    private static let open = Atomic<Int>(0)
    private static let limit = 256

    private let descriptor: Int32
    private let loop: EventLoop
    private let deadline = Monotonic.milliseconds() + Lingering.timeLimit
    private let isDone = Mutex(false)

    private init(_ descriptor: Int32, _ loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    /// Takes `descriptor`, whose sending side is shut.
    static func start(_ descriptor: Int32, _ loop: EventLoop) {
        guard open.add(1, ordering: .relaxed).newValue <= limit else {
            open.subtract(1, ordering: .relaxed)
            close(descriptor)
            return
        }
        loop.add(descriptor, EventLoop.readable, Lingering(descriptor, loop))
    }

    func ready(_ events: UInt32) {
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            for _ in 0..<16 {
                let count = recv(descriptor, buffer.baseAddress, buffer.count, SocketFlags.noWait)
                if count > 0 { continue }
                if count == 0 || errno != EAGAIN && errno != EINTR { finish() }
                return
            }
        }
    }

    func tick() {
        if Monotonic.milliseconds() >= deadline { finish() }
    }

    private func finish() {
        let isFirst = isDone.withLock { isDone in
            defer { isDone = true }
            return !isDone
        }
        guard isFirst else { return }
        loop.remove(descriptor)
        close(descriptor)
        Self.open.subtract(1, ordering: .relaxed)
    }
}
