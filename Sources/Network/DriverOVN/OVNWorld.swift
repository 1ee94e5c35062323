// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A host that can carry a router's gateway.
struct OVNGatewayChassis: Hashable, Sendable {
    var name: String
    /// Physical networks that it reaches.
    var physicalNetworks: Set<String>
}

/// The wanted objects, with the indexes that tell which others an object has an effect on.
struct OVNWorld: Sendable {
    private(set) var networks: [NetworkID: LogicalNetwork] = [:]
    private(set) var ports: [PortID: LogicalPort] = [:]
    private(set) var routers: [RouterID: LogicalRouter] = [:]
    private(set) var groups: [SecurityGroupID: LogicalSecurityGroup] = [:]
    private(set) var addressGroups: [AddressGroupID: LogicalAddressGroup] = [:]
    var gatewayChassis: [OVNGatewayChassis] = []

    private var portsByNetwork: [NetworkID: Set<PortID>] = [:]
    private var portsByGroup: [SecurityGroupID: Set<PortID>] = [:]
    private var routersByNetwork: [NetworkID: Set<RouterID>] = [:]
    private var routersByPort: [PortID: Set<RouterID>] = [:]

    init() {}

    init(_ objects: [LogicalObject], gatewayChassis: [OVNGatewayChassis] = []) {
        self.gatewayChassis = gatewayChassis
        for object in objects { _ = set(object) }
    }

    func ports(on network: NetworkID) -> [LogicalPort] { (portsByNetwork[network] ?? []).compactMap { ports[$0] } }

    /// The router that has `port` as an interface.
    func interface(of port: PortID) -> LogicalRouter.Interface? {
        for router in routersByPort[port] ?? [] {
            if let interface = routers[router]?.interfaces.first(where: { $0.port == port }) { return interface }
        }
        return nil
    }

    /// Every unit that has rows.
    var units: Set<OVNUnit> {
        var units: Set<OVNUnit> = [.shared]
        for id in networks.keys { units.formUnion([.network(id.rawValue), .names(id.rawValue)]) }
        for id in ports.keys { units.insert(.port(id.rawValue)) }
        for id in routers.keys { units.insert(.router(id.rawValue)) }
        for id in groups.keys { units.insert(.group(id.rawValue)) }
        for id in addressGroups.keys { units.insert(.addresses(id.rawValue)) }
        return units
    }

    /// Routers with an external gateway: their rows name chassis.
    var gatewayRouters: Set<OVNUnit> {
        Set(routers.values.filter { $0.interfaces.contains(where: \.isGateway) }.map { .router($0.id.rawValue) })
    }

    subscript(key: LogicalKey) -> LogicalObject? {
        switch key {
        case .network(let id): networks[id].map(LogicalObject.network)
        case .port(let id): ports[id].map(LogicalObject.port)
        case .router(let id): routers[id].map(LogicalObject.router)
        case .securityGroup(let id): groups[id].map(LogicalObject.securityGroup)
        case .addressGroup(let id): addressGroups[id].map(LogicalObject.addressGroup)
        }
    }

    /// Units of other objects whose rows are computed from this one, too.
    func dependents(of key: LogicalKey) -> Set<OVNUnit> {
        switch key {
        case .network(let id):
            Set((portsByNetwork[id] ?? []).map { .port($0.rawValue) })
                .union((routersByNetwork[id] ?? []).map { .router($0.rawValue) })
        case .port(let id): Set((routersByPort[id] ?? []).map { .router($0.rawValue) })
        case .router(let id): Set(ports.values.filter { $0.kind == .router(id) }.map { .port($0.id.rawValue) })
        case .securityGroup(let id): Set((portsByGroup[id] ?? []).map { .port($0.rawValue) })
        // Rules name a set, and the set has its name whatever it holds.
        case .addressGroup: []
        }
    }

    // MARK: Changes

    /// Takes the object. Returns the units whose rows may differ now, its own among them.
    mutating func set(_ object: LogicalObject) -> Set<OVNUnit> {
        switch object {
        case .network(let network): set(network, at: network.id)
        case .port(let port): set(port, at: port.id)
        case .router(let router): set(router, at: router.id)
        case .securityGroup(let group): set(group, at: group.id)
        case .addressGroup(let group): set(group, at: group.id)
        }
    }

