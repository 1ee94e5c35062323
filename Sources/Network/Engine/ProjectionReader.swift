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
                + SecurityGroupStore.all(transaction).map { .securityGroup($0) }
                + PortStore.all(transaction).map { .port($0) } + RouterStore.all(transaction).map { .router($0) })
    }

    /// Nil: the object is gone.
    private func object(_ key: LogicalKey) throws -> LogicalObject? {
        switch key {
        case .network(let id): try network(id).map(LogicalObject.network)
        case .port(let id): try PortStore.find(id, transaction).map { .port(try Projection.port($0)) }
        case .router(let id): try router(id).map(LogicalObject.router)
        case .securityGroup(let id):
            try SecurityGroupStore.find(id, for: nil, transaction).map { .securityGroup(Projection.securityGroup($0)) }
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

    private func router(_ id: RouterID) throws -> LogicalRouter? {
        guard let router = try RouterStore.find(id, transaction) else { return nil }
        let ports = try RouterStore.ports(of: id, transaction)
        let used = try ports.flatMap { try $0.fixedIPs.map(\.subnet) }
        let parts = Projection.RouterParts(
            router: router, ports: ports,
            subnets: try SubnetStore.all(used, transaction),
            mtus: try mtus(Set(ports.map(\.network))),
            floatingIPs: try FloatingIPStore.all(where: "f.router_id = \(id)", transaction),
            scopes: try AddressScopeStore.scopes(of: used, transaction))
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
