// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Which URLs the service fetches for its users, and which addresses it connects to for them.
///
/// A URL is checked when it is asked for and again wherever a redirect leads. An address is checked at each connection,
/// after the name was resolved, so no name leads into the operator's own networks, whatever it resolves to next time.
package struct ImportFilter: Sendable {
    private let schemes: Set<String>
    private let ports: Set<Int>
    private let hosts: Set<String>
    private let openNetworks: [CIDR]

    /// `hosts` empty: every host. `openNetworks` may be connected to although they are private.
    package init(schemes: [String], ports: [Int], hosts: [String], openNetworks: [CIDR]) {
        self.schemes = Set(schemes.map { $0.lowercased() })
        self.ports = Set(ports)
        self.hosts = Set(hosts.map { $0.lowercased() })
        self.openNetworks = openNetworks
    }

    /// The URL, when it may be fetched as far as its text tells.
    package func url(_ text: String?) -> ImportURL? {
        guard let text, let url = ImportURL(text) else { return nil }
        return allows(url) ? url : nil
    }

    package func allows(_ url: ImportURL) -> Bool {
        guard schemes.contains(url.scheme), hosts.isEmpty || hosts.contains(url.host),
            ports.contains(url.port ?? (url.scheme == "https" ? 443 : 80))
        else { return false }
        if let address = IPAddress(url.host) { return mayConnect(address) }
        return url.host != "localhost" && !url.host.hasSuffix(".localhost")
    }

    /// For `HTTPClientOptions.mayConnect`.
    package func mayConnect(_ address: IPAddress) -> Bool {
        let meant = Self.meant(address)
        if openNetworks.contains(where: { $0.contains(address) || $0.contains(meant) }) { return true }
        return Self.isGivenOut(meant) && !Self.closed.contains { $0.contains(meant) }
    }

    /// IPv6: 2000::/3, all that has been given out for use in public. What is outside may lead anywhere, such as
    /// ::ffff:0:0:0/96, which a translator takes for any address of IPv4.
    private static func isGivenOut(_ address: IPAddress) -> Bool { !address.isIPv6 || address.value >> 125 == 1 }

    /// The IPv4 address that an IPv6 address stands for, where it does.
    private static func meant(_ address: IPAddress) -> IPAddress {
        guard address.isIPv6 else { return address }
        let isMapped = address.value >> 32 == 0xFFFF
        // RFC 6052: 64:ff9b::/96.
        let isTranslated = address.value >> 32 == UInt128(0x0064_FF9B) << 64
        guard isMapped || isTranslated else { return address }
        return IPAddress(isIPv6: false, value: address.value & 0xFFFF_FFFF)
    }

    /// What is nobody's public server: RFC 6890 and its successors. 2001::/23 and 2002::/16 have the tunnels to IPv4.
    private static let closed: [CIDR] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    ].compactMap { CIDR($0) }
}
