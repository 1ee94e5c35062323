// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Network interfaces and addresses of one network namespace, by rtnetlink.
///
/// The socket belongs to the namespace that the thread was in when it was opened; `configure` puts both together.
package struct NetworkLinks: ~Copyable {
    private let socket: OwnedDescriptor

    /// For the calling thread's namespace.
    package init() throws(SystemError) {
        socket = try Self.openSocket()
    }

    /// Runs `body` on a thread of its own in `namespace` (nil: the process's own).
    package static func configure<T: Sendable>(
        in namespace: NetworkNamespace? = nil, _ body: @escaping @Sendable (borrowing NetworkLinks) throws -> T
    ) async throws -> T {
        try await NetworkNamespace.onThread("netlink") {
            if let namespace { try namespace.enter() }
            return try body(NetworkLinks())
        }
    }

    // MARK: Interfaces

    package func exists(_ name: String) throws -> Bool { try index(name) != nil }

    /// Names of all interfaces.
    package func list() throws -> [String] {
        guard let table = if_nameindex() else { throw SystemError("if_nameindex") }
        defer { if_freenameindex(table) }
        var names: [String] = []
        var entry = table
        while let name = entry.pointee.if_name {
            names.append(String(cString: name))
            entry += 1
        }
        return names
    }

    /// A pair of connected interfaces. The peer is made in `peerNamespace` when given.
    package func createVethPair(_ name: String, peer: String, peerNamespace: NetworkNamespace? = nil) throws {
        var message = try linkMessage(UInt16(RTM_NEWLINK), flags: NLM_F_CREATE | NLM_F_EXCL)
        message.attribute(UInt32(IFLA_IFNAME), text: try Self.checked(name))
        let peerName = try Self.checked(peer)
        let target = try peerNamespace.map { try Self.open($0) }
        message.nest(UInt32(IFLA_LINKINFO)) { message in
            message.attribute(UInt32(IFLA_INFO_KIND), "veth".utf8)
            message.nest(UInt32(IFLA_INFO_DATA)) { message in
                message.nest(UInt32(VETH_INFO_PEER)) { message in
                    message.append(ifinfomsg())
                    message.attribute(UInt32(IFLA_IFNAME), text: peerName)
                    if let target { message.attribute(UInt32(IFLA_NET_NS_FD), UInt32(target.number)) }
                }
            }
        }
        try send(message, "create veth \(name)")
        withExtendedLifetime(target) {}
    }

    /// An interface that needs no more than its kind: `bridge`, `dummy`.
    package func create(_ name: String, kind: String) throws {
        var message = try linkMessage(UInt16(RTM_NEWLINK), flags: NLM_F_CREATE | NLM_F_EXCL)
        message.attribute(UInt32(IFLA_IFNAME), text: try Self.checked(name))
        message.nest(UInt32(IFLA_LINKINFO)) { $0.attribute(UInt32(IFLA_INFO_KIND), kind.utf8) }
        try send(message, "create \(kind) \(name)")
    }

    /// Not an error when there is none. The other end of a veth pair goes, too.
    package func delete(_ name: String) throws {
        guard try index(name) != nil else { return }
        do {
            try send(try linkMessage(UInt16(RTM_DELLINK), name), "delete \(name)")
        } catch let error as SystemError where error.code == ENODEV {
            return
        }
    }

    package func move(_ name: String, to namespace: NetworkNamespace, as newName: String? = nil) throws {
        let target = try Self.open(namespace)
        try change(name, "move") { message in
            message.attribute(UInt32(IFLA_NET_NS_FD), UInt32(target.number))
            if let newName { message.attribute(UInt32(IFLA_IFNAME), text: try Self.checked(newName)) }
        }
    }

    package func setUp(_ name: String) throws {
        let up = UInt32(1)  // IFF_UP
        var fixed = ifinfomsg()
        fixed.ifi_index = try requiredIndex(name)
        fixed.ifi_flags = up
        fixed.ifi_change = up
        var message = NetlinkMessage(type: UInt16(RTM_NEWLINK))
        message.append(fixed)
        try send(message, "set up \(name)")
    }

    /// `address` as in `fa:16:3e:00:00:01`.
    package func setMACAddress(_ name: String, _ address: String) throws {
        let parts = address.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.count == 2 ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6, bytes.count == 6 else { throw SystemError("set address", address, code: EINVAL) }
        try change(name, "set address") { $0.attribute(UInt32(IFLA_ADDRESS), bytes) }
    }

    /// Makes the kernel compute checksums before a frame leaves. A userspace datapath gets frames as they are, and
    /// drops those whose checksum was left to a device.
    package func disableTransmitChecksum(_ name: String) throws {
        try check(clinux_ethtool_set(name, clinux_ethtool_stxcsum, 0), "ethtool tx off", name)
    }

    // MARK: Addresses

    /// Not an error when the address is there.
    package func addAddress(_ name: String, _ address: String, prefixLength: Int) throws {
        let value = try Self.address(address)
        var fixed = ifaddrmsg()
        fixed.ifa_family = value.family
        fixed.ifa_prefixlen = UInt8(prefixLength)
        fixed.ifa_index = UInt32(try requiredIndex(name))
        var message = NetlinkMessage(type: UInt16(RTM_NEWADDR), flags: NLM_F_CREATE | NLM_F_REPLACE)
        message.append(fixed)
        message.attribute(UInt32(IFA_LOCAL), value.bytes)
        message.attribute(UInt32(IFA_ADDRESS), value.bytes)
        try send(message, "address \(address) on \(name)")
    }

    // MARK: Private

    private static func openSocket() throws(SystemError) -> OwnedDescriptor {
        let type = Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = OwnedDescriptor(try check(Glibc.socket(AF_NETLINK, type, NETLINK_ROUTE), "netlink socket"))
        // The kernel answers requests at once; the limit is for the case that it does not.
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        try check(
            setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size)),
            "setsockopt")
        return socket
    }

    private func index(_ name: String) throws -> Int32? {
        let index = if_nametoindex(try Self.checked(name))
        return index == 0 ? nil : Int32(index)
    }

    private func requiredIndex(_ name: String) throws -> Int32 {
        guard let index = try index(name) else { throw SystemError("interface", name, code: ENODEV) }
        return index
    }

    private func linkMessage(_ type: UInt16, flags: Int32 = 0) throws -> NetlinkMessage {
        var message = NetlinkMessage(type: type, flags: flags)
        message.append(ifinfomsg())
        return message
    }

    private func linkMessage(_ type: UInt16, _ name: String) throws -> NetlinkMessage {
        var fixed = ifinfomsg()
        fixed.ifi_index = try requiredIndex(name)
        var message = NetlinkMessage(type: type)
        message.append(fixed)
        return message
    }

    private func change(_ name: String, _ what: String, _ body: (inout NetlinkMessage) throws -> Void) throws {
        var message = try linkMessage(UInt16(RTM_NEWLINK), name)
        try body(&message)
        try send(message, "\(what) \(name)")
    }

    /// Sends one request and reads its acknowledgement.
    private func send(_ message: consuming NetlinkMessage, _ what: String) throws {
        let request = message.finish()
        try check(Glibc.send(socket.number, request, request.count, 0), "netlink send", what)
        var answer = [UInt8](repeating: 0, count: 8192)
        let count = try check(recv(socket.number, &answer, answer.count, 0), "netlink receive", what)
        let headerSize = MemoryLayout<nlmsghdr>.size
        guard count >= headerSize + 4 else { throw SystemError("netlink answer", what, code: EPROTO) }
        let (type, code) = answer.withUnsafeBytes {
            (
                $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self),
                $0.loadUnaligned(fromByteOffset: headerSize, as: Int32.self)
            )
        }
        guard type == UInt16(NLMSG_ERROR) else { throw SystemError("netlink answer", what, code: EPROTO) }
        guard code == 0 else { throw SystemError("netlink", what, code: -code) }
    }

    private static func open(_ namespace: NetworkNamespace) throws(SystemError) -> Handle {
        Handle(try check(Glibc.open(namespace.path, O_RDONLY | O_CLOEXEC), "open", namespace.path))
    }

    private static func address(_ text: String) throws(SystemError) -> IPAddressBytes {
        guard let address = IPAddressBytes(text) else { throw SystemError("address", text, code: EINVAL) }
        return address
    }

    /// The kernel cuts no name short: it refuses it, so say so before.
    private static func checked(_ name: String) throws(SystemError) -> String {
        guard !name.isEmpty, name.utf8.count < 16 else { throw SystemError("interface", name, code: EINVAL) }
        return name
    }

    /// An open namespace file, as a class so that it can be optional and captured.
    private final class Handle {
        let number: Int32
        init(_ number: Int32) { self.number = number }
        deinit { close(number) }
    }
}
