// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

extension OVNTranslation {
    /// The router with its ports, the chassis of its gateway, routes and address translation.
    func rows(_ router: LogicalRouter) -> [OVNRow] {
        let unit = OVNUnit.router(router.id.rawValue)
        let gateway = router.interfaces.first(where: \.isGateway)
        var rows = [
            OVNRow(
                .router, router.id.rawValue, owner: unit,
                [
                    "name": .string(Self.name(router.id)), "enabled": .bool(router.isEnabled),
                    "options": .pairs(["always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true"]),
                ],
                externalIDs: [
                    "neutron:router_name": router.name, "neutron:gw_port_id": gateway?.port.rawValue ?? "",
                ])
        ]
        for interface in router.interfaces where !interface.addresses.isEmpty {
            rows.append(routerPort(interface, of: router))
            if interface.isGateway { rows += gatewayChassis(interface, of: router) }
        }
        rows += router.routes.map { route($0, of: router) }
        rows += router.routes.compactMap { watch(over: $0, of: router) }
        if let address = router.snatAddress {
            rows += Set(router.snatCIDRs).map { translation(of: $0, to: address, router) }
        }
        rows += router.floatingAddresses.map { translation(of: $0, router) }
        rows += self.rows(ofPortForwardingsOf: router)
        rows += self.rows(ofQoSOf: router)
        return rows
    }

    private func routerPort(_ interface: LogicalRouter.Interface, of router: LogicalRouter) -> OVNRow {
        let name = Self.routerPortName(interface.port)
        var externalIDs = [
            "neutron:network_name": Self.name(interface.network), "neutron:router_name": router.id.rawValue,
        ]
        if interface.isGateway { externalIDs["neutron:is_ext_gw"] = "True" }
        return OVNRow(
            .routerPort, name, owner: .router(router.id.rawValue),
            [
                "name": .string(name), "mac": .string(interface.macAddress), "networks": .strings(interface.addresses),
                "options": .pairs(options(of: interface, router)),
                "ipv6_ra_configs": .pairs(advertisement(of: interface)),
            ],
            externalIDs: externalIDs,
            links: [OVNLink(parent: OVNKey(.router, router.id.rawValue), column: "ports")])
    }

    private func options(of interface: LogicalRouter.Interface, _ router: LogicalRouter) -> [String: String] {
        var options: [String: String] = [:]
        let inner = router.interfaces.filter { !$0.isGateway }
        let isAllVLAN = !inner.isEmpty && inner.allSatisfy { world.networks[$0.network]?.provider?.vlan != nil }
        let bridges = isDistributed(router) && isAllVLAN
        if interface.isGateway {
            if bridges { options["redirect-type"] = "bridged" }
            // Larger packets of inner networks are answered with "fragmentation needed".
            if inner.contains(where: { $0.mtu > interface.mtu }) { options["gateway_mtu"] = "\(interface.mtu)" }
        } else if world.networks[interface.network]?.provider != nil {
            // On networks with a door on each host, only the gateway chassis may answer for the router, or every host
            // would claim its MAC on the physical switch.
            options["reside-on-redirect-chassis"] = bridges ? "false" : "true"
        }
        return options
    }

    private func advertisement(of interface: LogicalRouter.Interface) -> [String: String] {
        guard let mode = interface.ipv6Mode, !interface.isGateway else { return [:] }
        let words = ["slaac": "slaac", "dhcpv6-stateful": "dhcpv6_stateful", "dhcpv6-stateless": "dhcpv6_stateless"]
        guard let word = words[mode] else { return [:] }
        return ["address_mode": word, "send_periodic": "true", "mtu": "\(interface.mtu)"]
    }

    /// Every capable chassis may take the gateway. The order differs from router to router (highest random weight), so
    /// that gateways spread, and stays when other chassis come and go.
    private func gatewayChassis(_ interface: LogicalRouter.Interface, of router: LogicalRouter) -> [OVNRow] {
        let port = Self.routerPortName(interface.port)
        let physicalNetwork = world.networks[interface.network]?.provider?.physicalNetwork
        let ranked = world.gatewayChassis
            .filter { !router.excludedChassis.contains($0.name) }
            .filter { chassis in physicalNetwork.map { chassis.physicalNetworks.contains($0) } ?? true }
            .sorted { StableHash.of(port + $0.name) < StableHash.of(port + $1.name) }
            .prefix(configuration.gatewayChassisLimit)
        return ranked.enumerated().map { rank, chassis in
            let name = "\(port)_\(chassis.name)"
            return OVNRow(
                .gatewayChassis, name, owner: .router(router.id.rawValue),
                [
                    "name": .string(name), "chassis_name": .string(chassis.name),
                    "priority": .int(ranked.count - rank),
                ],
                links: [OVNLink(parent: OVNKey(.routerPort, port), column: "gateway_chassis")])
        }
    }

