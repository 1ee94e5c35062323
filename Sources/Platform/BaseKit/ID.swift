// SPDX-License-Identifier: Apache-2.0

/// The identifier of one kind of object. `Tag` is never instantiated; it only keeps kinds apart.
///
/// Identity's own ids are 32 hexadecimal digits without dashes; all other services use the dashed form.
package struct ID<Tag>: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let rawValue: String

    package init(_ rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension ID: Codable {
    package init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// Tags of the objects that more than one service names. A service's own tags live in its Contract.
package enum ProjectTag {}
package enum UserTag {}
package enum DomainTag {}
package enum RoleTag {}
package typealias ProjectID = ID<ProjectTag>
package typealias UserID = ID<UserTag>
package typealias DomainID = ID<DomainTag>
package typealias RoleID = ID<RoleTag>

/// Where new ids come from. Passed in, so that tests and simulations repeat.
package struct IDSource: Sendable {
    private let bytes: @Sendable () -> (UInt64, UInt64)

    package init(_ bytes: @escaping @Sendable () -> (UInt64, UInt64)) { self.bytes = bytes }

    package static let random = IDSource {
        var generator = SystemRandomNumberGenerator()
        return (generator.next(), generator.next())
    }

    /// A version 4 UUID in the dashed form.
    package func uuid() -> String { UUIDText.dashed(bytes()) }

    /// A version 4 UUID as 32 hexadecimal digits.
    package func hex() -> String { UUIDText.hex(bytes()) }

    package func next<Tag>(_: Tag.Type = Tag.self) -> ID<Tag> { ID(uuid()) }

    package func nextHex<Tag>(_: Tag.Type = Tag.self) -> ID<Tag> { ID(hex()) }
}

package enum UUIDText {
    /// Whether `text` is a UUID in the dashed form or as 32 digits, in either case.
    package static func isUUID(_ text: String) -> Bool {
        let digits = text.utf8
        guard digits.count == 32 || digits.count == 36 else { return false }
        var index = 0
        for byte in digits {
            defer { index += 1 }
            if digits.count == 36, index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return false }
            } else {
                guard Hex.value(byte) != nil else { return false }
            }
        }
        return true
    }

    static func dashed(_ halves: (UInt64, UInt64)) -> String { text(halves, dashes: true) }
    static func hex(_ halves: (UInt64, UInt64)) -> String { text(halves, dashes: false) }

    private static func text(_ halves: (UInt64, UInt64), dashes: Bool) -> String {
        let high = halves.0 & ~0xF000 | 0x4000
        let low = halves.1 & ~(0b11 << 62) | (0b10 << 62)
        return String(unsafeUninitializedCapacity: dashes ? 36 : 32) { buffer in
            var position = 0
            for nibble in 0..<32 {
                if dashes, nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let half = nibble < 16 ? high : low
                buffer[position] = Hex.digit(UInt8(half >> UInt64(60 - 4 * (nibble % 16)) & 0xF))
                position += 1
            }
            return position
        }
    }
}

package enum Hex {
    package static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    package static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            var position = 0
            for byte in bytes {
                buffer[position] = digit(byte >> 4)
                buffer[position + 1] = digit(byte & 0xF)
                position += 2
            }
            return position
        }
    }

    /// The bytes, or nil when `text` is not an even number of hexadecimal digits.
    package static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
