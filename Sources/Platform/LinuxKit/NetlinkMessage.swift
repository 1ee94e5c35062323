// SPDX-License-Identifier: Apache-2.0
import CLinux

/// One rtnetlink request: header, fixed part, attributes, all in the host's byte order and padded to four bytes.
struct NetlinkMessage {
    private(set) var bytes: [UInt8]

    /// `flags` come on top of "this is a request, acknowledge it".
    init(type: UInt16, flags: Int32 = 0) {
        let header = nlmsghdr(
            nlmsg_len: 0, nlmsg_type: type, nlmsg_flags: UInt16(NLM_F_REQUEST | NLM_F_ACK | flags), nlmsg_seq: 1,
            nlmsg_pid: 0)
        bytes = []
        append(header)
    }

    /// A fixed structure, such as `ifinfomsg`.
    mutating func append<Fixed: BitwiseCopyable>(_ value: Fixed) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
        pad()
    }

    mutating func attribute(_ type: UInt32, _ payload: some Collection<UInt8>) {
        appendHeader(type, payloadCount: payload.count)
        bytes.append(contentsOf: payload)
        pad()
    }

    mutating func attribute(_ type: UInt32, _ value: UInt32) {
        appendHeader(type, payloadCount: 4)
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    /// Text with its terminating zero.
    mutating func attribute(_ type: UInt32, text: String) { attribute(type, Array(text.utf8) + [0]) }

    /// An attribute that holds what `body` appends.
    mutating func nest(_ type: UInt32, _ body: (inout NetlinkMessage) throws -> Void) rethrows {
        let start = bytes.count
        appendHeader(type, payloadCount: 0)
        try body(&self)
        setLength(UInt16(bytes.count - start), at: start)
    }

    /// The whole, ready to send.
    consuming func finish() -> [UInt8] {
        withUnsafeBytes(of: UInt32(bytes.count)) { bytes.replaceSubrange(0..<4, with: $0) }
        return bytes
    }

    private mutating func appendHeader(_ type: UInt32, payloadCount: Int) {
        let header = nlattr(nla_len: UInt16(4 + payloadCount), nla_type: UInt16(type))
        withUnsafeBytes(of: header) { bytes.append(contentsOf: $0) }
    }

    private mutating func setLength(_ length: UInt16, at offset: Int) {
        withUnsafeBytes(of: length) { bytes.replaceSubrange(offset..<offset + 2, with: $0) }
    }

    private mutating func pad() {
        while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
    }
}
