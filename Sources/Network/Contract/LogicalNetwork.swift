// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A switch, with the DHCP settings of its subnets.
package struct LogicalNetwork: Sendable, Equatable {
    /// A network that reaches the outside: flat (`vlan` nil) or VLAN on a physical network. Nil: an overlay.
    package struct Provider: Sendable, Equatable {
        package var physicalNetwork: String
        package var vlan: Int?
        package init(physicalNetwork: String, vlan: Int?) {
            self.physicalNetwork = physicalNetwork
            self.vlan = vlan
        }
    }
    /// A further physical network that carries the same switch.
    package struct Segment: Sendable, Equatable {
        package var id: String
        package var provider: Provider
        package init(id: String, provider: Provider) {
            self.id = id
            self.provider = provider
        }
    }
    package struct Subnet: Sendable, Equatable {
        package var id: SubnetID
        /// `10.0.0.0/24`, canonical.
        package var cidr: String
        package var isIPv6: Bool
        package var gateway: String?
        package var usesDHCP: Bool
        package var dnsServers: [String]
        /// Destination CIDR, next hop. Includes 169.254.169.254/32 by the metadata port.
        package var hostRoutes: [ServerPort.HostRoute]
        /// `slaac`, `dhcpv6-stateful`, `dhcpv6-stateless`, or nil.
        package var ipv6Mode: String?
        package init(
            id: SubnetID, cidr: String, isIPv6: Bool, gateway: String?, usesDHCP: Bool, dnsServers: [String],
            hostRoutes: [ServerPort.HostRoute], ipv6Mode: String?
        ) {
            self.id = id
            self.cidr = cidr
            self.isIPv6 = isIPv6
            self.gateway = gateway
            self.usesDHCP = usesDHCP
            self.dnsServers = dnsServers
            self.hostRoutes = hostRoutes
            self.ipv6Mode = ipv6Mode
        }
    }

    package var id: NetworkID
    package var name: String
    package var mtu: Int
    package var provider: Provider?
    /// Besides `provider`.
    package var segments: [Segment] = []
    /// Whether VLAN tags of guests pass.
    package var carriesTags = false
    /// Whether the network's own tag is a service tag (802.1ad), because guests' tags are inside it.
    package var hasServiceTag = false
    package var subnets: [Subnet]
    /// What DHCP tells guests that they are in: the cloud's.
    package var dnsDomain: String
    /// Another that their names resolve in; empty: none.
    package var ownDNSDomain = ""
    package var isEnabled: Bool

    package init(
        id: NetworkID, name: String, mtu: Int, provider: Provider?, subnets: [Subnet], dnsDomain: String,
        isEnabled: Bool
    ) {
        self.id = id
        self.name = name
        self.mtu = mtu
        self.provider = provider
        self.subnets = subnets
        self.dnsDomain = dnsDomain
        self.isEnabled = isEnabled
    }
}
