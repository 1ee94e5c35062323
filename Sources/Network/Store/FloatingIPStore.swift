// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `floatingips`.
enum FloatingIPStore {
    static let schema = ListSchema(
        from: "FROM floatingips f LEFT JOIN ports p ON p.id = f.port_id", id: "f.id", tags: "f.tags",
        [
            ListAttribute("id", "f.id"), ListAttribute("project_id", "f.project_id"),
            ListAttribute("tenant_id", "f.project_id"), ListAttribute("description", "f.description"),
            ListAttribute("floating_network_id", "f.network_id"), ListAttribute("floating_ip_address", "f.address"),
            ListAttribute("fixed_ip_address", "f.fixed_address", isNullable: true),
            ListAttribute("router_id", "f.router_id", isNullable: true),
            ListAttribute("port_id", "f.port_id", isNullable: true),
            ListAttribute("subnet_id", "f.subnet_id", isSortKey: false),
            ListAttribute("qos_policy_id", "f.qos_policy", isNullable: true), ListAttribute("dns_name", "f.dns_name"),
            ListAttribute("dns_domain", "f.dns_domain"),
            ListAttribute("revision_number", "f.revision", .integer),
            ListAttribute("created_at", "f.created_at", .time),
            ListAttribute("updated_at", "f.updated_at", .time),
            ListAttribute("status", "CASE WHEN f.router_id IS NULL THEN 'DOWN' ELSE 'ACTIVE' END"),
        ])

    private static let columns: SQL = """
        f.id, f.project_id, f.network_id, f.reserved_port, f.subnet_id, f.address, f.router_id, f.port_id, \
        f.fixed_address, f.dns_name, f.dns_domain, p.id, p.name, p.network_id, p.mac, p.is_enabled, p.status, \
        p.device_id, p.device_owner, f.description, f.tags, f.revision, f.created_at, f.updated_at, \
        f.qos_policy
        """

    private static func floatingIP(_ row: any Row) throws -> FloatingIP {
        func place(_ column: StaticString) -> StoredPlace { StoredPlace("floatingips", row.text(0), column) }
        let details: FloatingIP.PortDetails? =
            row.isNull(11)
            ? nil
            : FloatingIP.PortDetails(
                name: row.text(12), network: row.id(13), mac: row.text(14), isEnabled: row.bool(15),
                status: row.text(16), deviceID: row.text(17), deviceOwner: row.text(18))
        return FloatingIP(
            id: row.id(0), project: row.id(1), network: row.id(2), reservedPort: row.id(3), subnet: row.id(4),
            address: try place("address").address(row.text(5)), router: row.idOrNil(6), port: row.idOrNil(7),
            fixedAddress: try row.textOrNil(8).map { try place("fixed_address").address($0) },
            dnsName: row.text(9), dnsDomain: row.text(10), details: details, standard: row.standard(19),
            qosPolicy: row.idOrNil(24))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [FloatingIP] {
        try schema.list(
            query, columns: columns, where: Visibility([viewer.owns("f.project_id")]), transaction,
            missing: { NetworkFault.floatingIPNotFound(FloatingIPID($0)) }, floatingIP)
    }

    static func find(_ id: FloatingIPID, _ transaction: any Transaction) throws -> FloatingIP? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE f.id = \(id)", floatingIP)
    }

    static func all(where condition: SQL, _ transaction: any Transaction) throws -> [FloatingIP] {
        try transaction.query(
            "SELECT \(columns) \(schema.from) WHERE \(condition) ORDER BY f.created_at, f.id", floatingIP)
    }

    static func insert(_ floatingIP: FloatingIP, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO floatingips (id, project_id, description, network_id, reserved_port, subnet_id,
                address, router_id,
                port_id, fixed_address, dns_name, dns_domain, tags, revision, created_at, updated_at, qos_policy)
            VALUES (\(floatingIP.id), \(floatingIP.project), \(floatingIP.standard.description), \(floatingIP.network),
                \(floatingIP.reservedPort), \(floatingIP.subnet), \(floatingIP.address.description),
                \(floatingIP.router), \(floatingIP.port), \(floatingIP.fixedAddress?.description),
                \(floatingIP.dnsName), \(floatingIP.dnsDomain), \(floatingIP.standard.tags),
                \(floatingIP.standard.revision), \(floatingIP.standard.createdAt), \(floatingIP.standard.updatedAt),
                \(floatingIP.qosPolicy))
            """)
    }

    static func update(_ floatingIP: FloatingIP, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE floatingips
               SET description = \(floatingIP.standard.description), router_id = \(floatingIP.router),
                   port_id = \(floatingIP.port), fixed_address = \(floatingIP.fixedAddress?.description),
                   tags = \(floatingIP.standard.tags), revision = \(floatingIP.standard.revision),
                   updated_at = \(floatingIP.standard.updatedAt), qos_policy = \(floatingIP.qosPolicy)
             WHERE id = \(floatingIP.id)
            """)
    }

    static func delete(_ id: FloatingIPID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM floatingips WHERE id = \(id)")
    }
}
