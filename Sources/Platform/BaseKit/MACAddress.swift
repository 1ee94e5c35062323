// SPDX-License-Identifier: Apache-2.0

/// An Ethernet address.
package struct MACAddress: Hashable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package init(value: UInt64) {
        precondition(value < 1 << 48, "an Ethernet address has 48 bits")
        self.value = value
    }

    /// Reads six pairs of hexadecimal digits with `:` or `-` between them. Nil for anything else.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 17 else { return nil }
        var value: UInt64 = 0
        for index in bytes.indices {
            if index % 3 == 2 {
                guard bytes[index] == bytes[2], bytes[2] == UInt8(ascii: ":") || bytes[2] == UInt8(ascii: "-") else {
                    return nil
                }
            } else {
                guard let digit = Hex.value(bytes[index]) else { return nil }
                value = value << 4 | UInt64(digit)
            }
        }
        self.value = value
    }

    /// An address of the cloud's own: `fa:16:3e` and the lowest 24 bits of `random`.
    package static func generated(from random: UInt64) -> MACAddress {
        MACAddress(value: 0xFA16_3E00_0000 | random & 0xFF_FFFF)
    }

    package var isMulticast: Bool { value >> 40 & 1 == 1 }
    package var isZero: Bool { value == 0 }

    /// The address that a host with this card takes by itself in an IPv6 network (RFC 4862, modified EUI-64).
    package func slaacAddress(in prefix: CIDR) -> IPAddress {
        let identifier = (value >> 24) << 40 | 0xFF_FE00_0000 | value & 0xFF_FFFF
        return IPAddress(isIPv6: true, value: prefix.network.value | UInt128(identifier ^ 1 << 57))
    }

    package var description: String {
        String(unsafeUninitializedCapacity: 17) { buffer in
            for index in 0..<6 {
                let byte = UInt8(truncatingIfNeeded: value >> UInt64(40 - 8 * index))
                buffer[index * 3] = Hex.digit(byte >> 4)
                buffer[index * 3 + 1] = Hex.digit(byte & 0xF)
                if index < 5 { buffer[index * 3 + 2] = UInt8(ascii: ":") }
            }
            return 17
        }
    }
}
