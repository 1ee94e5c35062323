// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPKit
import LifecycleKit

/// A client that sends exactly the bytes it is told to, which no polite library does. Blocking, on a thread of its own.
struct HTTPTestClient: Sendable {
    struct Reply: Sendable {
        var status = 0
        var headers: [String: String] = [:]
        /// The header as it came, a field a line.
        var lines: [String] = []
        var body: [UInt8] = []
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private let descriptor: Int32
    private let thread = BlockingThread("test-client")

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        // SAFETY: sockaddr_in is one form of sockaddr.
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            Glibc.close(descriptor)
            throw CloudError(.unavailable, "cannot connect", cause: "errno \(errno)")
        }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func close() { Glibc.close(descriptor) }

    /// Returns how many bytes the server took before it closed.
    @discardableResult
    func send(_ bytes: [UInt8]) async throws -> Int {
        try await thread.run { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { break }
                sent += count
            }
            return sent
        }
    }

    @discardableResult
    func send(_ text: String) async throws -> Int { try await send(Array(text.utf8)) }

    /// Exactly `count` bytes, or fewer at the end of the connection.
    func receive(_ count: Int) async throws -> [UInt8] {
        try await thread.run { [descriptor] in Self.receive(descriptor, count) }
    }

    private static func receive(_ descriptor: Int32, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(max(count, 1), 64 << 10))
        while bytes.count < count {
            let length = recv(descriptor, &buffer, min(buffer.count, count - bytes.count), 0)
            if length <= 0 { break }
            bytes += buffer[..<length]
        }
        return bytes
    }

    /// One response with a Content-Length or chunks. A status of 0 means that the connection ended.
    func reply(hasBody: Bool = true) async throws -> Reply {
        try await thread.run { [descriptor] in
            var reply = Reply()
            let head = Self.line(descriptor)
            let words = head.split(separator: " ")
            guard words.count > 1, let status = Int(words[1]) else { return reply }
            reply.status = status
            while true {
                let line = Self.line(descriptor)
                guard let colon = line.firstIndex(of: ":") else { break }
                reply.lines.append(line)
                reply.headers[line[..<colon].lowercased()] = String(
                    line[line.index(after: colon)...].drop { $0 == " " })
            }
            guard hasBody, status >= 200 else { return reply }
            if let length = reply.headers["content-length"].flatMap({ Int($0) }) {
                reply.body = Self.receive(descriptor, length)
            } else if reply.headers["transfer-encoding"] == "chunked" {
                while let size = Int(Self.line(descriptor), radix: 16), size > 0 {
                    reply.body += Self.receive(descriptor, size)
                    _ = Self.line(descriptor)
                }
                _ = Self.line(descriptor)
            }
            return reply
        }
    }

    private static func line(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        while let byte = receive(descriptor, 1).first {
            if byte == UInt8(ascii: "\n") { break }
            if byte != UInt8(ascii: "\r") { bytes.append(byte) }
        }
        return WireText.text(bytes)
    }

    /// Sends zeros while the server takes them, at most `limit`; returns how many it took.
    func fill(limit: Int) async throws -> Int {
        try await thread.run { [descriptor] in
            let zeros = [UInt8](repeating: 0, count: 256 << 10)
            var (sent, waits) = (0, 0)
            while sent < limit, waits < 10 {
                let count = Glibc.send(
                    descriptor, zeros, min(zeros.count, limit - sent), Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                if count > 0 {
                    (sent, waits) = (sent + count, 0)
                } else {
                    guard errno == EAGAIN else { break }
                    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    if poll(&entry, 1, 100) == 0 { waits += 1 }
                }
            }
            return sent
        }
    }

    /// Whether the server says nothing for a while.
    func isSilent(milliseconds: Int32 = 300) async throws -> Bool {
        try await thread.run { [descriptor] in
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&entry, 1, milliseconds) == 0
        }
    }

    /// Sends a request and reads its answer.
    func get(_ path: String, method: String = "GET", headers: String = "") async throws -> Reply {
        try await send("\(method) \(path) HTTP/1.1\r\nHost: test\r\n\(headers)\r\n")
        return try await reply(hasBody: method != "HEAD")
    }

    func post(_ path: String, _ body: [UInt8], headers: String = "") async throws -> Reply {
        try await send("POST \(path) HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n\(headers)\r\n")
        try await send(body)
        return try await reply()
    }
}
