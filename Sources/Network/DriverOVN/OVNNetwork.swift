// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

extension OVNTranslation {
    /// The switch, its door to the physical network, and what DHCP answers on its subnets.
    func rows(_ network: LogicalNetwork) -> [OVNRow] {
        let unit = OVNUnit.network(network.id.rawValue)
        var rows = [
            OVNRow(
                .logicalSwitch, network.id.rawValue, owner: unit,
                [
                    "name": .string(Self.name(network.id)),
                    "other_config": .pairs([
                        "mcast_snoop": "false", "mcast_flood_unregistered": "false",
                        "vlan-passthru": "\(network.carriesTags)",
                    ]),
                ],
                externalIDs: ["neutron:network_name": network.name, "neutron:mtu": "\(network.mtu)"])
        ]
        if let provider = network.provider {
            rows.append(localnetPort(of: network, "provnet-\(network.id)", provider))
        }
        rows += network.segments.map { localnetPort(of: network, "provnet-\($0.id)", $0.provider) }
        rows += network.subnets.compactMap { dhcpOptions(of: $0, in: network) }
        return rows
    }

    private func localnetPort(
        of network: LogicalNetwork, _ name: String, _ provider: LogicalNetwork.Provider
    ) -> OVNRow {
        var options = [
            "network_name": provider.physicalNetwork, "mcast_flood": "false", "mcast_flood_reports": "true",
            "localnet_learn_fdb": "false",
        ]
        // OVN's word for 802.1ad.
        if network.hasServiceTag { options["ethtype"] = "802.11ad" }
        return OVNRow(
            .switchPort, name, owner: .network(network.id.rawValue),
            [
                "name": .string(name), "type": .string("localnet"), "addresses": .strings(["unknown"]),
                "tag": provider.vlan.map(OVSDBValue.int) ?? .empty, "enabled": .empty, "port_security": .empty,
                "options": .pairs(options),
            ],
            links: [.ports(of: network.id.rawValue)])
    }

    private func dhcpOptions(of subnet: LogicalNetwork.Subnet, in network: LogicalNetwork) -> OVNRow? {
        guard let options = dhcpOptions(on: subnet, in: network) else { return nil }
        return OVNRow(
            .dhcpOptions, subnet.id.rawValue, owner: .network(network.id.rawValue),
            ["cidr": .string(subnet.cidr), "options": .pairs(options)],
            externalIDs: ["subnet_id": subnet.id.rawValue])
    }

    /// Nil when nobody answers there.
    func dhcpOptions(on subnet: LogicalNetwork.Subnet, in network: LogicalNetwork) -> [String: String]? {
        guard subnet.usesDHCP else { return nil }
        return subnet.isIPv6 ? options6(of: subnet, in: network) : options4(of: subnet, in: network)
    }

    private func options4(of subnet: LogicalNetwork.Subnet, in network: LogicalNetwork) -> [String: String]? {
        let gateway = subnet.gateway.flatMap(OVNText.address)
        let metadata = subnet.hostRoutes.first { $0.destination == "169.254.169.254/32" }
        // The server's identifier is any address that no guest has.
        guard
            let server = gateway ?? metadata.flatMap({ OVNText.address($0.nextHop) }) ?? Self.firstHost(of: subnet.cidr)
        else { return nil }
        var options = [
            "server_id": server, "server_mac": StableHash.macAddress(subnet.id.rawValue),
            "lease_time": "\(configuration.dhcpLeaseSeconds)", "mtu": "\(network.mtu)",
        ]
        options["router"] = gateway
        options["dns_server"] = Self.list(dnsServers(of: subnet))
        if let domain = domain(of: network) { options["domain_name"] = "\"\(domain)\"" }
        var routes = subnet.hostRoutes.compactMap { route in
            OVNText.address(route.destination).flatMap { to in OVNText.address(route.nextHop).map { "\(to),\($0)" } }
        }
        // A client that takes option 121 ignores option 3 (RFC 3442): the default route must be said again.
        if let gateway, !routes.isEmpty { routes.append("0.0.0.0/0,\(gateway)") }
        if !routes.isEmpty { options["classless_static_route"] = "{" + routes.joined(separator: ", ") + "}" }
        return options
    }

