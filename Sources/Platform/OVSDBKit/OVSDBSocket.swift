// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc

/// Wakes a thread that sleeps in `poll`, from any thread.
struct WakeUp: Sendable {
    let descriptor: Int32

    init() {
        descriptor = clinux_eventfd()
        precondition(descriptor >= 0, "eventfd: errno \(errno)")
    }

    func wake() { eventfd_write(descriptor, 1) }

    func clear() {
        var count: eventfd_t = 0
        eventfd_read(descriptor, &count)
    }
}

/// A non-blocking stream socket that belongs to one thread.
struct OVSDBSocket: ~Copyable {
    enum Ready { case timeout, woken, socket(canRead: Bool, canWrite: Bool) }

    private let descriptor: Int32

    deinit { close(descriptor) }

    /// Connects, or begins to; `finishConnect` tells how it went. Throws errno's words.
    init(_ endpoint: OVSDBEndpoint) throws {
        switch endpoint {
        case .unix(let path): descriptor = try Self.connect(AF_UNIX) { try Self.withUnixAddress(path, $0) }
        case .tcp(let address, let port):
            let family = address.contains(":") ? AF_INET6 : AF_INET
            descriptor = try Self.connect(family) { try Self.withInternetAddress(address, port, $0) }
            var isOn: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// The error of the connection attempt, after the socket became writable; nil when it stands.
    func connectError() -> String? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code == 0 ? nil : Self.text(code)
    }

    /// Sleeps until the socket or the wake-up has something, at most `milliseconds`.
    func wait(_ wakeUp: WakeUp, forWriting: Bool, milliseconds: Int32) -> Ready {
        var descriptors = [
            pollfd(fd: descriptor, events: Int16(POLLIN) | (forWriting ? Int16(POLLOUT) : 0), revents: 0),
            pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&descriptors, 2, milliseconds) > 0 else { return .timeout }
        let events = descriptors[0].revents
        if events == 0 { return .woken }
        let canWrite = events & Int16(POLLOUT) != 0
        return .socket(canRead: events & ~Int16(POLLOUT) != 0, canWrite: canWrite)
    }

    /// Appends what has arrived. False when the peer closed. Throws errno's words.
    func read(into buffer: inout [UInt8]) throws -> Bool {
        try withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 8) { piece in
            while true {
                let count = recv(descriptor, piece.baseAddress, piece.count, 0)
                if count > 0 {
                    // SAFETY: recv filled the first `count` bytes of the allocation.
                    buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[..<count]))
                    if count < piece.count { return true }
                } else if count == 0 {
                    return false
                } else if errno == EAGAIN {
                    return true
                } else if errno != EINTR {
                    throw Self.failure("recv", errno)
                }
            }
        }
    }

    /// Sends as much of `bytes` as the socket takes; returns how much. Throws errno's words.
    func write(_ bytes: ArraySlice<UInt8>) throws -> Int {
        // SAFETY: the buffer is valid for the call, which keeps nothing.
        let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL.rawValue)) }
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return 0 }
        throw Self.failure("send", errno)
    }

    private static func connect(
        _ family: Int32, _ body: ((UnsafePointer<sockaddr>, socklen_t) -> Int32) throws -> Int32
    ) throws -> Int32 {
        fatalError()
    }
}
