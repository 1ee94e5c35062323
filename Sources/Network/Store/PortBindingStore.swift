// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `port_bindings`: those that are not active. The active one is in the port's own row.
enum PortBindingStore {
    static func inactive(of port: PortID, _ transaction: any Transaction) throws -> [PortBinding] {
        try transaction.query(
            "SELECT port_id, host, vnic_type, profile FROM port_bindings WHERE port_id = \(port) ORDER BY host"
        ) { row in
            PortBinding(
                port: row.id(0), host: row.text(1), vnicType: row.text(2), profile: row.text(3), isActive: false)
        }
    }

    static func save(_ binding: PortBinding, _ transaction: any Transaction) throws {
        precondition(!binding.isActive, "the active binding is the port's own")
        try transaction.execute(
            """
            INSERT INTO port_bindings (port_id, host, vnic_type, profile)
            VALUES (\(binding.port), \(binding.host), \(binding.vnicType), \(binding.profile))
            ON CONFLICT (port_id, host) DO UPDATE
               SET vnic_type = excluded.vnic_type, profile = excluded.profile
            """)
    }

    static func delete(_ port: PortID, on host: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM port_bindings WHERE port_id = \(port) AND host = \(host)")
    }

    static func deleteAll(of port: PortID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM port_bindings WHERE port_id = \(port)")
    }
}
