// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// From rows to what the data plane shall be. Pure: the same rows always give the same value.
enum Projection {
    // MARK: Network

    static func network(_ network: Network, subnets: [Subnet], metadata: Port?, dnsDomain: String) throws
        -> LogicalNetwork
    {
        let metadata = try metadata?.fixedIPs ?? []
        var logical = LogicalNetwork(
            id: network.id, name: network.name, mtu: network.mtu,
            provider: network.physicalNetwork.map {
                LogicalNetwork.Provider(physicalNetwork: $0, vlan: network.kind == .vlan ? network.segment : nil)
            },
            subnets: subnets.map { subnet($0, metadata: metadata) },
            dnsDomain: dnsDomain, isEnabled: network.isEnabled)
        // neutron: a network's domain is for the world outside; guests have the cloud's (ovn_client.py).
        logical.ownDNSDomain = network.dnsDomain
        logical.hasServiceTag = network.hasQinQ ?? false
        logical.carriesTags = (network.isVLANTransparent ?? false) || logical.hasServiceTag
        logical.segments = network.segments.dropFirst().compactMap { segment in
            segment.physicalNetwork.map {
                LogicalNetwork.Segment(
                    id: segment.id.rawValue, provider: .init(physicalNetwork: $0, vlan: segment.number))
            }
        }
        return logical
    }

    private static func subnet(_ subnet: Subnet, metadata: [Port.FixedIP]) -> LogicalNetwork.Subnet {
        LogicalNetwork.Subnet(
            id: subnet.id, cidr: subnet.cidr.description, isIPv6: subnet.cidr.isIPv6,
            gateway: subnet.gateway?.description, usesDHCP: subnet.usesDHCP, dnsServers: subnet.dnsServers,
            hostRoutes: hostRoutes(of: subnet, metadata: metadata),
            ipv6Mode: (subnet.addressMode ?? subnet.raMode)?.rawValue)
    }

    /// The subnet's own, and the way to metadata.
    static func hostRoutes(of subnet: Subnet, metadata: [Port.FixedIP]) -> [ServerPort.HostRoute] {
        guard subnet.usesDHCP, let hop = metadata.first(where: { $0.subnet == subnet.id })?.address,
            !subnet.hostRoutes.contains(where: { $0.destination == MetadataPort.serviceAddress })
        else { return subnet.hostRoutes }
        return [ServerPort.HostRoute(destination: MetadataPort.serviceAddress, nextHop: hop.description)]
            + subnet.hostRoutes
    }

    // MARK: Port

    static func port(
        _ port: Port, qos: [QoSRule], parent: LogicalPort.Parent?, prepared: [PortBinding] = []
    ) throws -> LogicalPort {
        let addresses = try port.fixedIPs
        var logical = LogicalPort(
            id: port.id, name: port.name, network: port.network, kind: kind(of: port), macAddress: port.mac,
            addresses: addresses.map { LogicalPort.Address(subnet: $0.subnet, address: $0.address.description) },
            allowedAddressPairs: try port.addressPairs, hasPortSecurity: port.hasPortSecurity,
            securityGroups: try port.groups, isEnabled: port.isEnabled,
            host: port.host.isEmpty ? nil : port.host, deviceID: port.deviceID,
            hostname: hostname(of: port, at: addresses))
        logical.extraDHCPOptions = try port.dhcpOptions.map {
            LogicalPort.ExtraDHCPOption(name: $0.name, value: $0.value, isIPv6: $0.ipVersion == 6)
        }
        logical.dnsDomain = port.dnsDomain
        logical.qos = LogicalQoS(qos)
        logical.parent = parent
        if logical.host != nil { logical.preparedHosts = prepared.map(\.host) }
        return logical
    }

    /// On another's network a guest's name is in the cloud's domain or in none: all who are there would be told the
    /// guest's address when they ask for a name of the world outside.
    static func confined(_ port: LogicalPort, to domain: String) -> LogicalPort {
        func isWithin(_ name: String) -> Bool {
            let (name, domain) = (plain(name), plain(domain))
            return !domain.isEmpty && (name == domain || name.hasSuffix("." + domain))
        }
        var port = port
        if !isWithin(port.dnsDomain) { port.dnsDomain = "" }
        if !isWithin(port.hostname) { port.hostname = String(port.hostname.prefix { $0 != "." }) }
        return port
    }

