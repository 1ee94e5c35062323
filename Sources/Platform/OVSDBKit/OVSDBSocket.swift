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

    /// Sleeps until woken, at most `milliseconds`.
    func sleep(milliseconds: Int32) {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        poll(&descriptors, 1, milliseconds)
    }
}

/// A non-blocking stream socket that belongs to one thread.
struct OVSDBSocket: ~Copyable {
    enum Ready {
        case timeout, woken
        case socket(canRead: Bool, canWrite: Bool)
    }

    private let descriptor: Int32

    deinit { close(descriptor) }

    /// Connects, or begins to; `finishConnect` tells how it went. Throws errno's words.
    init(_ endpoint: OVSDBEndpoint) throws { descriptor = try Self.open(endpoint) }

    private static func open(_ endpoint: OVSDBEndpoint) throws -> Int32 {
        var (address, length) = try Self.address(of: endpoint)
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(Int32(address.ss_family), kind, 0)
        guard descriptor >= 0 else { throw failure("socket", errno) }
        if case .tcp = endpoint {
            var isOn: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
        }
        // SAFETY: `address` holds an address of `length` bytes, and connect only reads it.
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        let code = errno
        guard result == 0 || code == EINPROGRESS || code == EAGAIN else {
            close(descriptor)
            throw failure("connect \(endpoint)", code)
        }
        return descriptor
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
        let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return 0 }
        throw Self.failure("send", errno)
    }

    private static func address(of endpoint: OVSDBEndpoint) throws -> (sockaddr_storage, socklen_t) {
        var storage = sockaddr_storage()
        // SAFETY: each rebound type is smaller than sockaddr_storage, which is made for holding any of them.
        return try withUnsafeMutablePointer(to: &storage) { pointer in
            switch endpoint {
            case .unix(let path):
                let length = pointer.withMemoryRebound(to: sockaddr_un.self, capacity: 1) { address in
                    address.pointee.sun_family = sa_family_t(AF_UNIX)
                    withUnsafeMutableBytes(of: &address.pointee.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
                    return MemoryLayout<sockaddr_un>.size
                }
                return (pointer.pointee, socklen_t(length))
            case .tcp(let text, let port) where text.contains(":"):
                let isValid = pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                    address.pointee.sin6_family = sa_family_t(AF_INET6)
                    address.pointee.sin6_port = port.bigEndian
                    return inet_pton(AF_INET6, text, &address.pointee.sin6_addr) == 1
                }
                guard isValid else { throw Self.failure("inet_pton \(text)", EINVAL) }
                return (pointer.pointee, socklen_t(MemoryLayout<sockaddr_in6>.size))
            case .tcp(let text, let port):
                let isValid = pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                    address.pointee.sin_family = sa_family_t(AF_INET)
                    address.pointee.sin_port = port.bigEndian
                    return inet_pton(AF_INET, text, &address.pointee.sin_addr) == 1
                }
                guard isValid else { throw Self.failure("inet_pton \(text)", EINVAL) }
                return (pointer.pointee, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func failure(_ call: String, _ code: Int32) -> CloudError {
        CloudError(.unavailable, "The network database cannot be reached.", cause: "\(call): \(text(code))")
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
