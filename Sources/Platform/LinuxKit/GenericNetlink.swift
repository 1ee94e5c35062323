// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// The kernel's generic netlink: which subsystems it has.
package enum GenericNetlink {
    private static let controller = UInt16(16)  // GENL_ID_CTRL
    private static let getFamily = UInt8(3)  // CTRL_CMD_GETFAMILY
    private static let familyName = UInt32(2)  // CTRL_ATTR_FAMILY_NAME
    private static let version = UInt8(1)

    /// Whether the kernel, as it is loaded now, has a family: `ovs_datapath` is there with Open vSwitch's module.
    package static func hasFamily(_ name: String) throws(SystemError) -> Bool {
        let type = Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = OwnedDescriptor(try check(Glibc.socket(AF_NETLINK, type, NETLINK_GENERIC), "netlink socket"))
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        try check(
            setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size)),
            "setsockopt")
        var message = NetlinkMessage(type: controller)
        message.append((getFamily, version, UInt16(0)))
        message.attribute(familyName, text: name)
        let request = message.finish()
        try check(send(socket.number, request, request.count, 0), "netlink send", name)
        var answer = [UInt8](repeating: 0, count: 8192)
        let count = try check(recv(socket.number, &answer, answer.count, 0), "netlink receive", name)
        guard count >= MemoryLayout<nlmsghdr>.size else { throw SystemError("netlink answer", name, code: EPROTO) }
        // A family is answered with its description; none with an error.
        return answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self) } == controller
    }
}
