// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What an operator may choose about networks.
package struct NetworkConfig: Sendable, Equatable {
    /// Physical networks that provider networks may name, each with the VLANs that a project may be given.
    package var physicalNetworks: [String: ClosedRange<Int>] = ["physnet1": 1...4094]
    /// MTU of the underlay and of the physical networks.
    package var physicalMTU = 1500
    /// Bytes that Geneve with OVN's options takes from each packet.
    package var overlayOverhead = 58
    /// Segment numbers for tenant networks.
    package var overlaySegments: ClosedRange<Int> = 1...65_535
    /// Domain of the names that DHCP and DNS give to ports.
    package var dnsDomain = "openstacklocal"
    package var availabilityZone = "nova"
    package var limits = NetworkLimits()
    /// Defaults for projects without a quota of their own; -1 is unlimited.
    package var quotas: [NetworkQuota: Int] = Dictionary(
        uniqueKeysWithValues: NetworkQuota.allCases.map { ($0, $0.defaultLimit) })
    /// Whether a floating IP's traffic leaves from its guest's own host instead of the gateway host.
    package var distributesFloatingIPs = false
    /// How often the data plane is compared with the database.
    package var reconcileInterval: Duration = .seconds(300)

    package init() {}
}

/// Bounds on what one object may hold, as upstream's options of the same meaning.
package struct NetworkLimits: Sendable, Equatable {
    package var routes = 30
    package var dnsServers = 5
    package var hostRoutes = 20
    package var allowedAddressPairs = 10
    package var fixedIPs = 64
    package var allocationPools = 256
    package var tags = 50
    package var bulk = 1000

    package init() {}
}

/// What a project may have a limited number of.
package enum NetworkQuota: String, CaseIterable, Sendable, Hashable {
    case network, subnet, port, router, floatingip
    case securityGroup = "security_group"
    case securityGroupRule = "security_group_rule"
    case rbacPolicy = "rbac_policy"

    package var defaultLimit: Int {
        switch self {
        case .network, .subnet, .securityGroupRule: 100
        case .port: 500
        case .router, .securityGroup, .rbacPolicy: 10
        case .floatingip: 50
        }
    }
}
