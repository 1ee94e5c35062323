// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `router_extra_gateways`: ports that are gateways besides the one that the router's own row names.
enum ExtraGatewayStore {
    static func all(of routers: [RouterID], _ transaction: any Transaction) throws -> [RouterID: [Router.Gateway]] {
        var gateways: [RouterID: [Router.Gateway]] = [:]
        for chunk in routers.slices() {
            try transaction.forEach(
                """
                SELECT e.router_id, p.id, p.network_id, p.fixed_ips
                  FROM router_extra_gateways e JOIN ports p ON p.id = e.port_id
                 WHERE e.router_id IN \(list: chunk) ORDER BY e.router_id, e.position
                """
            ) { row in
                gateways[row.id(0), default: []].append(
                    Router.Gateway(port: row.id(1), network: row.id(2), addressesJSON: row.text(3)))
            }
        }
        return gateways
    }

    /// Most clouds have none.
    static func exist(_ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM router_extra_gateways LIMIT 1")
    }

    /// As the last of the router's.
    static func insert(_ port: PortID, of router: RouterID, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO router_extra_gateways (port_id, router_id, position)
            SELECT \(port), \(router), COALESCE(MAX(position), 0) + 1 FROM router_extra_gateways
             WHERE router_id = \(router)
            """)
    }

    static func delete(_ port: PortID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM router_extra_gateways WHERE port_id = \(port)")
    }
}
