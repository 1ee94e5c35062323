// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

package enum Sockets {
    /// A listening TCP socket in the calling thread's network namespace: close-on-exec, non-blocking.
    package static func listen(address: String, port: UInt16, backlog: Int32 = 128) throws(SystemError) -> Int32 {
        guard let parsed = IPAddressBytes(address) else { throw SystemError("listen", address, code: EINVAL) }
        let isIPv6 = parsed.bytes.count == 16
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let socket = OwnedDescriptor(try check(Glibc.socket(isIPv6 ? AF_INET6 : AF_INET, type, 0), "socket"))
        var yes: Int32 = 1
        try check(
            setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size)), "setsockopt"
        )
        try check(bind(socket.number, parsed, port, isIPv6: isIPv6), "bind", "\(address):\(port)")
        try check(Glibc.listen(socket.number, backlog), "listen", "\(address):\(port)")
        return socket.release()
    }

    private static func bind(_ socket: Int32, _ address: IPAddressBytes, _ port: UInt16, isIPv6: Bool) -> Int32 {
        if isIPv6 {
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: address.bytes) }
            return call(&name) { Glibc.bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
        }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &name.sin_addr) { $0.copyBytes(from: address.bytes) }
        return call(&name) { Glibc.bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }

    private static func call<Name>(_ name: inout Name, _ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        // SAFETY: every sockaddr_* begins as sockaddr does; the call gets the real length.
        withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) } }
    }
}

/// An IPv4 or IPv6 address as the kernel takes it.
struct IPAddressBytes {
    let bytes: [UInt8]

    init?(_ text: String) {
        var buffer = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &buffer) == 1 {
            bytes = Array(buffer[..<4])
        } else if inet_pton(AF_INET6, text, &buffer) == 1 {
            bytes = buffer
        } else {
            return nil
        }
    }

    var family: UInt8 { UInt8(bytes.count == 16 ? AF_INET6 : AF_INET) }
}
