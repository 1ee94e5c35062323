// SPDX-License-Identifier: Apache-2.0
import BaseKit
import OVSDBKit

/// What an operator may choose of the OVN data plane.
package struct OVNConfiguration: Sendable {
    package var northbound: [OVSDBEndpoint]
    package var southbound: [OVSDBEndpoint]
    /// Floating addresses leave on the guest's own host instead of the gateway chassis. A router that is marked
    /// distributed does so in any case.
    package var distributesFloatingAddresses: Bool
    /// For subnets that name none.
    package var dnsServers: [String]
    package var dnsDomain: String
    package var dhcpLeaseSeconds: Int
    /// How many chassis may take over a router's gateway (upstream: MAX_GW_CHASSIS).
    package var gatewayChassisLimit: Int
    /// A chassis that has not followed for so long is shown as down.
    package var agentDownTime: Duration

    package init(
        northbound: [OVSDBEndpoint], southbound: [OVSDBEndpoint], distributesFloatingAddresses: Bool = false,
        dnsServers: [String] = [], dnsDomain: String = "openstacklocal", dhcpLeaseSeconds: Int = 43200,
        gatewayChassisLimit: Int = 5, agentDownTime: Duration = .seconds(75)
    ) {
        self.northbound = northbound
        self.southbound = southbound
        self.distributesFloatingAddresses = distributesFloatingAddresses
        self.dnsServers = dnsServers
        self.dnsDomain = dnsDomain
        self.dhcpLeaseSeconds = dhcpLeaseSeconds
        self.gatewayChassisLimit = gatewayChassisLimit
        self.agentDownTime = agentDownTime
    }

    /// The sockets of `ovn-central` on this host.
    package static let localNorthbound = "unix:/run/ovn/ovnnb_db.sock"
    package static let localSouthbound = "unix:/run/ovn/ovnsb_db.sock"
}