    mutating func remove(_ key: LogicalKey) -> Set<OVNUnit> {
        switch key {
        case .network(let id): set(nil as LogicalNetwork?, at: id)
        case .port(let id): set(nil as LogicalPort?, at: id)
        case .router(let id): set(nil as LogicalRouter?, at: id)
        case .securityGroup(let id): set(nil as LogicalSecurityGroup?, at: id)
        case .addressGroup(let id): set(nil as LogicalAddressGroup?, at: id)
        }
    }

    private mutating func set(_ network: LogicalNetwork?, at id: NetworkID) -> Set<OVNUnit> {
        let old = networks[id]
        networks[id] = network
        var units: Set<OVNUnit> = [.network(id.rawValue), .names(id.rawValue)]
        // Ports refer to DHCP options, routers depend on the kind of network.
        if old?.subnets.map(\.id) != network?.subnets.map(\.id)
            || old?.subnets.map(\.usesDHCP) != network?.subnets.map(\.usesDHCP)
            || old?.subnets.map(\.ipv6Mode) != network?.subnets.map(\.ipv6Mode) || old?.provider != network?.provider
        {
            for port in portsByNetwork[id] ?? [] { units.insert(.port(port.rawValue)) }
        } else {
            // Those with DHCP options of their own repeat all that the subnet says.
            for port in portsByNetwork[id] ?? [] where ports[port]?.extraDHCPOptions.isEmpty == false {
                units.insert(.port(port.rawValue))
            }
        }
        if old?.provider != network?.provider || old == nil {
            for router in routersByNetwork[id] ?? [] { units.insert(.router(router.rawValue)) }
        }
        return units
    }

    private mutating func set(_ port: LogicalPort?, at id: PortID) -> Set<OVNUnit> {
        let old = ports[id]
        ports[id] = port
        if let old {
            portsByNetwork[old.network]?.remove(id)
            for group in old.securityGroups { portsByGroup[group]?.remove(id) }
        }
        if let port {
            portsByNetwork[port.network, default: []].insert(id)
            for group in port.securityGroups { portsByGroup[group, default: []].insert(id) }
        }
        var units: Set<OVNUnit> = [.port(id.rawValue)]
        if old?.hostname != port?.hostname || old?.addresses != port?.addresses || old?.dnsDomain != port?.dnsDomain {
            for network in [old?.network, port?.network] {
                if let network { units.insert(.names(network.rawValue)) }
            }
        }
        // A distributed floating address follows the port's host.
        if old?.host != port?.host || old == nil {
            for router in routersByPort[id] ?? [] { units.insert(.router(router.rawValue)) }
        }
        return units
    }

    private mutating func set(_ router: LogicalRouter?, at id: RouterID) -> Set<OVNUnit> {
        let old = routers[id]
        routers[id] = router
        var units: Set<OVNUnit> = [.router(id.rawValue)]
        for interface in old?.interfaces ?? [] { routersByNetwork[interface.network]?.remove(id) }
        for interface in router?.interfaces ?? [] { routersByNetwork[interface.network, default: []].insert(id) }
        for port in Self.ports(of: old) { routersByPort[port]?.remove(id) }
        for port in Self.ports(of: router) { routersByPort[port, default: []].insert(id) }
        // The switch's side of an interface says whether it is the gateway.
        let before = Set((old?.interfaces ?? []).map { [$0.port.rawValue, "\($0.isGateway)"] })
        let after = Set((router?.interfaces ?? []).map { [$0.port.rawValue, "\($0.isGateway)"] })
        for changed in before.symmetricDifference(after) { units.insert(.port(changed[0])) }
        return units
    }

    private mutating func set(_ group: LogicalSecurityGroup?, at id: SecurityGroupID) -> Set<OVNUnit> {
        let isNew = groups[id] == nil
        groups[id] = group
        var units: Set<OVNUnit> = [.group(id.rawValue)]
        if isNew {
            for port in portsByGroup[id] ?? [] { units.insert(.port(port.rawValue)) }
        }
        return units
    }

    private mutating func set(_ group: LogicalAddressGroup?, at id: AddressGroupID) -> Set<OVNUnit> {
        addressGroups[id] = group
        return [.addresses(id.rawValue)]
    }

    private static func ports(of router: LogicalRouter?) -> Set<PortID> {
        guard let router else { return [] }
        return Set(router.interfaces.map(\.port) + router.floatingAddresses.map(\.port))
    }
}
