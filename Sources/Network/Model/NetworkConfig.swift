// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit

/// What an operator may choose about networks.
package struct NetworkConfig: ConfigSection {
    package static let section = "network"
    package static let title = "Network"

    @ConfigOption(
        "Physical networks that provider networks may name, each with the VLANs that projects may be given, as "
            + "NAME:FIRST-LAST.", bounds: "each name once", check: { Set($0.map(\.name)).count == $0.count })
    package var physicalNetworks = [PhysicalNetwork(name: "physnet1", vlans: PhysicalNetwork.allVLANs)]
    @ConfigOption("MTU of the underlay and of the physical networks.", range: 1280...9216)
    package var physicalMTU = 1500
    @ConfigOption("Bytes that Geneve with OVN's options takes from each packet.", range: 38...256)
    package var overlayOverhead = 58
    @ConfigOption(
        "Segment numbers of projects' own networks.", bounds: "within 1-16777215",
        check: { $0.lowerBound >= 1 && $0.upperBound <= 0xFF_FFFF })
    package var overlaySegments: ClosedRange<Int> = 1...65_535
    @ConfigOption("Domain of the names that DHCP and DNS give to ports.", length: 1...255)
    package var dnsDomain = "openstacklocal"
    @ConfigOption("Availability zone of networks and routers.", length: 1...255)
    package var availabilityZone = "nova"
    @ConfigOption("Whether a floating IP's traffic leaves from its guest's own host instead of the gateway host.")
    package var distributesFloatingIPs = false
    @ConfigOption(
        "How often the data plane is compared with the database.", range: .seconds(10)...(.seconds(86_400)))
    package var reconcileInterval: Duration = .seconds(300)
    @ConfigOption(
        "Most objects on one page of a list, also of a list that is asked for without a limit; -1: no limit.",
        bounds: "-1, or 1 to \(Int32.max)", check: { $0 == -1 || (1...Int(Int32.max)).contains($0) })
    package var paginationMaxLimit = -1
    package var maximum = NetworkLimits()
    package var quota = NetworkQuotas()

    package init() {}

    /// Most objects on a page; nil: no limit.
    package var maximumPage: Int? { paginationMaxLimit > 0 ? paginationMaxLimit : nil }

    /// The VLANs that projects may be given on a physical network; nil when there is none of this name.
    package func vlans(of name: String) -> ClosedRange<Int>? { physicalNetworks.first { $0.name == name }?.vlans }
}

/// A network of the machine room that provider networks are made of.
package struct PhysicalNetwork: ConfigValue, Equatable {
    package static let allVLANs = 1...4094

    package let name: String
    package let vlans: ClosedRange<Int>

    package init(name: String, vlans: ClosedRange<Int>) {
        self.name = name
        self.vlans = vlans
    }

    package static var kind: String { "network such as physnet1:1-4094" }

    package static func parse(_ text: String) -> PhysicalNetwork? {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let name = parts.first, name.utf8.count <= 64, !text.hasPrefix(":") else { return nil }
        guard parts.count == 2 else { return PhysicalNetwork(name: name, vlans: allVLANs) }
        guard let vlans = ClosedRange<Int>.parse(parts[1]), allVLANs.contains(vlans.lowerBound),
            allVLANs.contains(vlans.upperBound)
        else { return nil }
        return PhysicalNetwork(name: name, vlans: vlans)
    }

    package var configText: String { "\(name):\(vlans.configText)" }
}

/// Bounds on what one object may hold, as upstream's options of the same meaning.
package struct NetworkLimits: ConfigGroup {
    @ConfigOption("Most routes of a router.", range: 0...10_000)
    package var routes = 30
    @ConfigOption("Most name servers of a subnet.", range: 0...1000)
    package var dnsServers = 5
    @ConfigOption("Most host routes of a subnet.", range: 0...10_000)
    package var hostRoutes = 20
    @ConfigOption("Most allowed address pairs of a port.", range: 0...10_000)
    package var allowedAddressPairs = 10
    @ConfigOption("Most fixed IPs of a port.", range: 1...10_000)
    package var fixedIPs = 64
    @ConfigOption("Most tags of an object.", range: 0...10_000)
    package var tags = 50
    @ConfigOption("Most addresses of an address group.", range: 1...100_000)
    package var groupAddresses = 10_000

    package init() {}
}

/// What a project without a quota of its own may have; -1 is unlimited.
package struct NetworkQuotas: ConfigGroup {
    private static let range = -1...Int(Int32.max)

    @ConfigOption("Networks of a project; -1: no limit.", range: range) package var networks = 100
    @ConfigOption("Subnets of a project; -1: no limit.", range: range) package var subnets = 100
    @ConfigOption("Ports of a project; -1: no limit.", range: range) package var ports = 500
    @ConfigOption("Routers of a project; -1: no limit.", range: range) package var routers = 10
    @ConfigOption("Floating IPs of a project; -1: no limit.", range: range) package var floatingIPs = 50
    @ConfigOption("Security groups of a project; -1: no limit.", range: range) package var securityGroups = 10
    @ConfigOption("Security group rules of a project; -1: no limit.", range: range)
    package var securityGroupRules = 100
    @ConfigOption("RBAC policies of a project; -1: no limit.", range: range) package var rbacPolicies = 10
    @ConfigOption("Subnet pools of a project; -1: no limit.", range: range) package var subnetPools = -1
    @ConfigOption("Trunks of a project; -1: no limit.", range: range) package var trunks = -1

    package init() {}

    package subscript(quota: NetworkQuota) -> Int {
        switch quota {
        case .network: networks
        case .subnet: subnets
        case .port: ports
        case .router: routers
        case .floatingip: floatingIPs
        case .securityGroup: securityGroups
        case .securityGroupRule: securityGroupRules
        case .rbacPolicy: rbacPolicies
        case .subnetPool: subnetPools
        case .trunk: trunks
        }
    }
}

/// What a project may have a limited number of.
package enum NetworkQuota: String, CaseIterable, Sendable, Hashable {
    case network, subnet, port, router, floatingip
    case securityGroup = "security_group"
    case securityGroupRule = "security_group_rule"
    case rbacPolicy = "rbac_policy"
    case subnetPool = "subnetpool"
    case trunk
}
