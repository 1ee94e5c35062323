// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `routers`. A router's interfaces are ports whose device it is.
enum RouterStore {
    static let schema = ListSchema(
        from: "FROM routers r LEFT JOIN ports g ON g.id = r.gateway_port", id: "r.id", tags: "r.tags",
        [
            ListAttribute("id", "r.id"), ListAttribute("name", "r.name"), ListAttribute("project_id", "r.project_id"),
            ListAttribute("tenant_id", "r.project_id"), ListAttribute("description", "r.description"),
            ListAttribute("admin_state_up", "r.is_enabled", .boolean),
            ListAttribute("revision_number", "r.revision", .integer),
            ListAttribute("created_at", "r.created_at", .time),
            ListAttribute("updated_at", "r.updated_at", .time),
            ListAttribute("enable_snat", "r.uses_snat", .boolean),
            ListAttribute("flavor_id", "r.flavor", isSortKey: false),
            .filter("status") { $0.contains("ACTIVE") ? "1 = 1" : "1 = 0" },
            .filter("external_gateway_info") { values in
                let networks = values.map { $0.hasPrefix("network_id=") ? String($0.dropFirst(11)) : $0 }
                return "r.gateway_network IN \(list: networks)"
            },
        ])

    private static let columns: SQL = """
        r.id, r.project_id, r.name, r.is_enabled, r.gateway_network, r.gateway_port, r.uses_snat, r.routes, \
        r.zone_hints, g.fixed_ips, r.description, r.tags, r.revision, r.created_at, r.updated_at, \
        r.gateway_qos_policy, r.flavor, r.default_route_ecmp, r.default_route_bfd
        """

    private static func router(_ row: any Row) -> Router {
        Router(
            id: row.id(0), project: row.id(1), name: row.text(2), isEnabled: row.bool(3),
            gatewayNetwork: row.idOrNil(4), gatewayPort: row.idOrNil(5), usesSNAT: row.bool(6),
            routesJSON: row.text(7), flavor: row.idOrNil(16), zoneHints: row.text(8),
            gatewayAddressesJSON: row.textOrNil(9) ?? "[]",
            standard: row.standard(10), gatewayQoSPolicy: row.idOrNil(15), spreadsDefaultRoute: row.bool(17),
            watchesDefaultRoute: row.bool(18))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [Router] {
        try schema.list(
            query, columns: columns, where: Visibility([viewer.owns("r.project_id")]), transaction,
            missing: { NetworkFault.routerNotFound(RouterID($0)) }, router)
    }

    static func find(_ id: RouterID, _ transaction: any Transaction) throws -> Router? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE r.id = \(id)", router)
    }

    static func all(_ transaction: any Transaction) throws -> [RouterID] {
        try transaction.query("SELECT id FROM routers") { $0.id(0) }
    }

    /// In the order of their ids.
    static func all(_ ids: [RouterID], _ transaction: any Transaction) throws -> [Router] {
        try ids.sorted().slices().flatMap { chunk in
            try transaction.query(
                "SELECT \(columns) \(schema.from) WHERE r.id IN \(list: chunk) ORDER BY r.id", router)
        }
    }

    static func insert(_ router: Router, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO routers (id, project_id, name, description, is_enabled, gateway_network, gateway_port,
                uses_snat,
                routes, zone_hints, tags, revision, created_at, updated_at, gateway_qos_policy, flavor,
                default_route_ecmp, default_route_bfd)
            VALUES (\(router.id), \(router.project), \(router.name), \(router.standard.description),
                \(router.isEnabled), \(router.gatewayNetwork), \(router.gatewayPort), \(router.usesSNAT),
                \(router.routesJSON), \(router.zoneHints), \(router.standard.tags), \(router.standard.revision),
                \(router.standard.createdAt), \(router.standard.updatedAt), \(router.gatewayQoSPolicy),
                \(router.flavor), \(router.spreadsDefaultRoute), \(router.watchesDefaultRoute))
            """)
    }

    static func update(_ router: Router, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE routers
               SET name = \(router.name), description = \(router.standard.description),
                   is_enabled = \(router.isEnabled), gateway_network = \(router.gatewayNetwork),
                   gateway_port = \(router.gatewayPort), uses_snat = \(router.usesSNAT), routes = \(router.routesJSON),
                   tags = \(router.standard.tags), revision = \(router.standard.revision),
                   updated_at = \(router.standard.updatedAt), gateway_qos_policy = \(router.gatewayQoSPolicy),
                   default_route_ecmp = \(router.spreadsDefaultRoute),
                   default_route_bfd = \(router.watchesDefaultRoute)
             WHERE id = \(router.id)
            """)
    }

    static func delete(_ id: RouterID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM conntrack_helpers WHERE router_id = \(id)")
        try GatewayHostStore.deleteAll(of: id, transaction)
        try transaction.execute("DELETE FROM routers WHERE id = \(id)")
    }

    /// Interfaces and gateway, oldest first.
    static func ports(of id: RouterID, _ transaction: any Transaction) throws -> [Port] {
        try PortStore.all(
            where: "p.device_id = \(id) AND p.device_owner IN \(list: DeviceOwner.router.sorted())", transaction)
    }

    /// Routers with an interface or gateway address in `subnet`.
    static func connected(to subnet: SubnetID, _ transaction: any Transaction) throws -> [RouterID] {
        try transaction.query(
            """
            SELECT DISTINCT p.device_id FROM ports p JOIN ip_allocations a ON a.port_id = p.id
             WHERE a.subnet_id = \(subnet) AND p.device_owner IN \(list: DeviceOwner.router.sorted())
            """
        ) { $0.id(0) }
    }

    static func connected(to network: NetworkID, _ transaction: any Transaction) throws -> [RouterID] {
        try transaction.query(
            """
            SELECT DISTINCT p.device_id FROM ports p
             WHERE p.network_id = \(network) AND p.device_owner IN \(list: DeviceOwner.router.sorted())
            """
        ) { $0.id(0) }
    }
}
