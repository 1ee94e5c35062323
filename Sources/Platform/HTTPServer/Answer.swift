// SPDX-License-Identifier: Apache-2.0
import CMicroHTTPD
import Glibc
import HTTPKit

/// A response in libmicrohttpd's form. Whoever takes it queues it or drops it, once.
///
/// SAFETY: the pointer has one owner at a time; libmicrohttpd counts its own references.
struct Answer: @unchecked Sendable {
    let status: UInt32
    private let pointer: OpaquePointer
    /// The same as plain bytes, where the body is in memory: for an answer in the middle of a request's body.
    let plain: HTTPResponse?
    let isHead: Bool

    private static let hopHeaders: Set<String> = ["content-length", "transfer-encoding", "connection", "keep-alive"]

    /// `saysKeepAlive`: a client that asks for it in so many words is told that the connection stays.
    /// Consumes the response's file descriptor in any case. Nil when there is no memory.
    init?(_ response: HTTPResponse, isHead: Bool, closes: Bool, saysKeepAlive: Bool = false, for exchange: Exchange) {
        status = (200...599).contains(response.status) ? UInt32(response.status) : 500
        guard let pointer = Self.make(response, isHead: isHead, exchange) else { return nil }
        self.pointer = pointer
        self.isHead = isHead
        switch response.body {
        case .empty, .bytes: plain = response
        default: plain = nil
        }
        for (name, value) in response.headers.fields where !Self.hopHeaders.contains(name.lowercased()) {
            Self.add(name, value, to: pointer)
        }
        // No part of a 204 (RFC 9110, 8.6), but harmless, and what the object storage API has always said.
        let hasLength = status == 204 && response.headers["Content-Length"] == "0"
        if hasLength || saysKeepAlive { cmhd_allow(pointer, hasLength, saysKeepAlive) }
        if hasLength {
            MHD_add_response_header(pointer, "Content-Length", "0")
        }
        if closes { MHD_add_response_header(pointer, "Connection", "close") }
    }

    private static func add(_ name: String, _ value: String, to pointer: OpaquePointer) {
        // libmicrohttpd refuses an empty value. A blank is one, too: it is no part of the value that the client reads.
        let value = value.isEmpty ? " " : value
        // False for a value with a line break in it: dropping the field is the safe answer to that.
        if WireText.isEscaped(name) || WireText.isEscaped(value) {
            _ = MHD_add_response_header(pointer, terminated(name), terminated(value))
        } else {
            _ = MHD_add_response_header(pointer, name, value)
        }
    }

    /// A handshake that was accepted: `handler` gets the socket.
    init?(upgradeTo protocolName: String, headers: [(String, String)], _ handler: @escaping MHD_UpgradeHandler) {
        status = 101
        plain = nil
        isHead = false
        guard let pointer = MHD_create_response_for_upgrade(handler, nil) else { return nil }
        self.pointer = pointer
        MHD_add_response_header(pointer, "Upgrade", protocolName)
        for (name, value) in headers { MHD_add_response_header(pointer, name, value) }
    }

    /// The connection must be suspended, or the caller be inside its access callback.
    consuming func queue(on connection: ConnectionHandle) -> Bool {
        let isQueued = MHD_queue_response(connection.pointer, status, pointer) == .YES
        MHD_destroy_response(pointer)
        return isQueued
    }

    consuming func drop() { MHD_destroy_response(pointer) }

    private static func terminated(_ text: String) -> [CChar] {
        WireText.bytes(text).map(CChar.init(bitPattern:)) + [0]
    }

    private static func make(_ response: HTTPResponse, isHead: Bool, _ exchange: Exchange) -> OpaquePointer? {
        switch response.body {
        case .empty, .webSocket:
            guard isHead, let length = response.headers["Content-Length"].flatMap(UInt64.init), length > 0 else {
                return empty()
            }
            // HEAD says how long the body of GET would be.
            return MHD_create_response_from_callback(length, 1, readNothing, nil, nil)
        case .bytes(let bytes):
            return bytes.isEmpty ? empty() : buffer(bytes)
        case .file(let descriptor, let offset, let length):
            guard length > 0 else {
                close(descriptor)
                return empty()
            }
            guard isHead || holds(descriptor, offset, length) else {
                // The header promises what is not there, and sendfile would wait for it until the idle time.
                close(descriptor)
                exchange.core.log.error("file is too short", ["offset": offset, "length": length])
                return MHD_create_response_from_callback(UInt64(length), 1, readNothing, nil, nil)
            }
            let response = MHD_create_response_from_fd_at_offset64(UInt64(length), descriptor, UInt64(max(0, offset)))
            if response == nil { close(descriptor) }
            return response
        case .stream(_, let length):
            if length == 0 { return empty() }
            let context = Unmanaged.passRetained(exchange).toOpaque()
            let size = length.map { UInt64(max(0, $0)) } ?? cmhd_size_unknown()
            let response = MHD_create_response_from_callback(size, 128 << 10, readStream, context, releaseExchange)
            if response == nil { Unmanaged<Exchange>.fromOpaque(context).release() }
            return response
        }
    }

    /// Whether an open file has all of this range. What is no regular file has no size to compare.
    private static func holds(_ descriptor: Int32, _ offset: Int64, _ length: Int64) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) else { return true }
        let (end, isTooFar) = max(0, offset).addingReportingOverflow(length)
        return !isTooFar && end <= Int64(status.st_size)
    }

    private static func empty() -> OpaquePointer? {
        MHD_create_response_from_buffer(0, nil, .RESPMEM_PERSISTENT)
    }

    private static func buffer(_ bytes: [UInt8]) -> OpaquePointer? {
        let box = BytesBox(bytes)
        // SAFETY: an array's elements stay where they are while it is neither changed nor released. The box is
        // immutable and is released by libmicrohttpd after the last read.
        return box.bytes.withUnsafeBytes { buffer in
            let context = Unmanaged.passRetained(box).toOpaque()
            let base = UnsafeMutableRawPointer(mutating: buffer.baseAddress)
            let response = MHD_create_response_from_buffer_with_free_callback_cls(
                buffer.count, base, releaseBytes, context)
            if response == nil { Unmanaged<BytesBox>.fromOpaque(context).release() }
            return response
        }
    }

    /// What the server says by itself, in the shape that most services use.
    static func refusal(_ status: Int, _ message: String) -> HTTPResponse {
        let title = MHD_get_reason_phrase_for(UInt32(status)).map { String(cString: $0) } ?? "Error"
        let body = #"{"error": {"code": \#(status), "title": "\#(title)", "message": "\#(message)"}}"#
        return .json(status, Array(body.utf8))
    }
}

private final class BytesBox: Sendable {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
}

// SAFETY of the callbacks: each context was retained when the response was made, and is released once, by the free
// callback, after the last read.

private func releaseBytes(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<BytesBox>.fromOpaque(context).release()
}

private func releaseExchange(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<Exchange>.fromOpaque(context).release()
}

private func readNothing(
    _ context: UnsafeMutableRawPointer?, _ position: UInt64, _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int
) -> Int { cmhd_end_with_error() }

private func readStream(
    _ context: UnsafeMutableRawPointer?, _ position: UInt64, _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int
) -> Int {
    guard let context else { return cmhd_end_with_error() }
    let exchange = Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
    return exchange.produce(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
}
