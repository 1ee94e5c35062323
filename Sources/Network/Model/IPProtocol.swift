// SPDX-License-Identifier: Apache-2.0

/// Protocols by the names that security group rules use.
package enum IPProtocol {
    private static let numbers: [String: Int] = [
        "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4,
        "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43,
        "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112,
    ]
    package static let names: [String] = numbers.keys.sorted()

    /// Names of protocols that exist in IPv6 only.
    private static let ipv6Only: Set<Int> = [41, 43, 44, 58, 59, 60]
    /// Those whose rules may name ports.
    private static let withPorts: Set<Int> = [6, 17, 33, 132, 136]

    /// The number for a name or a number; `icmp` means ICMPv6 in IPv6.
    package static func number(_ text: String, isIPv6: Bool) -> Int? {
        guard let number = numbers[text] ?? Int(text) else { return nil }
        return isIPv6 && number == 1 ? 58 : number
    }

    package static func hasPorts(_ number: Int) -> Bool { withPorts.contains(number) }
    package static func isICMP(_ number: Int) -> Bool { number == 1 || number == 58 }
    package static func isIPv6Only(_ number: Int) -> Bool { ipv6Only.contains(number) }
    package static func isKnown(_ name: String) -> Bool { numbers[name] != nil }
}
