// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

extension OVNTranslation {
    /// The port on its switch, and its membership in groups. Names no object that must be there already: references
    /// and links find their rows when they come.
    func rows(_ port: LogicalPort) -> [OVNRow] {
        switch port.kind {
        case .reserved: []
        case .device: [devicePort(port)] + dhcpRows(of: port) + rows(ofQoS: port.qos, of: port)
        case .metadata: [metadataPort(port)]
        case .router(let router): [routerPeer(port, router)]
        }
    }

    private func devicePort(_ port: LogicalPort) -> OVNRow {
        let own = ([port.macAddress] + port.addresses.map(\.address)).joined(separator: " ")
        var options = options(ofQoS: port.qos, on: port.network)
        // A subport is where its parent is.
        if port.parent == nil, let host = port.host {
            options["requested-chassis"] = ([host] + port.preparedHosts).joined(separator: ",")
            // The others pass nothing until the guest announces itself there.
            if !port.preparedHosts.isEmpty { options["activation-strategy"] = "rarp" }
        }
        if let host = OVNText.domain(port.hostname) { options["hostname"] = "\"\(host)\"" }
        var row = switchPort(
            port, type: "", addresses: port.hasPortSecurity ? [own] : [own, "unknown"],
            security: port.hasPortSecurity ? Self.portSecurity(port) : [], options: options)
        if let parent = port.parent {
            row.columns["parent_name"] = .string(parent.port.rawValue)
            row.columns["tag"] = .int(parent.vlan)
            row.externalIDs["neutron:device_owner"] = "trunk:subport"
        }
        // Each subnet that answers DHCP has one row; the port takes that of its first address there, or its own.
        row.references["dhcpv4_options"] = dhcpReferences(of: port, isIPv6: false)
        row.references["dhcpv6_options"] = dhcpReferences(of: port, isIPv6: true)
        if port.hasPortSecurity {
            row.links.insert(.members(of: Self.dropGroup))
            for group in port.securityGroups { row.links.insert(.members(of: group.rawValue)) }
        }
        return row
    }

    private func metadataPort(_ port: LogicalPort) -> OVNRow {
        let own = ([port.macAddress] + port.addresses.map(\.address)).joined(separator: " ")
        return switchPort(port, type: "localport", addresses: [own], security: [], options: [:])
    }

    private func routerPeer(_ port: LogicalPort, _ router: RouterID) -> OVNRow {
        var options = ["router-port": Self.routerPortName(port.id)]
        if world.interface(of: port.id)?.isGateway ?? false {
            // The gateway chassis announces the router's and all translated addresses by gratuitous ARP.
            options["nat-addresses"] = "router"
            options["exclude-lb-vips-from-garp"] = "true"
        }
        return switchPort(port, type: "router", addresses: ["router"], security: [], options: options)
    }

    private func switchPort(
        _ port: LogicalPort, type: String, addresses: [String], security: [String], options: [String: String]
    ) -> OVNRow {
        var row = OVNRow(
            .switchPort, port.id.rawValue, owner: .port(port.id.rawValue),
            [
                "name": .string(port.id.rawValue), "type": .string(type), "addresses": .strings(addresses),
                "port_security": .strings(security), "enabled": .bool(port.isEnabled), "tag": .empty,
                "parent_name": .empty, "options": .pairs(options),
            ],
            externalIDs: [
                "neutron:network_name": Self.name(port.network), "neutron:port_name": port.name,
                "neutron:device_id": port.deviceID, "neutron:cidrs": cidrs(of: port),
                "neutron:security_group_ids": port.securityGroups.map(\.rawValue).joined(separator: " "),
                "neutron:device_owner": Self.owner(of: port.kind),
            ],
            links: [.ports(of: port.network.rawValue)])
        row.references = ["dhcpv4_options": [], "dhcpv6_options": []]
        return row
    }

    private static func owner(of kind: LogicalPort.Kind) -> String {
        switch kind {
        case .device: ""
        case .router: "network:router_interface"
        case .metadata: "network:distributed"
        case .reserved: "network:floatingip"
        }
    }

    /// Addresses with the prefix length of their subnets: hosts configure the metadata namespace by them.
    private func cidrs(of port: LogicalPort) -> String {
        let subnets = world.networks[port.network]?.subnets ?? []
        return port.addresses.map { address in
            let prefix =
                subnets.first { $0.id == address.subnet }?.cidr.split(separator: "/").last
                ?? (address.isIPv6 ? "64" : "32")
            return "\(address.address)/\(prefix)"
        }.joined(separator: " ")
    }

    /// One entry per MAC, each with the addresses that it may use.
    private static func portSecurity(_ port: LogicalPort) -> [String] {
        var allowed: [String: [String]] = [port.macAddress: port.addresses.map(\.address)]
        var order = [port.macAddress]
        for pair in port.allowedAddressPairs {
            guard let ip = OVNText.address(pair.ip) else { continue }
            let mac = pair.macAddress.isEmpty ? port.macAddress : pair.macAddress.lowercased()
            if allowed[mac] == nil { order.append(mac) }
            if !(allowed[mac] ?? []).contains(ip) { allowed[mac, default: []].append(ip) }
        }
        return order.map { ([$0] + (allowed[$0] ?? [])).joined(separator: " ") }
    }
}

extension LogicalPort.Address {
    var isIPv6: Bool { address.contains(":") }
}