    private func options6(of subnet: LogicalNetwork.Subnet, in network: LogicalNetwork) -> [String: String]? {
        // With SLAAC the router's advertisements say everything.
        guard let mode = subnet.ipv6Mode, mode != "slaac" else { return nil }
        var options = ["server_id": StableHash.macAddress(subnet.id.rawValue)]
        options["dns_server"] = Self.list(dnsServers(of: subnet))
        if let domain = domain(of: network) { options["domain_search"] = "\"\(domain)\"" }
        if mode == "dhcpv6-stateless" { options["dhcpv6_stateless"] = "true" }
        return options
    }

    private func dnsServers(of subnet: LogicalNetwork.Subnet) -> [String] {
        let own = subnet.dnsServers.isEmpty ? configuration.dnsServers : subnet.dnsServers
        return own.compactMap(OVNText.address).filter { $0.contains(":") == subnet.isIPv6 }
    }

    func domain(of network: LogicalNetwork) -> String? {
        OVNText.domain(network.dnsDomain) ?? OVNText.domain(configuration.dnsDomain)
    }

    private static func list(_ servers: [String]) -> String? {
        servers.isEmpty ? nil : "{" + servers.joined(separator: ", ") + "}"
    }

    /// `10.0.0.1` of `10.0.0.0/24`.
    private static func firstHost(of cidr: String) -> String? {
        let parts = cidr.split(separator: "/")[0].split(separator: ".").compactMap { UInt32($0) }
        guard parts.count == 4, parts.allSatisfy({ $0 < 256 }) else { return nil }
        let address = parts.reduce(0) { $0 << 8 | $1 } &+ 1
        return [24, 16, 8, 0].map { "\(address >> UInt32($0) & 255)" }.joined(separator: ".")
    }

    /// `5.0.0.10.in-addr.arpa`
    private static func reverseName(_ text: String) -> String? {
        guard let address = IPAddress(text) else { return nil }
        let step = address.isIPv6 ? 4 : 8
        let parts = stride(from: 0, to: address.isIPv6 ? 128 : 32, by: step).map { shift in
            String(address.value >> UInt128(shift) & (1 << UInt128(step) - 1), radix: address.isIPv6 ? 16 : 10)
        }
        return parts.joined(separator: ".") + (address.isIPv6 ? ".ip6.arpa" : ".in-addr.arpa")
    }

    /// One row with the names of all guests of the network.
    func nameRows(of id: NetworkID) -> [OVNRow] {
        guard let network = world.networks[id] else { return [] }
        var records: [String: Set<String>] = [:]
        for port in world.ports(on: id) where port.kind == .device && !port.addresses.isEmpty {
            guard let host = OVNText.domain(port.hostname)?.lowercased() else { continue }
            let addresses = Set(port.addresses.map(\.address))
            records[host, default: []].formUnion(addresses)
            // The first is what the port shows, and what a reverse look-up tells.
            let domains = [OVNText.domain(port.dnsDomain), domain(of: network), OVNText.domain(network.ownDNSDomain)]
            for (index, domain) in domains.compactMap({ $0?.lowercased() }).enumerated() {
                records["\(host).\(domain)", default: []].formUnion(addresses)
                guard index == 0 else { continue }
                for name in addresses.compactMap(Self.reverseName) { records[name] = ["\(host).\(domain)"] }
            }
        }
        guard !records.isEmpty else { return [] }
        return [
            OVNRow(
                .dns, id.rawValue, owner: .names(id.rawValue),
                ["records": .pairs(records.mapValues { $0.sorted().joined(separator: " ") })],
                externalIDs: ["ls_name": Self.name(id)],
                links: [OVNLink(parent: OVNKey(.logicalSwitch, id.rawValue), column: "dns_records")])
        ]
    }
}
