// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Reads what a projection needs, within one snapshot.
struct ProjectionReader {
    let transaction: any Transaction
    let config: NetworkConfig

    /// Nil: the object is gone.
    func object(_ key: LogicalKey) throws -> LogicalObject? {
        switch key {
        case .network(let id): try network(id).map(LogicalObject.network)
        case .port(let id): try PortStore.find(id, transaction).map { .port(Projection.port($0)) }
        case .router(let id): try router(id).map(LogicalObject.router)
        case .securityGroup(let id):
            try SecurityGroupStore.find(id, for: nil, transaction).map { .securityGroup(Projection.securityGroup($0)) }
        }
    }

    /// The whole wanted data plane.
    func everything() throws -> [LogicalObject] {
        let keys: [LogicalKey] =
            try NetworkStore.all(transaction).map { .network($0) }
            + SecurityGroupStore.all(transaction).map { .securityGroup($0) }
            + PortStore.all(transaction).map { .port($0) } + RouterStore.all(transaction).map { .router($0) }
        return try keys.compactMap(object)
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
        return Projection.network(network, subnets: subnets, metadata: metadata, dnsDomain: config.dnsDomain)
    }

    private func router(_ id: RouterID) throws -> LogicalRouter? {
        guard let router = try RouterStore.find(id, transaction) else { return nil }
        let ports = try RouterStore.ports(of: id, transaction)
        let parts = Projection.RouterParts(
            router: router, ports: ports,
            subnets: try SubnetStore.all(ports.flatMap { $0.fixedIPs.map(\.subnet) }, transaction),
            mtus: try mtus(Set(ports.map(\.network))),
            floatingIPs: try FloatingIPStore.all(where: "f.router_id = \(id)", transaction),
            scopes: try AddressScopeStore.scopes(of: ports.flatMap { $0.fixedIPs.map(\.subnet) }, transaction))
        return Projection.router(parts, isDistributed: config.distributesFloatingIPs)
    }

    private func mtus(_ networks: Set<NetworkID>) throws -> [NetworkID: Int] {
        var mtus: [NetworkID: Int] = [:]
        try transaction.forEach("SELECT id, mtu FROM networks WHERE id IN \(list: networks)") {
            mtus[$0.id(0)] = $0.int(1)
        }
        return mtus
    }
}
