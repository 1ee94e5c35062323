// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `port_forwardings`.
enum PortForwardingStore {
    static let schema = ListSchema(
        from: "FROM port_forwardings w", id: "w.id", tags: nil,
        [
            ListAttribute("id", "w.id"), ListAttribute("protocol", "w.protocol"),
            ListAttribute("external_port", "w.external_first", .integer),
            ListAttribute("internal_port", "w.internal_first", .integer),
            ListAttribute("internal_port_id", "w.internal_port"), ListAttribute("description", "w.description"),
            .filter("external_port_range") { values in
                let ranges = values.map { $0.contains(":") ? $0 : "\($0):\($0)" }
                return "(CAST(w.external_first AS TEXT) || ':' || CAST(w.external_last AS TEXT)) IN \(list: ranges)"
            },
        ])

    private static let columns: SQL = """
        w.id, w.floatingip_id, w.protocol, w.external_first, w.external_last, w.internal_first, w.internal_last, \
        w.internal_address, w.internal_port, w.description, w.created_at
        """

    private static func forwarding(_ row: any Row) throws -> PortForwarding {
        func place(_ column: StaticString) -> StoredPlace { StoredPlace("port_forwardings", row.text(0), column) }
        func range(_ first: Int, _ column: StaticString) throws -> ClosedRange<Int> {
            guard row.int(first) <= row.int(first + 1) else {
                throw place(column).unreadable("\(row.int(first)):\(row.int(first + 1))", "range")
            }
            return row.int(first)...row.int(first + 1)
        }
        return PortForwarding(
            id: row.id(0), floatingIP: row.id(1), protocolName: row.text(2),
            external: try range(3, "external_last"), inside: try range(5, "internal_last"),
            internalAddress: try place("internal_address").address(row.text(7)), internalPort: row.id(8),
            description: row.text(9), createdAt: row.timestamp(10))
    }

    static func list(_ query: ListQuery, of floatingIP: FloatingIPID, _ transaction: any Transaction) throws
        -> [PortForwarding]
    {
        try schema.list(
            query, columns: columns, where: "w.floatingip_id = \(floatingIP)", transaction,
            missing: { NetworkFault.portForwardingNotFound(PortForwardingID($0)) }, forwarding)
    }

    static func all(where condition: SQL, _ transaction: any Transaction) throws -> [PortForwarding] {
        try transaction.query(
            "SELECT \(columns) \(schema.from) WHERE \(condition) ORDER BY w.created_at, w.id", forwarding)
    }

    static func find(_ id: PortForwardingID, _ transaction: any Transaction) throws -> PortForwarding? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE w.id = \(id)", forwarding)
    }

    static func all(of floatingIPs: [FloatingIPID], _ transaction: any Transaction) throws
        -> [FloatingIPID: [PortForwarding]]
    {
        var found: [FloatingIPID: [PortForwarding]] = [:]
        for chunk in floatingIPs.slices() {
            for forwarding in try all(where: "w.floatingip_id IN \(list: chunk)", transaction) {
                found[forwarding.floatingIP, default: []].append(forwarding)
            }
        }
        return found
    }

    static func exist(of floatingIP: FloatingIPID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM port_forwardings WHERE floatingip_id = \(floatingIP) LIMIT 1")
    }

    static func insert(_ forwarding: PortForwarding, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO port_forwardings (id, floatingip_id, protocol, external_first, external_last, internal_first,
                internal_last, internal_address, internal_port, description, created_at)
            VALUES (\(forwarding.id), \(forwarding.floatingIP), \(forwarding.protocolName),
                \(forwarding.external.lowerBound), \(forwarding.external.upperBound),
                \(forwarding.inside.lowerBound), \(forwarding.inside.upperBound),
                \(forwarding.internalAddress.description), \(forwarding.internalPort), \(forwarding.description),
                \(forwarding.createdAt))
            """)
    }

    static func update(_ forwarding: PortForwarding, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE port_forwardings
               SET protocol = \(forwarding.protocolName), external_first = \(forwarding.external.lowerBound),
                   external_last = \(forwarding.external.upperBound),
                   internal_first = \(forwarding.inside.lowerBound),
                   internal_last = \(forwarding.inside.upperBound),
                   internal_address = \(forwarding.internalAddress.description),
                   internal_port = \(forwarding.internalPort), description = \(forwarding.description)
             WHERE id = \(forwarding.id)
            """)
    }

    static func delete(_ id: PortForwardingID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM port_forwardings WHERE id = \(id)")
    }
}
