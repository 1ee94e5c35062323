// SPDX-License-Identifier: Apache-2.0

/// An IPv4 or IPv6 address. IPv4 sorts before IPv6.
package struct IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let isIPv6: Bool
    /// The address as a number; the upper 96 bits are zero for IPv4.
    package let value: UInt128

    package init(isIPv6: Bool, value: UInt128) {
        precondition(isIPv6 || value <= 0xFFFF_FFFF, "an IPv4 address has 32 bits")
        self.isIPv6 = isIPv6
        self.value = value
    }

    /// Reads `10.0.0.1` (four decimal numbers without leading zeros) or an IPv6 address without a zone.
    /// Nil for anything else.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(UInt8(ascii: ":")) {
            guard let value = IPv6Text.parse(bytes[...]) else { return nil }
            (isIPv6, self.value) = (true, value)
        } else {
            guard let value = Self.parseIPv4(bytes[...]) else { return nil }
            (isIPv6, self.value) = (false, UInt128(value))
        }
    }

    package var version: Int { isIPv6 ? 6 : 4 }
    package var bits: Int { isIPv6 ? 128 : 32 }

    package static func < (left: Self, right: Self) -> Bool {
        left.isIPv6 == right.isIPv6 ? left.value < right.value : right.isIPv6
    }

    /// The address `distance` further; nil past either end of the family.
    package func advanced(by distance: Int) -> IPAddress? {
        let (sum, overflow) =
            distance >= 0
            ? value.addingReportingOverflow(UInt128(distance))
            : value.subtractingReportingOverflow(UInt128(distance.magnitude))
        guard !overflow, isIPv6 || sum <= 0xFFFF_FFFF else { return nil }
        return IPAddress(isIPv6: isIPv6, value: sum)
    }

    package var isMulticast: Bool { isIPv6 ? value >> 120 == 0xFF : value >> 28 == 0xE }
    package var isLoopback: Bool { isIPv6 ? value == 1 : value >> 24 == 127 }

    /// The canonical text: RFC 5952 for IPv6.
    package var description: String { isIPv6 ? IPv6Text.text(value) : Self.textIPv4(UInt32(value)) }

    /// Fixed-width hexadecimal digits, so that the order of texts is the order of addresses of one family.
    package var sortKey: String {
        let width = isIPv6 ? 32 : 8
        return String(unsafeUninitializedCapacity: width) { buffer in
            for index in 0..<width {
                buffer[index] = Hex.digit(UInt8(truncatingIfNeeded: value >> UInt128(4 * (width - 1 - index))) & 0xF)
            }
            return width
        }
    }

    /// Reads what `sortKey` writes.
    package init?(sortKey: String) {
        guard sortKey.utf8.count == 8 || sortKey.utf8.count == 32 else { return nil }
        var value: UInt128 = 0
        for digit in sortKey.utf8 {
            guard let nibble = Hex.value(digit) else { return nil }
            value = value << 4 | UInt128(nibble)
        }
        self.init(isIPv6: sortKey.utf8.count == 32, value: value)
    }

    static func parseIPv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }),
                part.count == 1 || part.first != UInt8(ascii: "0")
            else { return nil }
            let octet = part.reduce(0) { $0 * 10 + UInt32($1 - 0x30) }
            guard octet <= 255 else { return nil }
            value = value << 8 | octet
        }
        return value
    }

    static func textIPv4(_ value: UInt32) -> String {
        "\(value >> 24).\(value >> 16 & 0xFF).\(value >> 8 & 0xFF).\(value & 0xFF)"
    }
}

/// Reading and writing of IPv6 addresses.
private enum IPv6Text {
    static func parse(_ bytes: ArraySlice<UInt8>) -> UInt128? {
        let colon = UInt8(ascii: ":")
        var head: [UInt16] = []
        var tail: [UInt16] = []
        guard let gap = doubleColon(bytes) else {
            guard let groups = groups(bytes.split(separator: colon, omittingEmptySubsequences: false)),
                groups.count == 8
            else { return nil }
            return combine(groups)
        }
        let (left, right) = (bytes[..<gap], bytes[(gap + 2)...])
        guard doubleColon(right) == nil, right.first != colon else { return nil }
        if !left.isEmpty {
            guard
                let groups = groups(left.split(separator: colon, omittingEmptySubsequences: false), mayEndInIPv4: false)
            else { return nil }
            head = groups
        }
        if !right.isEmpty {
            guard let groups = groups(right.split(separator: colon, omittingEmptySubsequences: false)) else {
                return nil
            }
            tail = groups
        }
        guard head.count + tail.count <= 7 else { return nil }
        return combine(head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
    }

    private static func doubleColon(_ bytes: ArraySlice<UInt8>) -> Int? {
        bytes.indices.dropLast().first { bytes[$0] == UInt8(ascii: ":") && bytes[$0 + 1] == UInt8(ascii: ":") }
    }

    private static func groups(_ parts: [ArraySlice<UInt8>], mayEndInIPv4: Bool = true) -> [UInt16]? {
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if mayEndInIPv4, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let address = IPAddress.parseIPv4(part) else { return nil }
                groups += [UInt16(address >> 16), UInt16(address & 0xFFFF)]
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var group: UInt16 = 0
            for byte in part {
                guard let digit = Hex.value(byte) else { return nil }
                group = group << 4 | UInt16(digit)
            }
            groups.append(group)
        }
        return groups.count <= 8 ? groups : nil
    }

    private static func combine(_ groups: [UInt16]) -> UInt128 {
        groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    static func text(_ value: UInt128) -> String {
        if value >> 32 == 0xFFFF { return "::ffff:" + IPAddress.textIPv4(UInt32(truncatingIfNeeded: value)) }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: value >> UInt128(112 - 16 * $0)) }
        // The longest run of two or more zero groups becomes `::`; the first of equals.
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(1, best.count) { best = start..<end }
            start = max(end, start + 1)
        }
        func join(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        return best.isEmpty ? join(0..<8) : join(0..<best.lowerBound) + "::" + join(best.upperBound..<8)
    }
}
