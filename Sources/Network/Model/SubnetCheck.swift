// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Rules for what a subnet may say. Pure.
package enum SubnetCheck {
    package static func cidr(_ draft: SubnetDraft) throws -> CIDR {
        guard let text = draft.cidr else {
            throw NetworkFault.badRequest("subnets", "a subnetpool must be specified in the absence of a cidr")
        }
        guard let cidr = CIDR(text), text.contains("/") else {
            throw CloudError.badRequest(
                "Invalid input for cidr. Reason: '\(text.prefix(64))' is not a valid IP subnet.", kind: "HTTPBadRequest"
            )
        }
        let given = text.split(separator: "/").first.flatMap { IPAddress($0) }
        guard given == cidr.network else {
            throw CloudError.badRequest(
                "Invalid input for cidr. Reason: '\(text.prefix(64))' isn't a recognized IP subnet cidr, "
                    + "'\(cidr)' is recommended.", kind: "HTTPBadRequest")
        }
        if let version = draft.ipVersion, version != (cidr.isIPv6 ? 6 : 4) {
            throw NetworkFault.invalidInput("cidr '\(cidr)' does not match the ip_version '\(version)'")
        }
        guard cidr.prefixLength > 0 else { throw NetworkFault.invalidInput("0 is not allowed as CIDR prefix length") }
        guard !cidr.network.isMulticast else {
            throw NetworkFault.invalidInput("Multicast IP subnet is not supported if enable_dhcp is True")
        }
        guard !cidr.network.isLoopback || cidr.isIPv6 else {
            throw NetworkFault.invalidInput("Loopback IP subnet is not supported if enable_dhcp is True")
        }
        return cidr
    }

    /// Absent: the first host address. Null: none.
    package static func gateway(_ given: String??, of cidr: CIDR) throws -> IPAddress? {
        guard let given else { return cidr.hosts.lowerBound }
        guard let text = given else { return nil }
        guard let address = IPAddress(text) else {
            throw CloudError.badRequest(
                "Invalid input for gateway_ip. Reason: '\(text.prefix(64))' is not a valid IP address.",
                kind: "HTTPBadRequest")
        }
        guard address.isIPv6 == cidr.isIPv6 else {
            throw NetworkFault.invalidInput("gateway_ip '\(address)' does not match the ip_version of the subnet")
        }
        // A gateway outside the subnet is allowed (an on-link route leads to it); the subnet's own ends are not.
        guard !cidr.contains(address) || cidr.hosts.contains(address) else {
            throw NetworkFault.invalidInput("Gateway is not valid on subnet")
        }
        return address
    }

    package static func modes(_ subnet: Subnet) throws {
        if !subnet.cidr.isIPv6 {
            guard subnet.raMode == nil, subnet.addressMode == nil else {
                throw NetworkFault.invalidInput("ipv6_ra_mode and ipv6_address_mode are not valid when ip_version is 4")
            }
            guard !subnet.usesDHCP || subnet.cidr.prefixLength <= 30 else {
                throw NetworkFault.invalidInput(
                    "Subnet has a prefix length that is incompatible with DHCP service enabled")
            }
            return
        }
        guard subnet.usesDHCP || subnet.raMode == nil && subnet.addressMode == nil else {
            throw NetworkFault.invalidInput(
                "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
        }
        if let ra = subnet.raMode, let address = subnet.addressMode, ra != address {
            throw NetworkFault.invalidInput(
                "ipv6_ra_mode set to '\(ra.rawValue)' with ipv6_address_mode set to '\(address.rawValue)' "
                    + "is not valid. "
                    + "If both attributes are set, they must be the same value")
        }
        guard !subnet.usesAutomaticAddresses || subnet.cidr.prefixLength == 64 else {
            throw NetworkFault.invalidInput(
                "Invalid CIDR \(subnet.cidr) for IPv6 address mode. OpenStack uses the EUI-64 address format, which "
                    + "requires the prefix to be /64")
        }
    }

    /// The least that each family works with (RFC 791, RFC 8200).
    package static func mtu(_ mtu: Int, of network: NetworkID, for cidr: CIDR) throws {
        let least = cidr.isIPv6 ? 1280 : 68
        guard mtu >= least else {
            throw CloudError.conflict(
                "MTU of \(network) is not valid, subnet requires a minimum of \(least)",
                kind: "NetworkMTUSubnetConflict")
        }
    }

    package static func dnsServers(_ given: [String], _ limits: NetworkLimits) throws -> [String] {
        guard given.count <= limits.dnsServers else {
            throw CloudError.badRequest(
                "Unable to complete operation for subnet. The number of DNS nameservers exceeds the limit "
                    + "\(limits.dnsServers).",
                kind: "DNSNameServersExhausted")
        }
        guard Set(given).count == given.count else {
            throw CloudError.badRequest(
                "Invalid input for dns_nameservers. Reason: Duplicate nameserver.", kind: "HTTPBadRequest")
        }
        return try given.map { text in
            guard let address = IPAddress(text) else {
                throw CloudError.badRequest(
                    "Invalid input for dns_nameservers. Reason: '\(text.prefix(64))' is not a valid nameserver.",
                    kind: "HTTPBadRequest")
            }
            return address.description
        }
    }

    package static func hostRoutes(_ given: [ServerPort.HostRoute], _ cidr: CIDR, _ limits: NetworkLimits) throws
        -> [ServerPort.HostRoute]
    {
        guard given.count <= limits.hostRoutes else {
            throw CloudError.badRequest(
                "Unable to complete operation for subnet. The number of host routes exceeds the limit "
                    + "\(limits.hostRoutes).",
                kind: "HostRoutesExhausted")
        }
        return try given.map { route in
            guard let destination = CIDR(route.destination), let hop = IPAddress(route.nextHop),
                destination.isIPv6 == hop.isIPv6, hop.isIPv6 == cidr.isIPv6
            else {
                throw NetworkFault.invalidInput(
                    "Invalid host route: destination '\(route.destination.prefix(64))', nexthop "
                        + "'\(route.nextHop.prefix(64))'"
                )
            }
            return ServerPort.HostRoute(destination: destination.description, nextHop: hop.description)
        }
    }
}
