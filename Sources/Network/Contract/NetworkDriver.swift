// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The wanted data plane, object by object, in terms of no engine. Each value is complete: a driver needs nothing else
/// to build the object, and applying the same value twice changes nothing.
package enum LogicalObject: Sendable, Equatable {
    case network(LogicalNetwork)
    case port(LogicalPort)
    case router(LogicalRouter)
    case securityGroup(LogicalSecurityGroup)

    package var key: LogicalKey {
        switch self {
        case .network(let network): .network(network.id)
        case .port(let port): .port(port.id)
        case .router(let router): .router(router.id)
        case .securityGroup(let group): .securityGroup(group.id)
        }
    }
}

package enum LogicalKey: Hashable, Sendable {
    case network(NetworkID)
    case port(PortID)
    case router(RouterID)
    case securityGroup(SecurityGroupID)
}

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
    package var subnets: [Subnet]
    package var dnsDomain: String
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
    package var deviceID: String
    package var hostname: String
    /// What DHCP tells this port beside what it tells the subnet; it wins over the subnet's.
    package var extraDHCPOptions: [ExtraDHCPOption] = []

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
        package init(id: FloatingIPID, address: String, fixedAddress: String, port: PortID, macAddress: String) {
            self.id = id
            self.address = address
            self.fixedAddress = fixedAddress
            self.port = port
            self.macAddress = macAddress
        }
    }

    package var id: RouterID
    package var name: String
    package var isEnabled: Bool
    package var interfaces: [Interface]
    package var routes: [Route]
    /// The gateway's address that tenant CIDRs are translated to; nil: no SNAT.
    package var snatAddress: String?
    package var snatCIDRs: [String]
    package var floatingAddresses: [FloatingAddress]
    package var isDistributed: Bool

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

/// A group with its rules. Which ports are in it, the ports say. What no rule allows is dropped, both ways.
package struct LogicalSecurityGroup: Sendable, Equatable {
    package struct Rule: Sendable, Equatable {
        package enum Peer: Sendable, Equatable {
            case anywhere
            case prefix(String)
            case group(SecurityGroupID)
        }
        package var id: SecurityGroupRuleID
        package var isIngress: Bool
        package var isIPv6: Bool
        /// An IP protocol number; nil: any.
        package var ipProtocol: Int?
        /// Ports for TCP, UDP, SCTP, DCCP; type and code for ICMP.
        package var portMinimum: Int?
        package var portMaximum: Int?
        package var peer: Peer
        package init(
            id: SecurityGroupRuleID, isIngress: Bool, isIPv6: Bool, ipProtocol: Int?, portMinimum: Int?,
            portMaximum: Int?, peer: Peer
        ) {
            self.id = id
            self.isIngress = isIngress
            self.isIPv6 = isIPv6
            self.ipProtocol = ipProtocol
            self.portMinimum = portMinimum
            self.portMaximum = portMaximum
            self.peer = peer
        }
    }
    package var id: SecurityGroupID
    package var name: String
    package var isStateful: Bool
    package var rules: [Rule]

    package init(id: SecurityGroupID, name: String, isStateful: Bool, rules: [Rule]) {
        self.id = id
        self.name = name
        self.isStateful = isStateful
        self.rules = rules
    }
}

/// What a data plane does for the network engine. Every call may be repeated.
///
/// Order of objects in one call does not matter: a driver that meets a reference to an object that is not there yet
/// keeps what it can and completes it when the other arrives. Each call gives what is newest; who has several callers
/// lets one at a time read and call.
///
/// `apply` and `synchronize` throw `.unavailable` when the data plane cannot be reached or did not answer: they may
/// have been done or not. Any other `CloudError` is a refusal: nothing was done, and the same will be refused again.
package protocol NetworkDriver: Sendable {
    /// Features this data plane has; the engine refuses the rest before it asks.
    var capabilities: NetworkCapabilities { get }

    /// Makes the objects so, and removes what `removed` names. Returns once the engine of the data plane has taken it
    /// durably; the hosts follow. One call is one transaction where the data plane has such.
    func apply(_ objects: [LogicalObject], removed: [LogicalKey]) async throws

    /// Makes the whole data plane equal to `objects`: creates, corrects, removes what is not named. What `kept` names
    /// stays as it is. Returns how many things it had to change, so 0 means that both sides were equal.
    func synchronize(_ objects: [LogicalObject], keeping kept: Set<LogicalKey>) async throws -> Int

    /// Ports that came up (plugged and programmed on a host) or went down. After a reconnect, every port's state again.
    func portStates() -> AsyncStream<PortStateChange>

    /// Which ports are up now; the reconciler compares it with the database.
    func portsUp() async throws -> Set<PortID>

    /// Hosts of the data plane, for the agent list.
    func chassis() async throws -> [NetworkChassis]
}

extension NetworkDriver {
    package func synchronize(_ objects: [LogicalObject]) async throws -> Int {
        try await synchronize(objects, keeping: [])
    }
}

extension CloudError {
    /// Of a driver's call: the data plane is there and does not take these objects.
    package var isRefusal: Bool { code != .unavailable }
}

package struct PortStateChange: Sendable, Equatable {
    package var port: PortID
    package var isUp: Bool
    /// The chassis that says so.
    package var host: String?
    package init(port: PortID, isUp: Bool, host: String?) {
        self.port = port
        self.isUp = isUp
        self.host = host
    }
}

package struct NetworkCapabilities: Sendable, Equatable {
    package var providerTypes: Set<String>
    package var tenantTypes: [String]
    package var hasStatelessGroups: Bool
    /// Whether `LogicalPort.extraDHCPOptions` reach the guest; the API offers them only then.
    package var hasExtraDHCPOptions = false
    package init(providerTypes: Set<String>, tenantTypes: [String], hasStatelessGroups: Bool) {
        self.providerTypes = providerTypes
        self.tenantTypes = tenantTypes
        self.hasStatelessGroups = hasStatelessGroups
    }
}

package struct NetworkChassis: Sendable, Equatable, Codable {
    package var id: String
    package var hostname: String
    package var isGateway: Bool
    package var isAlive: Bool
    package init(id: String, hostname: String, isGateway: Bool, isAlive: Bool) {
        self.id = id
        self.hostname = hostname
        self.isGateway = isGateway
        self.isAlive = isAlive
    }
}
