// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Reads what a projection needs, within one snapshot.
struct ProjectionReader {
    let transaction: any Transaction
    let config: NetworkConfig

    /// What the data plane shall be told of some keys.
    struct Found: Sendable {
        /// An object that is nil is gone.
        var changes: [DataPlane.Change] = []
        /// Rows that say what nobody understands.
        var unreadable: [(key: LogicalKey, fault: CloudError)] = []
    }

    /// Each object by itself: a row that cannot be read spoils no other.
    func objects(_ keys: [LogicalKey]) throws -> Found {
        var found = Found()
        for key in keys {
            do {
                found.changes.append(DataPlane.Change(key: key, object: try object(key)))
            } catch let fault as CloudError where fault.code == .bug {
                found.unreadable.append((key, fault))
            }
        }
        return found
    }

    /// The whole wanted data plane.
    func everything() throws -> Found {
        try objects(
            NetworkStore.all(transaction).map { .network($0) }
                + AddressGroupStore.all(transaction).map { .addressGroup($0) }
                + SecurityGroupStore.all(transaction).map { .securityGroup($0) }
                + PortStore.all(transaction).map { .port($0) } + RouterStore.all(transaction).map { .router($0) })
    }

    /// Nil: the object is gone.
    private func object(_ key: LogicalKey) throws -> LogicalObject? {
        switch key {
        case .network(let id): try network(id).map(LogicalObject.network)
        case .port(let id): try port(id).map(LogicalObject.port)
        case .router(let id): try router(id).map(LogicalObject.router)
        case .securityGroup(let id):
            try SecurityGroupStore.find(id, for: nil, transaction).map { group in
                let logs = try NetworkLogStore.enabled(for: id, transaction)
                return .securityGroup(Projection.securityGroup(group, logs: logs))
            }
        case .addressGroup(let id):
            try AddressGroupStore.find(id, for: nil, transaction).map { .addressGroup(Projection.addressGroup($0)) }
        }
    }

    private func network(_ id: NetworkID) throws -> LogicalNetwork? {
        guard let network = try NetworkStore.find(id, for: nil, transaction) else { return nil }
        let subnets = try SubnetStore.all(on: id, transaction)
        let metadata = try PortStore.all(
            where: """
                p.network_id = \(id) AND p.device_id = \(MetadataPort.deviceID(of: id)) \
                AND p.device_owner = \(DeviceOwner.metadata)
                """, transaction
        ).first
        return try Projection.network(network, subnets: subnets, metadata: metadata, dnsDomain: config.dnsDomain)
    }

    private func port(_ id: PortID) throws -> LogicalPort? {
        guard let port = try PortStore.find(id, transaction) else { return nil }
        let policy = port.effectiveQoSPolicy
        let rules = try policy.flatMap { try QoSStore.rules(of: [$0], transaction)[$0] } ?? []
        let parent = DeviceOwner.isTrusted(port.deviceOwner) ? nil : try TrunkStore.parent(of: id, transaction)
        let prepared = port.host.isEmpty ? [] : try PortBindingStore.inactive(of: id, transaction)
        let logical = try Projection.port(port, qos: rules, parent: parent, prepared: prepared)
        return try hasForeignName(port) ? Projection.confined(logical, to: config.dnsDomain) : logical
    }

    /// Whether the port has a name with a domain of its own, on a network that others ask on.
    private func hasForeignName(_ port: Port) throws -> Bool {
        guard !port.dnsDomain.isEmpty || port.dnsName.contains(".") else { return false }
        return try transaction.exists(
            "SELECT 1 FROM networks WHERE id = \(port.network) AND project_id <> \(port.project)")
    }

    private func router(_ id: RouterID) throws -> LogicalRouter? {
        guard let router = try RouterStore.find(id, transaction) else { return nil }
        let ports = try RouterStore.ports(of: id, transaction)
        let used = try ports.flatMap { try $0.fixedIPs.map(\.subnet) }
        let floatingIPs = try FloatingIPStore.all(where: "f.router_id = \(id)", transaction)
        let policies = Set(floatingIPs.compactMap(\.qosPolicy) + [router.gatewayQoSPolicy].compactMap { $0 })
        let parts = Projection.RouterParts(
            router: router, ports: ports,
            subnets: try SubnetStore.all(used, transaction),
            mtus: try mtus(Set(ports.map(\.network))),
            floatingIPs: floatingIPs,
            scopes: try AddressScopeStore.scopes(of: used, transaction),
            forwardings: try PortForwardingStore.all(
                of: floatingIPs.filter { $0.port == nil }.map(\.id), transaction),
            qos: try QoSStore.rules(of: policies.sorted(), transaction),
            excludedChassis: try GatewayHostStore.excluded(of: id, transaction))
        return try Projection.router(parts, isDistributed: config.distributesFloatingIPs)
    }

    private func mtus(_ networks: Set<NetworkID>) throws -> [NetworkID: Int] {
        var mtus: [NetworkID: Int] = [:]
        try transaction.forEach("SELECT id, mtu FROM networks WHERE id IN \(list: networks)") {
            mtus[$0.id(0)] = $0.int(1)
        }
        return mtus
    }
}
