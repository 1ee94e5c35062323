// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct UserStore: Sendable {
    struct Filter: Sendable {
        var domainID: DomainID?
        var name: String?
        var isEnabled: Bool?
    }

    private static let columns: SQL =
        "id, domain_id, name, enabled, description, default_project_id, options, extras, created_at"

    func find(_ id: UserID, _ tx: any Transaction) throws -> User? {
        try tx.first("SELECT \(Self.columns) FROM identity_users WHERE id = \(id)", Self.user)
    }

    func find(named name: String, in domain: DomainID, _ tx: any Transaction) throws -> User? {
        try tx.first(
            "SELECT \(Self.columns) FROM identity_users WHERE domain_id = \(domain) AND name_key = \(name.nameKey)",
            Self.user)
    }

    func list(_ filter: Filter, _ tx: any Transaction) throws -> [User] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_users WHERE 1 = 1"
        if let domain = filter.domainID { sql += "AND domain_id = \(domain)" }
        if let name = filter.name { sql += "AND name_key = \(name.nameKey)" }
        if let isEnabled = filter.isEnabled { sql += "AND enabled = \(isEnabled)" }
        return try tx.query(sql + "ORDER BY name_key, id", Self.user)
    }

    func members(of group: GroupID, _ tx: any Transaction) throws -> [User] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM identity_users
             WHERE id IN (SELECT user_id FROM identity_group_members WHERE group_id = \(group))
             ORDER BY name_key, id
            """, Self.user)
    }

    func password(of id: UserID, _ tx: any Transaction) throws -> StoredPassword? {
        try tx.first("SELECT password_hash, tokens_valid_from FROM identity_users WHERE id = \(id)") { row in
            StoredPassword(hash: row.textOrNil(0), tokensValidFrom: row.timestamp(1))
        }
    }

    func insert(_ user: User, passwordHash: String?, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_users (id, domain_id, name, name_key, enabled, description, default_project_id,
                options, extras, created_at, password_hash, tokens_valid_from)
            VALUES (\(user.id), \(user.domainID), \(user.name), \(user.name.nameKey), \(user.isEnabled),
                \(user.description), \(user.defaultProjectID), \(user.options.text), \(user.extras.text),
                \(user.createdAt), \(passwordHash), 0)
            """)
    }

    func update(_ user: User, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_users
               SET name = \(user.name), name_key = \(user.name.nameKey), enabled = \(user.isEnabled),
                   description = \(user.description), default_project_id = \(user.defaultProjectID),
                   options = \(user.options.text), extras = \(user.extras.text)
             WHERE id = \(user.id)
            """)
    }

    func setPasswordHash(_ hash: String?, of id: UserID, _ tx: any Transaction) throws {
        try tx.execute("UPDATE identity_users SET password_hash = \(hash) WHERE id = \(id)")
    }

    /// Voids every token of the user that was issued before `time`.
    func revokeTokens(of id: UserID, before time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("UPDATE identity_users SET tokens_valid_from = \(time) WHERE id = \(id)")
    }

    func delete(_ id: UserID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_group_members WHERE user_id = \(id)")
        try tx.execute("DELETE FROM identity_users WHERE id = \(id)")
    }

    func forgetDefaultProject(_ id: ProjectID, _ tx: any Transaction) throws {
        try tx.execute("UPDATE identity_users SET default_project_id = NULL WHERE default_project_id = \(id)")
    }

    private static func user(_ row: any Row) throws -> User {
        User(
            id: row.id(0), domainID: row.id(1), name: row.text(2), isEnabled: row.bool(3),
            description: row.textOrNil(4), defaultProjectID: row.idOrNil(5),
            options: try ResourceOptions(column: row.text(6)), extras: try Extras(column: row.text(7)),
            createdAt: row.timestamp(8))
    }
}
