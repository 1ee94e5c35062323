// SPDX-License-Identifier: Apache-2.0
import BaseKit

package struct LogicalRouter: Sendable, Equatable {
    package struct Interface: Sendable, Equatable {
        package var port: PortID
        package var network: NetworkID
        package var macAddress: String
        /// With prefix: `10.0.0.1/24`.
        package var addresses: [String]
        package var mtu: Int
        package var isGateway: Bool
        /// `slaac`, … of an IPv6 subnet: the router advertises.
        package var ipv6Mode: String?
        package init(
            port: PortID, network: NetworkID, macAddress: String, addresses: [String], mtu: Int, isGateway: Bool,
            ipv6Mode: String?
        ) {
            self.port = port
            self.network = network
            self.macAddress = macAddress
            self.addresses = addresses
            self.mtu = mtu
            self.isGateway = isGateway
            self.ipv6Mode = ipv6Mode
        }
    }
    package struct Route: Sendable, Equatable {
        package var destination: String
        package var nextHop: String
        /// The default route through the external gateway.
        package var isDefault: Bool
        /// The port that it leaves by, where the next hop alone does not say.
        package var output: PortID?
        /// Used only while the next hop answers.
        package var isWatched = false
        package init(destination: String, nextHop: String, isDefault: Bool) {
            self.destination = destination
            self.nextHop = nextHop
            self.isDefault = isDefault
        }
    }
    package struct FloatingAddress: Sendable, Equatable {
        package var id: FloatingIPID
        package var address: String
        package var fixedAddress: String
        package var port: PortID
        package var macAddress: String
        package var qos: LogicalQoS?
        /// The gateway that it is translated at, where there are several.
        package var gateway: PortID?
        package init(id: FloatingIPID, address: String, fixedAddress: String, port: PortID, macAddress: String) {
            self.id = id
            self.address = address
            self.fixedAddress = fixedAddress
            self.port = port
            self.macAddress = macAddress
        }
    }

    /// Ports of a floating address that go each to a place of its own.
    package struct PortForwarding: Sendable, Equatable {
        package var floatingIP: FloatingIPID
        package var address: String
        /// `tcp`, `udp` or `sctp`.
        package var protocolName: String
        /// Internal socket (`10.0.0.5:22`) by external port.
        package var targets: [Int: String]
        package init(floatingIP: FloatingIPID, address: String, protocolName: String, targets: [Int: String]) {
            self.floatingIP = floatingIP
            self.address = address
            self.protocolName = protocolName
            self.targets = targets
        }
    }

    package var id: RouterID
    package var name: String
    package var isEnabled: Bool
    /// The first gateway, which translates, before the others.
    package var interfaces: [Interface]
    package var routes: [Route]
    /// The gateway's address that tenant CIDRs are translated to; nil: no SNAT.
    package var snatAddress: String?
    package var snatCIDRs: [String]
    package var floatingAddresses: [FloatingAddress]
    package var isDistributed: Bool
    /// One for each floating address and protocol.
    package var portForwardings: [PortForwarding] = []
    /// Chassis that must not carry its gateways.
    package var excludedChassis: Set<String> = []
    /// Of all that passes the gateway, but for floating addresses with bounds of their own.
    package var gatewayQoS: LogicalQoS?

    package init(
        id: RouterID, name: String, isEnabled: Bool, interfaces: [Interface], routes: [Route], snatAddress: String?,
        snatCIDRs: [String], floatingAddresses: [FloatingAddress], isDistributed: Bool
    ) {
        self.id = id
        self.name = name
        self.isEnabled = isEnabled
        self.interfaces = interfaces
        self.routes = routes
        self.snatAddress = snatAddress
        self.snatCIDRs = snatCIDRs
        self.floatingAddresses = floatingAddresses
        self.isDistributed = isDistributed
    }
}
