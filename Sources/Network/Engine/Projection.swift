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
        return LogicalNetwork(
            id: network.id, name: network.name, mtu: network.mtu,
            provider: network.physicalNetwork.map {
                LogicalNetwork.Provider(physicalNetwork: $0, vlan: network.kind == .vlan ? network.segment : nil)
            },
            subnets: subnets.map { subnet($0, metadata: metadata) },
            dnsDomain: network.dnsDomain.isEmpty ? dnsDomain : network.dnsDomain, isEnabled: network.isEnabled)
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

    static func port(_ port: Port) throws -> LogicalPort {
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
        return logical
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
    }

    static func router(_ parts: RouterParts, isDistributed: Bool) throws -> LogicalRouter {
        let gateway = parts.ports.first { $0.id == parts.router.gatewayPort }
        let inside = try parts.ports.filter { $0.deviceOwner == DeviceOwner.routerInterface }
            .flatMap { try $0.fixedIPs }
        let outside = try gateway?.fixedIPs ?? []
        let outer = outside.first { !$0.address.isIPv6 }.flatMap { parts.scopes[$0.subnet] }
        // Addresses of one scope are routed as they are.
        let cidrs = inside.filter { outer == nil || parts.scopes[$0.subnet] != outer }
            .compactMap { parts.subnets[$0.subnet]?.cidr }.filter { !$0.isIPv6 }
        let snat = parts.router.usesSNAT ? outside.first { !$0.address.isIPv6 }?.address : nil
        return LogicalRouter(
            id: parts.router.id, name: parts.router.name, isEnabled: parts.router.isEnabled,
            interfaces: try parts.ports.map { try interface($0, parts) }, routes: try routes(parts, gateway: outside),
            snatAddress: snat?.description, snatCIDRs: snat == nil ? [] : cidrs.map(\.description),
            floatingAddresses: parts.floatingIPs.compactMap(floating), isDistributed: isDistributed)
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

    private static func routes(_ parts: RouterParts, gateway: [Port.FixedIP]) throws -> [LogicalRouter.Route] {
        var hasDefault: Set<Bool> = []
        var routes = gateway.compactMap { fixed -> LogicalRouter.Route? in
            guard let hop = parts.subnets[fixed.subnet]?.gateway, hasDefault.insert(hop.isIPv6).inserted else {
                return nil
            }
            return LogicalRouter.Route(
                destination: (hop.isIPv6 ? CIDR.anyIPv6 : CIDR.anyIPv4).description, nextHop: hop.description,
                isDefault: true)
        }
        routes += try parts.router.routes.map {
            LogicalRouter.Route(destination: $0.destination, nextHop: $0.nextHop, isDefault: false)
        }
        return routes
    }

    private static func floating(_ floatingIP: FloatingIP) -> LogicalRouter.FloatingAddress? {
        guard let port = floatingIP.port, let fixed = floatingIP.fixedAddress, let details = floatingIP.details else {
            return nil
        }
        return LogicalRouter.FloatingAddress(
            id: floatingIP.id, address: floatingIP.address.description, fixedAddress: fixed.description, port: port,
            macAddress: details.mac)
    }

    // MARK: Security group

    static func securityGroup(_ group: SecurityGroup) -> LogicalSecurityGroup {
        LogicalSecurityGroup(
            id: group.id, name: group.name, isStateful: group.isStateful, rules: group.rules.map(rule))
    }

    private static func rule(_ rule: SecurityGroupRule) -> LogicalSecurityGroup.Rule {
        let peer: LogicalSecurityGroup.Rule.Peer =
            if let group = rule.remoteGroup {
                .group(group)
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
