// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import LifecycleKit

/// A long-lived process: one that this process started, or found by its pid file.
package final class Daemon: Sendable {
    package let pid: pid_t
    /// Refers to this very process: a pid that the kernel gave to another one later is never signalled.
    private let handle: OwnedDescriptor
    private static let pollInterval = Duration.milliseconds(20)

    init(pid: pid_t) throws(SystemError) {
        self.pid = pid
        handle = OwnedDescriptor(try check(clinux_pidfd_open(pid), "pidfd", "\(pid)"))
    }

    /// The running process that a pid file names, when its program is `executable`. Nil when there is none.
    package static func find(pidFile: String, executable: String) throws -> Daemon? {
        guard let text = try FileSystem.text(pidFile, limit: 64), let pid = pid_t(text), pid > 1 else { return nil }
        guard let daemon = try? Daemon(pid: pid) else { return nil }  // No such process (any more).
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let name = path.split(separator: "/").last.map { $0.hasSuffix(" (deleted)") ? $0.dropLast(10) : $0 }
        return name == executable.split(separator: "/").last && daemon.isRunning ? daemon : nil
    }

    package var isRunning: Bool {
        // Reaps it when it is this process's own child; not a child is no fault.
        var status: Int32 = 0
        _ = waitpid(pid, &status, WNOHANG)
        var polled = pollfd(fd: handle.number, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) == 0
    }

    /// Asks it to end, and kills it after `grace`. Returns when it has ended.
    package func stop(grace: Duration = .seconds(5)) async throws {
        signal(SIGTERM)
        if try await hasEnded(within: grace) { return }
        signal(SIGKILL)
        guard try await hasEnded(within: .seconds(10)) else { throw SystemError("stop", "\(pid)", code: ETIMEDOUT) }
    }

    /// Whether it ended within `limit`.
    package func hasEnded(within limit: Duration) async throws -> Bool {
        let deadline = ContinuousClock.now.advanced(by: limit)
        while isRunning {
            guard ContinuousClock.now < deadline else { return false }
            try await Task.sleep(for: Self.pollInterval)
        }
        return true
    }

    package func signal(_ number: Int32) { _ = clinux_pidfd_send_signal(handle.number, number) }
}
