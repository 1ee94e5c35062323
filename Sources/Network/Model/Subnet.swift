// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A range of addresses on a network, with what DHCP tells about it.
package struct Subnet: Sendable, Equatable {
    package enum IPv6Mode: String, Sendable {
        case slaac
        case stateful = "dhcpv6-stateful"
        case stateless = "dhcpv6-stateless"
    }

    package var id: SubnetID
    package var project: ProjectID
    package var network: NetworkID
    package var name: String
    package var cidr: CIDR
    package var gateway: IPAddress?
    package var usesDHCP: Bool
    package var raMode: IPv6Mode?
    package var addressMode: IPv6Mode?
    package var pools: [AddressRange]
    package var dnsServers: [String]
    package var hostRoutes: [ServerPort.HostRoute]
    package var serviceTypes: [String]
    package var publishesDNS: Bool
    /// Where its prefix was cut from.
    package var pool: SubnetPoolID?
    /// The segment that it is tied to.
    package var segment: SegmentID?
    /// Of the network: shown with the subnet, and decides who sees it.
    package var isExternal: Bool
    package var isShared: Bool
    package var isGranted: Bool
    package var networkProject: ProjectID
    package var standard: StandardAttributes

    package var ipVersion: Int { cidr.isIPv6 ? 6 : 4 }
    /// Whether hosts make their address from their MAC address, so that no other can be given.
    package var usesAutomaticAddresses: Bool {
        cidr.isIPv6 && [addressMode, raMode].contains { $0 == .slaac || $0 == .stateless }
    }
    package func serves(_ deviceOwner: String) -> Bool { serviceTypes.isEmpty || serviceTypes.contains(deviceOwner) }
}

/// What a caller gives to create or change a subnet. Nil: not given; `.some(nil)`: given as null.
package struct SubnetDraft: Sendable {
    package var project: ProjectID?
    package var network: NetworkID?
    package var name: String?
    package var description: String?
    package var ipVersion: Int?
    package var cidr: String?
    package var gateway: String??
    package var usesDHCP: Bool?
    package var raMode: Subnet.IPv6Mode?
    package var addressMode: Subnet.IPv6Mode?
    package var pools: [(start: String, end: String)]?
    package var dnsServers: [String]?
    package var hostRoutes: [ServerPort.HostRoute]?
    package var serviceTypes: [String]?
    package var publishesDNS: Bool?
    package var pool: SubnetPoolID?
    package var segment: SegmentID??
    package var usesDefaultPool = false
    package var prefixLength: Int?
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}