    private static func plain(_ name: String) -> String {
        (name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased()
    }

    private static func kind(of port: Port) -> LogicalPort.Kind {
        switch port.deviceOwner {
        case DeviceOwner.routerInterface, DeviceOwner.routerGateway: .router(RouterID(port.deviceID))
        case DeviceOwner.metadata: .metadata
        case DeviceOwner.floatingIP: .reserved
        default: .device
        }
    }

    private static func hostname(of port: Port, at addresses: [Port.FixedIP]) -> String {
        port.dnsName.isEmpty ? addresses.first.map { defaultHostname($0.address) } ?? "" : port.dnsName
    }

    /// `host-10-0-0-5`.
    static func defaultHostname(_ address: IPAddress) -> String {
        "host-" + String(address.description.map { $0 == "." || $0 == ":" ? "-" : $0 })
    }

    // MARK: Router

    struct RouterParts {
        var router: Router
        /// Interfaces and gateway.
        var ports: [Port]
        var subnets: [SubnetID: Subnet]
        var mtus: [NetworkID: Int]
        var floatingIPs: [FloatingIP]
        var scopes: [SubnetID: AddressScopeID] = [:]
        var forwardings: [FloatingIPID: [PortForwarding]] = [:]
        /// Of its gateway and of its floating IPs.
        var qos: [QoSPolicyID: [QoSRule]] = [:]
        var excludedChassis: Set<String> = []
    }

    static func router(_ parts: RouterParts, isDistributed: Bool) throws -> LogicalRouter {
        let gateway = parts.ports.first { $0.id == parts.router.gatewayPort }
        let extras = parts.ports.filter { $0.deviceOwner == DeviceOwner.routerGateway && $0.id != gateway?.id }
        let ordered = extras.isEmpty ? parts.ports : parts.ports.filter { !extras.contains($0) } + extras
        let inside = try parts.ports.filter { $0.deviceOwner == DeviceOwner.routerInterface }
            .flatMap { try $0.fixedIPs }
        let outside = try gateway?.fixedIPs ?? []
        let outer = outside.first { !$0.address.isIPv6 }.flatMap { parts.scopes[$0.subnet] }
        // Addresses of one scope are routed as they are.
        let cidrs = inside.filter { outer == nil || parts.scopes[$0.subnet] != outer }
            .compactMap { parts.subnets[$0.subnet]?.cidr }.filter { !$0.isIPv6 }
        let snat = parts.router.usesSNAT ? outside.first { !$0.address.isIPv6 }?.address : nil
        var logical = LogicalRouter(
            id: parts.router.id, name: parts.router.name, isEnabled: parts.router.isEnabled,
            interfaces: try ordered.map { try interface($0, parts) },
            routes: try routes(parts, [gateway].compactMap { $0 } + extras),
            snatAddress: snat?.description, snatCIDRs: snat == nil ? [] : cidrs.map(\.description),
            floatingAddresses: parts.floatingIPs.compactMap { floating($0, parts, extras) },
            isDistributed: isDistributed)
        logical.excludedChassis = parts.excludedChassis
        logical.portForwardings = parts.floatingIPs.flatMap { forwardings(of: $0, parts) }
        logical.gatewayQoS = parts.router.gatewayQoSPolicy.flatMap { LogicalQoS(parts.qos[$0] ?? []) }
        return logical
    }

    private static func interface(_ port: Port, _ parts: RouterParts) throws -> LogicalRouter.Interface {
        let addresses = try port.fixedIPs
        let subnets = addresses.compactMap { parts.subnets[$0.subnet] }
        return LogicalRouter.Interface(
            port: port.id, network: port.network, macAddress: port.mac,
            addresses: addresses.compactMap { fixed in
                parts.subnets[fixed.subnet].map { "\(fixed.address)/\($0.cidr.prefixLength)" }
            },
            mtu: parts.mtus[port.network] ?? 1500, isGateway: port.deviceOwner == DeviceOwner.routerGateway,
            ipv6Mode: port.deviceOwner == DeviceOwner.routerGateway
                ? nil : subnets.lazy.filter(\.cidr.isIPv6).compactMap(\.raMode).first?.rawValue)
    }

    /// Default routes go by the first gateway, or by all.
    private static func routes(_ parts: RouterParts, _ gateways: [Port]) throws -> [LogicalRouter.Route] {
        var routes: [LogicalRouter.Route] = []
        for gateway in parts.router.spreadsDefaultRoute ? gateways : Array(gateways.prefix(1)) {
            var hasDefault: Set<Bool> = []
            for fixed in try gateway.fixedIPs {
                guard let hop = parts.subnets[fixed.subnet]?.gateway, hasDefault.insert(hop.isIPv6).inserted else {
                    continue
                }
                var route = LogicalRouter.Route(
                    destination: (hop.isIPv6 ? CIDR.anyIPv6 : CIDR.anyIPv4).description, nextHop: hop.description,
                    isDefault: true)
                if gateways.count > 1 || parts.router.watchesDefaultRoute { route.output = gateway.id }
                route.isWatched = parts.router.watchesDefaultRoute
                routes.append(route)
            }
        }
        routes += try parts.router.routes.map {
            LogicalRouter.Route(destination: $0.destination, nextHop: $0.nextHop, isDefault: false)
        }
        return routes
    }

    private static func forwardings(of floatingIP: FloatingIP, _ parts: RouterParts) -> [LogicalRouter.PortForwarding] {
        let byProtocol = Dictionary(grouping: parts.forwardings[floatingIP.id] ?? [], by: \.protocolName)
        return byProtocol.sorted { $0.key < $1.key }.map { name, forwardings in
            LogicalRouter.PortForwarding(
                floatingIP: floatingIP.id, address: floatingIP.address.description, protocolName: name,
                targets: forwardings.reduce(into: [:]) { $0.merge($1.targets) { first, _ in first } })
        }
    }

    private static func floating(
        _ floatingIP: FloatingIP, _ parts: RouterParts, _ extras: [Port]
    ) -> LogicalRouter.FloatingAddress? {
        guard let port = floatingIP.port, let fixed = floatingIP.fixedAddress, let details = floatingIP.details else {
            return nil
        }
        var logical = LogicalRouter.FloatingAddress(
            id: floatingIP.id, address: floatingIP.address.description, fixedAddress: fixed.description, port: port,
            macAddress: details.mac)
        logical.qos = floatingIP.qosPolicy.flatMap { LogicalQoS(parts.qos[$0] ?? []) }
        if !extras.isEmpty {
            let isFirst = parts.router.gatewayNetwork == floatingIP.network
            let other = extras.first { $0.network == floatingIP.network }?.id
            logical.gateway = isFirst ? parts.router.gatewayPort : other
        }
        return logical
    }

    // MARK: Security group

    static func addressGroup(_ group: AddressGroup) -> LogicalAddressGroup {
        LogicalAddressGroup(id: group.id, name: group.name, prefixes: group.addresses.map(\.description))
    }

    static func securityGroup(_ group: SecurityGroup, logs: [NetworkLog] = []) -> LogicalSecurityGroup {
        var logical = LogicalSecurityGroup(
            id: group.id, name: group.name, isStateful: group.isStateful, rules: group.rules.map(rule))
        logical.acceptLog = logs.first { $0.event != .drop }?.id.rawValue
        logical.dropLog = logs.first { $0.event != .accept }?.id.rawValue
        return logical
    }

    private static func rule(_ rule: SecurityGroupRule) -> LogicalSecurityGroup.Rule {
        let peer: LogicalSecurityGroup.Rule.Peer =
            if let group = rule.remoteGroup {
                .group(group)
            } else if let addresses = rule.remoteAddressGroup {
                .addresses(addresses)
            } else if let prefix = rule.normalizedPrefix {
                .prefix(prefix)
            } else {
                .anywhere
            }
        return LogicalSecurityGroup.Rule(
            id: rule.id, isIngress: rule.isIngress, isIPv6: rule.isIPv6,
            ipProtocol: rule.protocolName.flatMap { IPProtocol.number($0, isIPv6: rule.isIPv6) },
            portMinimum: rule.portMinimum, portMaximum: rule.portMaximum, peer: peer)
    }
}
