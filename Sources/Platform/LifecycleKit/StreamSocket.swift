// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import Synchronization

/// A connected TCP or Unix socket whose calls block on threads of its own: two per socket, so for the few connections
/// of consoles, not for a server's clients.
package final class StreamSocket: Sendable {
    private static let readBytes = 32 * 1024

    private let descriptor: Int32
    private let reader: BlockingThread
    private let writer: BlockingThread
    private let isShut = Mutex(false)

    private init(_ descriptor: Int32, _ name: String) {
        self.descriptor = descriptor
        reader = BlockingThread("\(name)-read", queueLimit: 4)
        writer = BlockingThread("\(name)-write", queueLimit: 64)
    }

    // The threads' closures hold the object, so nothing uses the descriptor any more.
    deinit { close(descriptor) }

    /// `host` is an address. Throws `.unavailable` when nobody listens or `limit` passes.
    package static func connect(tcp host: String, port: Int, limit: Duration) async throws -> StreamSocket {
        try await connect("\(host):\(port)", limit) {
            if host.contains(":") {
                var name = sockaddr_in6()
                name.sin6_family = sa_family_t(AF_INET6)
                name.sin6_port = in_port_t(truncatingIfNeeded: port).bigEndian
                guard inet_pton(AF_INET6, host, &name.sin6_addr) == 1 else { return (-1, EINVAL) }
                return open(AF_INET6, &name, limit)
            }
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
            guard inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &name.sin_addr) == 1 else {
                return (-1, EINVAL)
            }
            return open(AF_INET, &name, limit)
        }
    }

    package static func connect(unix path: String, limit: Duration) async throws -> StreamSocket {
        try await connect(path, limit) {
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            let room = MemoryLayout.size(ofValue: name.sun_path)
            guard bytes.count < room else { return (-1, ENAMETOOLONG) }
            // SAFETY: the field has `room` bytes, all zero, and the path is shorter.
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
            return open(AF_UNIX, &name, limit)
        }
    }

    private static func connect(
        _ target: String, _ limit: Duration, _ body: @escaping @Sendable () -> (Int32, Int32)
    ) async throws -> StreamSocket {
        let thread = BlockingThread("connect", queueLimit: 1)
        let (descriptor, error) = try await thread.run(body)
        guard descriptor >= 0 else {
            throw CloudError(.unavailable, "The console is not reachable.", cause: "connect \(target): errno \(error)")
        }
        return StreamSocket(descriptor, "stream")
    }

    private static func open<Name>(_ family: Int32, _ name: inout Name, _ limit: Duration) -> (Int32, Int32) {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return (-1, errno) }
        // Bounds connect, and each write to a peer that does not read.
        var time = timeval(tv_sec: Int(max(1, limit.components.seconds)), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        // SAFETY: every sockaddr_* begins as sockaddr does; the call gets the real length.
        let result = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
        guard result == 0 else {
            let error = errno
            Glibc.close(descriptor)
            return (-1, error)
        }
        return (descriptor, 0)
    }

    /// The next bytes, never empty; nil at the end, after `shut`, and when the peer has gone.
    package func read() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await reader.run { [self] in
                var buffer = [UInt8](repeating: 0, count: Self.readBytes)
                while true {
                    let count = Glibc.read(descriptor, &buffer, buffer.count)
                    if count > 0 { return Array(buffer[..<count]) }
                    if count == 0 || errno != EINTR { return nil }
                }
            }
        } onCancel: {
            shut()
        }
    }

    /// All of `bytes`. Throws `.unavailable` when the peer has gone, or does not read for too long.
    package func write(_ bytes: [UInt8]) async throws {
        try await writer.run { [self] in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if count < 0, errno != EINTR {
                    throw CloudError(.unavailable, "The connection was closed.", cause: "send: errno \(errno)")
                }
            }
        }
    }

    /// Ends both directions; a waiting `read` returns nil. May be repeated.
    package func shut() {
        isShut.withLock { isShut in
            guard !isShut else { return }
            isShut = true
            shutdown(descriptor, Int32(SHUT_RDWR))
        }
    }
}
