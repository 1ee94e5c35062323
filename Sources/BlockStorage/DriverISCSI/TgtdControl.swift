// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LifecycleKit
import LinuxKit

/// tgtd's control socket, spoken to as its own tool does (`tgtadm.h`): one request for each connection. Passwords go
/// over the socket, where no list of processes shows them.
struct TgtdControl: Sendable {
    enum Mode: UInt32 { case system, target, device, portal, driver, session, connection, account }
    enum Operation: UInt32 { case new, delete, show, bind, unbind, update }

    struct Request: Sendable {
        var mode: Mode
        var operation: Operation
        var target: Int32 = -1
        var session: UInt64 = 0
        var unit: UInt64 = 0
        var connection: UInt32 = 0
        var isForced = false
        var parameters: [(name: String, value: String)] = []
    }

    /// An answer that says no.
    struct Refusal: Error, Sendable, CustomStringConvertible {
        static let noTarget: UInt32 = 4
        static let noUnit: UInt32 = 5
        static let noSession: UInt32 = 6
        static let noConnection: UInt32 = 7
        static let accessExists: UInt32 = 12
        static let noAccess: UInt32 = 13
        static let userExists: UInt32 = 14
        static let noUser: UInt32 = 15

        var code: UInt32
        var description: String { "tgtd refused: error \(code)" }
    }

    private static let driver = "iscsi"
    private static let driverLength = 64
    private static let headerLength = 120
    private static let answerLimit = 64 << 20
    private static let timeoutSeconds = 30
    private static let threads = BlockingPool("tgtd", threads: 2)

    let socketPath: String

    func call(_ request: Request) async throws -> String {
        let bytes = try Self.encode(request)
        return try await Self.threads.run { try exchange(bytes) }
    }

    /// As `call`; true unless tgtd refused for one of these reasons.
    @discardableResult
    func call(_ request: Request, unless codes: UInt32...) async throws -> Bool {
        do {
            _ = try await call(request)
            return true
        } catch let refusal as Refusal where codes.contains(refusal.code) {
            return false
        }
    }

    // MARK: Wire

    static func encode(_ request: Request) throws -> [UInt8] {
        // Commas part the parameters, so none may hold one.
        guard request.parameters.allSatisfy({ !$0.value.utf8.contains { $0 == UInt8(ascii: ",") || $0 < 0x20 } })
        else { throw CloudError(.bug, "The export failed.", cause: "a parameter of tgtd holds a comma") }
        let text = request.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        // The end of a C string belongs to the parameters.
        let parameters = text.isEmpty ? [] : Array(text.utf8) + [0]
        var bytes: [UInt8] = []
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
        }
        put(request.mode.rawValue)
        put(request.operation.rawValue)
        bytes += Array(driver.utf8) + [UInt8](repeating: 0, count: driverLength - driver.utf8.count)
        put(UInt32(headerLength + parameters.count))
        put(request.target)
        put(request.session)
        put(request.unit)
        put(request.connection)
        for _ in 0..<4 { put(UInt32(0)) }  // host, device type (disk), direction, pack
        put(UInt32(request.isForced ? 1 : 0))
        precondition(bytes.count == headerLength)
        return bytes + parameters
    }

    private func exchange(_ request: [UInt8]) throws -> String {
        let socket = try connected()
        try FileCalls.writeAll(request, to: socket.number, path: socketPath)
        let head = try receive(socket.number, count: 8)
        let (code, length) = head.withUnsafeBytes {
            ($0.loadUnaligned(as: UInt32.self), $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        }
        guard code == 0 else { throw Refusal(code: code) }
        guard length >= 8, length <= Self.answerLimit else {
            throw CloudError(.unavailable, "The export failed.", cause: "tgtd announced \(length) bytes")
        }
        return String(decoding: try receive(socket.number, count: Int(length) - 8).prefix { $0 != 0 }, as: UTF8.self)
    }

    private func connected() throws -> OwnedDescriptor {
        var address = sockaddr_un()
        let path = Array(socketPath.utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("connect", socketPath, code: ENAMETOOLONG)
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("socket") }
        let descriptor = OwnedDescriptor(number)
        var limit = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        // SAFETY: the address lives for the call, which reads no more than its own size of it.
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw SystemError("connect", socketPath) }
        return descriptor
    }

    private func receive(_ socket: Int32, count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < count {
            let received = read(socket, &chunk, min(chunk.count, count - bytes.count))
            if received < 0, errno == EINTR { continue }
            guard received > 0 else { throw SystemError("read", socketPath, code: received == 0 ? EPIPE : errno) }
            bytes.append(contentsOf: chunk[..<received])
        }
        return bytes
    }
}