    private func route(_ route: LogicalRouter.Route, of router: LogicalRouter) -> OVNRow {
        // A link-local next hop says nothing about the port it is on.
        let gateway = router.interfaces.first(where: \.isGateway).map { Self.routerPortName($0.port) }
        let linkLocal = route.isDefault && route.nextHop.lowercased().hasPrefix("fe80:") ? gateway : nil
        let output = route.output.map { Self.routerPortName($0) } ?? linkLocal
        let way = route.output.map { ":\($0)" } ?? ""
        var row = OVNRow(
            .staticRoute, "\(router.id):\(route.destination):\(route.nextHop)\(way)",
            owner: .router(router.id.rawValue),
            [
                "ip_prefix": .string(route.destination), "nexthop": .string(route.nextHop),
                "output_port": .optional(output),
            ],
            externalIDs: route.isDefault ? ["neutron:is_ext_gw": "true"] : [:],
            links: [OVNLink(parent: OVNKey(.router, router.id.rawValue), column: "static_routes")])
        row.references["bfd"] = watch(over: route, of: router).map { [$0.key] } ?? []
        return row
    }

    /// The probes that tell whether the next hop of a default route answers.
    private func watch(over route: LogicalRouter.Route, of router: LogicalRouter) -> OVNRow? {
        guard route.isWatched, let output = route.output.map({ Self.routerPortName($0) }) else { return nil }
        return OVNRow(
            .bfd, "\(output):\(route.nextHop)", owner: .router(router.id.rawValue),
            ["logical_port": .string(output), "dst_ip": .string(route.nextHop)])
    }

    /// With several gateways, OVN does not know by itself where an address is translated.
    private func translationPlace(_ port: PortID?, of router: LogicalRouter) -> [OVNKey] {
        let gateways = router.interfaces.filter(\.isGateway).map(\.port)
        guard gateways.count > 1, let port = port ?? gateways.first else { return [] }
        return [OVNKey(.routerPort, Self.routerPortName(port))]
    }

    private func translation(of cidr: String, to address: String, _ router: LogicalRouter) -> OVNRow {
        var row = OVNRow(
            .nat, "snat:\(router.id):\(cidr)", owner: .router(router.id.rawValue),
            [
                "type": .string("snat"), "external_ip": .string(address), "logical_ip": .string(cidr),
                "external_mac": .empty, "logical_port": .empty,
            ],
            links: [OVNLink(parent: OVNKey(.router, router.id.rawValue), column: "nat")])
        row.references["gateway_port"] = translationPlace(nil, of: router)
        return row
    }

    private func translation(of floating: LogicalRouter.FloatingAddress, _ router: LogicalRouter) -> OVNRow {
        let isLocal = isTranslatedLocally(floating, router)
        var row = OVNRow(
            .nat, floating.id.rawValue, owner: .router(router.id.rawValue),
            [
                "type": .string("dnat_and_snat"), "external_ip": .string(floating.address),
                "logical_ip": .string(floating.fixedAddress),
                "external_mac": isLocal ? .string(floating.macAddress) : .empty,
                "logical_port": isLocal ? .string(floating.port.rawValue) : .empty,
            ],
            externalIDs: [
                "neutron:fip_id": floating.id.rawValue, "neutron:fip_port_id": floating.port.rawValue,
                "neutron:fip_external_mac": floating.macAddress, "neutron:router_name": Self.name(router.id),
            ],
            links: [OVNLink(parent: OVNKey(.router, router.id.rawValue), column: "nat")])
        row.references["gateway_port"] = translationPlace(floating.gateway, of: router)
        return row
    }

    /// An address of a port that is on no host (a virtual address between guests) can only be served centrally.
    func isTranslatedLocally(_ floating: LogicalRouter.FloatingAddress, _ router: LogicalRouter) -> Bool {
        isDistributed(router) && world.ports[floating.port]?.host != nil
    }

    private func isDistributed(_ router: LogicalRouter) -> Bool {
        configuration.distributesFloatingAddresses || router.isDistributed
    }
}
