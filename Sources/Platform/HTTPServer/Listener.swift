// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc

/// Where the server accepts connections.
package struct Listener: Sendable {
    package enum Socket: Sendable {
        /// A numeric IPv4 or IPv6 address. Port 0 takes any free port; see `HTTPServer.ports`.
        case address(String, port: UInt16)
        /// A stream socket that listens already, made elsewhere: in another network namespace, or by the parent. The
        /// server owns and closes it.
        case descriptor(Int32)
    }

    package var socket: Socket
    /// Arrives as `HTTPRequest.listenerTag`.
    package var tag: String
    package var tls: TLSIdentity?
    /// Connections of this listener at once, so that one network's guests cannot take all there are.
    package var connectionLimit: Int

    package init(_ socket: Socket, tag: String = "", tls: TLSIdentity? = nil, connectionLimit: Int = .max) {
        self.socket = socket
        self.tag = tag
        self.tls = tls
        self.connectionLimit = connectionLimit
    }
}

/// A certificate chain and its key, as PEM texts.
package struct TLSIdentity: Sendable, Hashable {
    package let certificate: String
    package let key: Secret

    package init(certificate: String, key: Secret) {
        self.certificate = certificate
        self.key = key
    }
}

/// Opens and describes listening sockets.
enum ListeningSocket {
    private static let backlog: Int32 = 1024

    static func open(_ socket: Listener.Socket) throws -> Int32 {
        switch socket {
        case .descriptor(let descriptor):
            let flags = fcntl(descriptor, F_GETFL)
            guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
                throw CloudError(.bug, "The handed-in socket \(descriptor) is not usable.", cause: "errno \(errno)")
            }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            return descriptor
        case .address(let text, let port):
            return try open(text, port)
        }
    }

    private static func open(_ text: String, _ port: UInt16) throws -> Int32 {
        guard let address = SocketAddress(text, port: port) else {
            throw CloudError.badRequest("'\(text)' is not a numeric IP address to listen on.")
        }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = Glibc.socket(address.family, kind, 0)
        guard descriptor >= 0 else { throw failure("open a socket for", text, port) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard address.withSockaddr({ bind(descriptor, $0, $1) }) == 0, listen(descriptor, backlog) == 0 else {
            defer { close(descriptor) }
            throw failure("listen on", text, port)
        }
        return descriptor
    }

    private static func failure(_ what: String, _ text: String, _ port: UInt16) -> CloudError {
        CloudError(.unavailable, "Cannot \(what) \(text) port \(port): \(String(cString: strerror(errno))).")
    }

    /// The local port, or 0 for a socket that has none.
    static func port(of descriptor: Int32) -> UInt16 {
        SocketAddress.make { getsockname(descriptor, $0, $1) }?.port ?? 0
    }
}

/// An IPv4 or IPv6 address with a port.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length = socklen_t(0)

    var family: Int32 { Int32(storage.ss_family) }

    init?(_ text: String, port: UInt16) {
        var four = sockaddr_in()
        var six = sockaddr_in6()
        if inet_pton(AF_INET, text, &four.sin_addr) == 1 {
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            set(four)
        } else if inet_pton(AF_INET6, text, &six.sin6_addr) == 1 {
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = port.bigEndian
            set(six)
        } else {
            return nil
        }
    }

    private init() {}

    /// What a call such as accept or getsockname fills in; nil when it gives a negative number.
    static func make(_ fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> Self? {
        var result = SocketAddress()
        return result.receive(fill) < 0 ? nil : result
    }

    /// As `make`, and keeps the call's own result: accept's descriptor.
    static func accept(on listener: Int32) -> (descriptor: Int32, address: Self) {
        var result = SocketAddress()
        let descriptor = result.receive { clinux_accept(listener, $0, $1) }
        return (descriptor, result)
    }

    private mutating func receive(
        _ fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> Int32 {
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // SAFETY: sockaddr_storage is made to be read and written as any of its family's structures.
        let code = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { fill($0, &size) }
        }
        length = min(size, socklen_t(MemoryLayout<sockaddr_storage>.size))
        return code
    }

    private mutating func set<Address>(_ address: Address) {
        length = socklen_t(MemoryLayout<Address>.size)
        // SAFETY: Address is sockaddr_in or sockaddr_in6, and both fit.
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: Address.self) }
    }

    private func read<Address>(_: Address.Type) -> Address {
        // SAFETY: callers check the family, and the storage is larger than any address.
        withUnsafeBytes(of: storage) { $0.loadUnaligned(as: Address.self) }
    }

    func withSockaddr<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        // SAFETY: as in `receive`.
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    var port: UInt16 {
        switch family {
        case AF_INET: UInt16(bigEndian: read(sockaddr_in.self).sin_port)
        case AF_INET6: UInt16(bigEndian: read(sockaddr_in6.self).sin6_port)
        default: 0
        }
    }

    /// The address as text; IPv4 mapped into IPv6 as IPv4. Empty for a socket of another family.
    var text: String {
        var buffer = [UInt8](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let isWritten = buffer.withUnsafeMutableBytes { buffer in
            let target = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            switch family {
            case AF_INET:
                var address = read(sockaddr_in.self).sin_addr
                return inet_ntop(AF_INET, &address, target, socklen_t(buffer.count)) != nil
            case AF_INET6:
                var address = read(sockaddr_in6.self).sin6_addr
                return inet_ntop(AF_INET6, &address, target, socklen_t(buffer.count)) != nil
            default: return false
            }
        }
        guard isWritten else { return "" }
        let text = String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
        return text.hasPrefix("::ffff:") && text.contains(".") ? String(text.dropFirst(7)) : text
    }
}
