// SPDX-License-Identifier: Apache-2.0

/// A range of addresses with a common prefix: `10.0.0.0/24`. Bits behind the prefix are always zero.
package struct CIDR: Hashable, Sendable, CustomStringConvertible {
    package let network: IPAddress
    package let prefixLength: Int

    /// The CIDR of `prefixLength` that holds `address`.
    package init(containing address: IPAddress, prefixLength: Int) {
        precondition((0...address.bits).contains(prefixLength), "a prefix is at most as long as the address")
        self.prefixLength = prefixLength
        network = IPAddress(
            isIPv6: address.isIPv6, value: address.value & Self.mask(bits: address.bits, prefixLength: prefixLength))
    }

    /// Reads `10.0.0.0/24`; an address alone is the CIDR of it alone. Bits behind the prefix are dropped.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(first) else { return nil }
        guard parts.count == 2 else {
            self.init(containing: address, prefixLength: address.bits)
            return
        }
        guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(parts[1]), length <= address.bits
        else { return nil }
        self.init(containing: address, prefixLength: length)
    }

    package static let anyIPv4 = CIDR(containing: IPAddress(isIPv6: false, value: 0), prefixLength: 0)
    package static let anyIPv6 = CIDR(containing: IPAddress(isIPv6: true, value: 0), prefixLength: 0)

    package var isIPv6: Bool { network.isIPv6 }

    package var last: IPAddress {
        IPAddress(
            isIPv6: isIPv6,
            value: network.value | Self.all(network.bits) & ~Self.mask(bits: network.bits, prefixLength: prefixLength))
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv6 == isIPv6 && (network...last).contains(address)
    }

    package func contains(_ other: CIDR) -> Bool {
        other.isIPv6 == isIPv6 && other.prefixLength >= prefixLength && contains(other.network)
    }

    package func overlaps(_ other: CIDR) -> Bool { contains(other) || other.contains(self) }

    /// Addresses that a host may have: without the network's own address, and without IPv4's broadcast address.
    /// Of the two longest prefixes, all.
    package var hosts: ClosedRange<IPAddress> {
        guard prefixLength < network.bits - 1 else { return network...last }
        let first = IPAddress(isIPv6: isIPv6, value: network.value + 1)
        return first...(isIPv6 ? last : IPAddress(isIPv6: false, value: last.value - 1))
    }

    package var description: String { "\(network)/\(prefixLength)" }

    /// `255.255.255.0`.
    package var netmask: IPAddress {
        IPAddress(isIPv6: isIPv6, value: Self.mask(bits: network.bits, prefixLength: prefixLength))
    }

    private static func all(_ bits: Int) -> UInt128 { bits == 128 ? .max : (1 << UInt128(bits)) - 1 }

    private static func mask(bits: Int, prefixLength: Int) -> UInt128 {
        prefixLength == 0 ? 0 : all(bits) & ~(prefixLength == bits ? 0 : (1 << UInt128(bits - prefixLength)) - 1)
    }
}
