// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit
import ObjectStorageDriverRemote

/// `ADDRESS:PORT` or `[ADDRESS]:PORT`: where a storage host listens, and what the rings call it.
struct StorageEndpoint: Sendable, CustomStringConvertible {
    let host: String
    let port: UInt16

    /// Nil for a name without a port: that of a host whose devices are not served.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard IPAddress(host)?.isIPv6 == true else { return nil }
        } else {
            // It becomes a part of a URL.
            guard (1...253).contains(host.utf8.count), host.utf8.allSatisfy(Self.isOfName) else { return nil }
        }
        self.host = String(host)
        self.port = port
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Where nobody can be reached: every address of the host.
    var isWildcard: Bool { IPAddress(host)?.value == 0 }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ClusterKey {
    /// Nil when there is no such file. Throws when it is no key, or others may read it.
    static func read(_ file: String) throws -> ClusterKey? {
        guard let content = try FileSystem.read(file, limit: 4096) else { return nil }
        guard let key = ClusterKey(fileContent: content) else {
            throw CommandFailure("\(file) is no key: 64 hexadecimal digits, such as `openssl rand -hex 32` prints.")
        }
        guard try !FileSystem.isReadableByOthers(file) else {
            throw CommandFailure("\(file) may be read by everyone; make it private with `chmod 600 \(file)`.")
        }
        return key
    }
}

extension FileSystem {
    fileprivate static func isReadableByOthers(_ path: String) throws -> Bool {
        var info = stat()
        guard stat(path, &info) == 0 else { throw SystemError("stat", path) }
        return info.st_mode & S_IRWXO != 0
    }
}
