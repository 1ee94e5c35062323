// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// What the hosts of one cloud's object storage share: who has it may read and change every device. No log and no
/// description shows it.
package struct ClusterKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package static let byteCount = 32
    private let bytes: [UInt8]

    /// Nil unless there are 32 bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// A key file's content: 64 hexadecimal digits, and white space around them; or the 32 bytes themselves.
    package init?(fileContent content: [UInt8]) {
        if content.count == Self.byteCount {
            self.init(content)
            return
        }
        let digits = content.filter { $0 > 0x20 }
        guard digits.count == 2 * Self.byteCount else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Hex.value(digits[index]), let low = Hex.value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self.init(bytes)
    }

    package static func generated() -> ClusterKey {
        guard let key = ClusterKey(SecureRandom.bytes(byteCount)) else { fatalError("32 bytes are a key") }
        return key
    }

    /// As a key file has it.
    package func reveal() -> String { Hex.encode(bytes) }

    func sign(_ text: String) -> [UInt8] { HMAC.sha256(key: bytes, Array(text.utf8)) }

    package var description: String { "***" }
    package var debugDescription: String { "***" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
