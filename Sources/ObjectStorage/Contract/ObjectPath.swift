// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Names what the store holds: an account, a container of it, an object in that. Two are the same when their bytes are.
package struct ObjectPath: Sendable, Hashable, Codable, CustomStringConvertible {
    /// `AUTH_` and the project's id, or another reseller's prefix.
    package var account: String
    package var container: String?
    package var object: String?

    package init(account: String, container: String? = nil, object: String? = nil) {
        self.account = account
        self.container = container
        self.object = object
    }

    /// `/account/container/object`, not encoded: what is hashed, and what a log says.
    package var description: String {
        var text = "/" + account
        if let container { text += "/" + container }
        if let object { text += "/" + object }
        return text
    }

    package static func == (left: ObjectPath, right: ObjectPath) -> Bool {
        left.account.isByteEqual(to: right.account) && String.areByteEqual(left.container, right.container)
            && String.areByteEqual(left.object, right.object)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(ByteText(account))
        hasher.combine(container.map { ByteText($0) })
        hasher.combine(object.map { ByteText($0) })
    }

    package var ofAccount: ObjectPath { ObjectPath(account: account) }
    package var ofContainer: ObjectPath { ObjectPath(account: account, container: container) }
    package func appending(_ object: String) -> ObjectPath {
        ObjectPath(account: account, container: container, object: object)
    }
}

/// When something was written, as the client or the first server that saw it says: the later one wins, on every device.
/// Unique within a process: two writes never share one.
package struct WriteTime: Sendable, Hashable, Comparable, Codable {
    /// 10 microseconds since 1970: what `X-Timestamp` shows with five decimals.
    package var ticks: Int64
    package init(ticks: Int64) { self.ticks = ticks }
    package static func < (left: WriteTime, right: WriteTime) -> Bool { left.ticks < right.ticks }

    /// `1700000000.12345`: seconds, five decimals.
    package var text: String {
        let (seconds, rest) = ticks.quotientAndRemainder(dividingBy: 100_000)
        let decimals = String(rest)
        return "\(seconds)." + String(repeating: "0", count: 5 - decimals.count) + decimals
    }

    /// Of ten digits with a point and up to five decimals; nil for anything else, and for what is negative.
    package init?(_ text: String) {
        let parts = text.split(byte: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, (1...11).contains(first.utf8.count), first.utf8.allSatisfy(Self.isDigit),
            let seconds = Int64(first)
        else { return nil }
        var decimals = parts.count > 1 ? String(parts[1]) : ""
        guard decimals.utf8.count <= 10, decimals.utf8.allSatisfy(Self.isDigit) else { return nil }
        decimals = String((decimals + "00000").prefix(5))
        guard let rest = Int64(decimals) else { return nil }
        ticks = seconds * 100_000 + rest
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
