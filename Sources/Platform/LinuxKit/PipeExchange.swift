// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc

/// An eventfd that wakes a thread in `poll`.
final class WakeDescriptor: Sendable {
    let number: Int32

    init() throws(SystemError) { number = try check(clinux_eventfd(), "eventfd") }

    deinit { close(number) }

    func wake() {
        var one: UInt64 = 1
        _ = write(number, &one, 8)
    }
}

/// The three pipes of one child, served by one thread until the child has ended.
struct PipeExchange {
    private let input: Pipe
    private let output: Pipe
    private let error: Pipe
    private let stdin: [UInt8]
    private let outputLimit: Int

    init(stdin: [UInt8], outputLimit: Int) throws(SystemError) {
        input = try Pipe()
        output = try Pipe()
        error = try Pipe()
        self.stdin = stdin
        self.outputLimit = outputLimit
    }

    /// What the child gets as 0, 1 and 2.
    var childDescriptors: [Int32] { [input.reader, output.writer, error.writer] }

    /// Serves the pipes until the child ends, then reads what is left. Descriptors that the child passed on to a
    /// process that lives longer are not waited for.
    func finish(
        _ child: pid_t, timeout: Duration, cancelled: WakeDescriptor, name: String
    ) throws -> Subprocess.Result {
        input.closeReader()
        output.closeWriter()
        error.closeWriter()
        for descriptor in [input.writer, output.reader, error.reader] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        let ended = clinux_pidfd_open(child)
        guard ended >= 0 else {
            let failure = SystemError("pidfd", name)
            kill(-child, SIGKILL)
            _ = ChildProcess.reap(child)
            throw failure
        }
        let endOfChild = OwnedDescriptor(ended)
        var (written, stdout, stderr) = (0, [UInt8](), [UInt8]())
        var stopReason: (any Error)?
        let deadline = ContinuousClock.now.advanced(by: timeout)
        if stdin.isEmpty { input.closeWriter() }

        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            var polled = [
                pollfd(fd: endOfChild.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: cancelled.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: input.writer, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: output.reader, events: Int16(POLLIN), revents: 0),
                pollfd(fd: error.reader, events: Int16(POLLIN), revents: 0),
            ]
            let milliseconds = Int32(clamping: max(0, left.microseconds / 1000) + 1)
            guard poll(&polled, nfds_t(polled.count), milliseconds) >= 0 || errno == EINTR else { break }
            if polled[3].revents != 0 { drain(output, into: &stdout) }
            if polled[4].revents != 0 { drain(error, into: &stderr) }
            if polled[2].revents != 0 { feed(&written) }
            if polled[0].revents != 0 { break }
            if polled[1].revents != 0 {
                stopReason = CancellationError()
                break
            }
            if left <= .zero {
                stopReason = CloudError(
                    .unavailable, "A program of the host did not end in time.", cause: "\(name) after \(timeout)")
                break
            }
        }
        if stopReason != nil { kill(-child, SIGKILL) }
        let status = ChildProcess.reap(child)
        if let stopReason { throw stopReason }
        drain(output, into: &stdout)
        drain(error, into: &stderr)
        return Subprocess.Result(status: status, stdout: stdout, stderr: stderr)
    }

    private func feed(_ written: inout Int) {
        let count = stdin.withUnsafeBytes {
            write(input.writer, $0.baseAddress.map { $0 + written }, $0.count - written)
        }
        if count > 0 { written += count }
        let isBroken = count < 0 && errno != EAGAIN && errno != EINTR
        if isBroken || written == stdin.count { input.closeWriter() }
    }

    private func drain(_ pipe: Pipe, into bytes: inout [UInt8]) {
        var chunk = [UInt8](repeating: 0, count: 32_768)
        while pipe.reader >= 0 {
            let count = read(pipe.reader, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count == 0 { pipe.closeReader() }
            guard count > 0 else { return }
            bytes.append(contentsOf: chunk[..<min(count, max(0, outputLimit - bytes.count))])
        }
    }
}

/// A pipe whose ends are closed one by one. Used by one thread.
private final class Pipe {
    private(set) var reader: Int32 = -1
    private(set) var writer: Int32 = -1

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        try check(clinux_pipe(&ends), "pipe")
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        closeReader()
        closeWriter()
    }

    func closeReader() {
        if reader >= 0 { close(reader) }
        reader = -1
    }

    func closeWriter() {
        if writer >= 0 { close(writer) }
        writer = -1
    }
}
