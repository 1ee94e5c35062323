// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

struct RoleStore: Sendable {
    private static let columns: SQL = "id, domain_id, name, description, options, extras"

    func find(_ id: RoleID, _ tx: any Transaction) throws -> Role? {
        try tx.first("SELECT \(Self.columns) FROM identity_roles WHERE id = \(id)", Self.role)
    }

    /// With nil for `domain`: a role of the whole cloud.
    func find(named name: String, in domain: DomainID?, _ tx: any Transaction) throws -> Role? {
        try tx.first(
            """
            SELECT \(Self.columns) FROM identity_roles
             WHERE domain_id = \(domain?.rawValue ?? "") AND name_key = \(name.nameKey)
            """, Self.role)
    }

    /// The roles of one domain; with nil those of the whole cloud.
    func list(domain: DomainID?, name: String?, _ tx: any Transaction) throws -> [Role] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_roles WHERE domain_id = \(domain?.rawValue ?? "")"
        if let name { sql += "AND name_key = \(name.nameKey)" }
        return try tx.query(sql + "ORDER BY name_key, id", Self.role)
    }

    /// Every role, of the cloud and of domains.
    func all(_ tx: any Transaction) throws -> [RoleID: Role] {
        var roles: [RoleID: Role] = [:]
        try tx.forEach("SELECT \(Self.columns) FROM identity_roles") { row in
            let role = try Self.role(row)
            roles[role.id] = role
        }
        return roles
    }

    func insert(_ role: Role, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_roles (id, domain_id, name, name_key, description, options, extras)
            VALUES (\(role.id), \(role.domainID?.rawValue ?? ""), \(role.name), \(role.name.nameKey),
                \(role.description), \(role.options.text), \(role.extras.text))
            """)
    }

    func update(_ role: Role, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_roles
               SET name = \(role.name), name_key = \(role.name.nameKey), description = \(role.description),
                   options = \(role.options.text), extras = \(role.extras.text)
             WHERE id = \(role.id)
            """)
    }

    func delete(_ id: RoleID, _ tx: any Transaction) throws {
        try tx.execute(
            "DELETE FROM identity_role_implications WHERE prior_role_id = \(id) OR implied_role_id = \(id)")
        try tx.execute("DELETE FROM identity_application_credential_roles WHERE role_id = \(id)")
        try tx.execute("DELETE FROM identity_trust_roles WHERE role_id = \(id)")
        try tx.execute("DELETE FROM identity_oauth_roles WHERE role_id = \(id)")
        try tx.execute("DELETE FROM identity_assignments WHERE role_id = \(id)")
        try tx.execute("DELETE FROM identity_roles WHERE id = \(id)")
    }

    // MARK: Implications

    func graph(_ tx: any Transaction) throws -> RoleGraph { RoleGraph(try implications(tx)) }

    func implications(_ tx: any Transaction) throws -> [(prior: RoleID, implied: RoleID)] {
        try tx.query(
            """
            SELECT prior_role_id, implied_role_id FROM identity_role_implications
             ORDER BY prior_role_id, implied_role_id
            """
        ) { (prior: $0.id(0), implied: $0.id(1)) }
    }

    func addImplication(_ prior: RoleID, _ implied: RoleID, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_role_implications (prior_role_id, implied_role_id) VALUES (\(prior), \(implied))
            ON CONFLICT (prior_role_id, implied_role_id) DO NOTHING
            """)
    }

    /// False: there was none.
    func removeImplication(_ prior: RoleID, _ implied: RoleID, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            DELETE FROM identity_role_implications
             WHERE prior_role_id = \(prior) AND implied_role_id = \(implied)
            """) == 1
    }

    private static func role(_ row: any Row) throws -> Role {
        let domain = row.text(1)
        return Role(
            id: row.id(0), domainID: domain.isEmpty ? nil : DomainID(domain), name: row.text(2),
            description: row.textOrNil(3), options: try ResourceOptions(column: row.text(4)),
            extras: try Extras(column: row.text(5)))
    }
}
