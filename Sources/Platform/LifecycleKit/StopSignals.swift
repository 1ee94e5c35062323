// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization

/// SIGTERM and SIGINT as an awaitable event.
///
/// A handler that writes to an eventfd, rather than a blocked mask: masks are inherited by every child that is
/// started, and a child that ignores SIGTERM cannot be stopped.
enum StopSignals {
    /// Where the handler writes; -1 before `install`.
    private static let descriptor = Atomic<Int32>(-1)

    /// Calls `onSignal` from a thread of its own for each signal. Once in the life of the process.
    static func install(_ onSignal: @escaping @Sendable (Int32) -> Void) {
        let event = clinux_eventfd_blocking()
        precondition(event >= 0, "eventfd: errno \(errno)")
        guard descriptor.compareExchange(expected: -1, desired: event, ordering: .sequentiallyConsistent).exchanged
        else {
            close(event)
            preconditionFailure("signals are already handled")
        }
        for number in [SIGTERM, SIGINT] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { StopSignals.handle($0) }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
        // A peer that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        SystemThread.start("signals") {
            while true {
                var number: UInt64 = 0
                guard read(event, &number, 8) == 8 else { continue }
                onSignal(number >= 1 << 16 ? SIGINT : SIGTERM)
            }
        }.detach()
    }

    /// Runs inside the signal handler: nothing but an atomic load and a write, which are safe there.
    private static func handle(_ number: Int32) {
        var count: UInt64 = number == SIGINT ? 1 << 16 : 1
        let saved = errno
        _ = write(descriptor.load(ordering: .relaxed), &count, 8)
        errno = saved
    }
}
