// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `address_groups`.
enum AddressGroupStore {
    static let schema = ListSchema(
        from: "FROM address_groups a", id: "a.id", tags: nil,
        [
            ListAttribute("id", "a.id"), ListAttribute("name", "a.name"), ListAttribute("project_id", "a.project_id"),
            ListAttribute("tenant_id", "a.project_id"), ListAttribute("description", "a.description"),
            ListAttribute("revision_number", "a.revision", .integer),
            ListAttribute("created_at", "a.created_at", .time), ListAttribute("updated_at", "a.updated_at", .time),
        ])

    private static func columns(_ project: ProjectID?) -> SQL {
        """
        a.id, a.project_id, a.name, a.addresses, \(Viewer.isShared("a.id", with: project)), a.description, '[]', \
        a.revision, a.created_at, a.updated_at
        """
    }

    private static func group(_ row: any Row) throws -> AddressGroup {
        AddressGroup(
            id: row.id(0), project: row.id(1), name: row.text(2),
            addresses: try JSONList.decode(row.text(3), at: StoredPlace("address_groups", row.text(0), "addresses")) {
                $0.string.flatMap { CIDR($0) }
            },
            isShared: row.bool(4), standard: row.standard(5))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [AddressGroup] {
        let visible = viewer.ownsOrGranted("a.project_id", "a.id", "address_group")
        return try schema.list(
            query, columns: columns(viewer.project), where: visible, transaction,
            missing: { NetworkFault.addressGroupNotFound(AddressGroupID($0)) }, group)
    }

    static func find(_ id: AddressGroupID, for project: ProjectID?, _ transaction: any Transaction) throws
        -> AddressGroup?
    {
        try transaction.first("SELECT \(columns(project)) \(schema.from) WHERE a.id = \(id)", group)
    }

    static func all(_ transaction: any Transaction) throws -> [AddressGroupID] {
        try transaction.query("SELECT id FROM address_groups") { $0.id(0) }
    }

    static func insert(_ group: AddressGroup, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO address_groups (id, project_id, name, description, addresses, revision, created_at, updated_at)
            VALUES (\(group.id), \(group.project), \(group.name), \(group.standard.description),
                \(JSONList.encode(group.addresses.map(\.description))), \(group.standard.revision),
                \(group.standard.createdAt), \(group.standard.updatedAt))
            """)
    }

    static func update(_ group: AddressGroup, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE address_groups
               SET name = \(group.name), description = \(group.standard.description),
                   addresses = \(JSONList.encode(group.addresses.map(\.description))),
                   revision = \(group.standard.revision), updated_at = \(group.standard.updatedAt)
             WHERE id = \(group.id)
            """)
    }

    static func delete(_ id: AddressGroupID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_rbac WHERE object_id = \(id)")
        try transaction.execute("DELETE FROM address_groups WHERE id = \(id)")
    }

    /// Whether a rule, or a default rule, names the group.
    static func isInUse(_ id: AddressGroupID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM security_group_rules WHERE remote_address_group = \(id) LIMIT 1")
            || transaction.exists(
                "SELECT 1 FROM default_security_group_rules WHERE remote_address_group = \(id) LIMIT 1")
    }
}
