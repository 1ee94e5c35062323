// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `router_excluded_chassis`.
enum GatewayHostStore {
    static func excluded(of router: RouterID, _ transaction: any Transaction) throws -> Set<String> {
        Set(
            try transaction.query("SELECT chassis FROM router_excluded_chassis WHERE router_id = \(router)") {
                $0.text(0)
            })
    }

    /// Routers that are kept from the host.
    static func excluding(_ chassis: String, _ transaction: any Transaction) throws -> Set<RouterID> {
        Set(
            try transaction.query("SELECT router_id FROM router_excluded_chassis WHERE chassis = \(chassis)") {
                $0.id(0)
            })
    }

    static func exclude(_ chassis: String, of router: RouterID, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO router_excluded_chassis (router_id, chassis) VALUES (\(router), \(chassis))
            ON CONFLICT (router_id, chassis) DO NOTHING
            """)
    }

    /// False: it was not excluded.
    static func admit(_ chassis: String, of router: RouterID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute(
            "DELETE FROM router_excluded_chassis WHERE router_id = \(router) AND chassis = \(chassis)") == 1
    }

    static func deleteAll(of router: RouterID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM router_excluded_chassis WHERE router_id = \(router)")
    }
}
