// SPDX-License-Identifier: Apache-2.0
import BaseKit

package struct LogicalPort: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// A guest's NIC, or a port that nobody has plugged yet.
        case device
        /// The network's side of a router's interface. The router's own value describes the other side.
        case router(RouterID)
        /// Where each host answers DHCP and metadata for the network (`network:distributed`).
        case metadata
        /// A floating IP's own port: an address that is taken, nothing to plug.
        case reserved
    }
    package struct Address: Sendable, Equatable {
        package var subnet: SubnetID
        package var address: String
        package init(subnet: SubnetID, address: String) {
            self.subnet = subnet
            self.address = address
        }
    }
    package struct AddressPair: Sendable, Equatable {
        package var macAddress: String
        /// An address or CIDR.
        package var ip: String
        package init(macAddress: String, ip: String) {
            self.macAddress = macAddress
            self.ip = ip
        }
    }

    package struct Parent: Sendable, Equatable {
        package var port: PortID
        package var vlan: Int
        package init(port: PortID, vlan: Int) {
            self.port = port
            self.vlan = vlan
        }
    }

    /// `bootfile-name`, … as upstream names DHCP options.
    package struct ExtraDHCPOption: Sendable, Equatable {
        package var name: String
        package var value: String
        package var isIPv6: Bool
        package init(name: String, value: String, isIPv6: Bool) {
            self.name = name
            self.value = value
            self.isIPv6 = isIPv6
        }
    }

    package var id: PortID
    package var name: String
    package var network: NetworkID
    package var kind: Kind
    package var macAddress: String
    package var addresses: [Address]
    package var allowedAddressPairs: [AddressPair]
    /// False: no anti-spoofing, no groups, unknown destinations reach it.
    package var hasPortSecurity: Bool
    package var securityGroups: [SecurityGroupID]
    package var isEnabled: Bool
    /// The chassis it is asked for on; nil when unbound.
    package var host: String?
    /// Others that are prepared, because its guest moves to one of them. They stay silent until the guest speaks there.
    package var preparedHosts: [String] = []
    package var deviceID: String
    package var hostname: String
    /// Of its name; empty: the cloud's.
    package var dnsDomain = ""
    /// What DHCP tells this port beside what it tells the subnet; it wins over the subnet's.
    package var extraDHCPOptions: [ExtraDHCPOption] = []
    package var qos: LogicalQoS?
    /// The port that carries this one's traffic under a tag, for the subport of a trunk.
    package var parent: Parent?

    package init(
        id: PortID, name: String, network: NetworkID, kind: Kind, macAddress: String, addresses: [Address],
        allowedAddressPairs: [AddressPair], hasPortSecurity: Bool, securityGroups: [SecurityGroupID], isEnabled: Bool,
        host: String?, deviceID: String, hostname: String
    ) {
        self.id = id
        self.name = name
        self.network = network
        self.kind = kind
        self.macAddress = macAddress
        self.addresses = addresses
        self.allowedAddressPairs = allowedAddressPairs
        self.hasPortSecurity = hasPortSecurity
        self.securityGroups = securityGroups
        self.isEnabled = isEnabled
        self.host = host
        self.deviceID = deviceID
        self.hostname = hostname
    }
}
