// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct ApplicationCredentialStore: Sendable {
    private static let columns: SQL =
        "id, user_id, project_id, name, description, expires_at, unrestricted"

    func find(_ id: ApplicationCredentialID, _ tx: any Transaction) throws -> ApplicationCredential? {
        let found = try tx.first(
            "SELECT \(Self.columns) FROM identity_application_credentials WHERE id = \(id)", Self.credential)
        return try found.map { try complete($0, tx) }
    }

    func find(named name: String, of user: UserID, _ tx: any Transaction) throws -> ApplicationCredential? {
        let found = try tx.first(
            """
            SELECT \(Self.columns) FROM identity_application_credentials
             WHERE user_id = \(user) AND name = \(name)
            """, Self.credential)
        return try found.map { try complete($0, tx) }
    }

    func list(of user: UserID, name: String?, _ tx: any Transaction) throws -> [ApplicationCredential] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_application_credentials WHERE user_id = \(user)"
        if let name { sql += "AND name = \(name)" }
        return try tx.query(sql + "ORDER BY name, id", Self.credential).map { try complete($0, tx) }
    }

    func count(of user: UserID, _ tx: any Transaction) throws -> Int {
        try tx.count("SELECT COUNT(*) FROM identity_application_credentials WHERE user_id = \(user)")
    }

    func secretHash(of id: ApplicationCredentialID, _ tx: any Transaction) throws -> String? {
        try tx.first("SELECT secret_hash FROM identity_application_credentials WHERE id = \(id)") { $0.text(0) }
    }

    func insert(_ credential: ApplicationCredential, secretHash: String, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_application_credentials (\(Self.columns), secret_hash)
            VALUES (\(credential.id), \(credential.userID), \(credential.projectID), \(credential.name),
                \(credential.description), \(credential.expiresAt), \(credential.isUnrestricted), \(secretHash))
            """)
        for role in credential.roleIDs {
            try tx.execute(
                """
                INSERT INTO identity_application_credential_roles (application_credential_id, role_id)
                VALUES (\(credential.id), \(role))
                """)
        }
        for rule in credential.accessRules {
            try tx.execute(
                """
                INSERT INTO identity_application_credential_rules (application_credential_id, access_rule_id)
                VALUES (\(credential.id), \(rule.id))
                """)
        }
    }

    func delete(_ id: ApplicationCredentialID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_application_credential_roles WHERE application_credential_id = \(id)")
        try tx.execute("DELETE FROM identity_application_credential_rules WHERE application_credential_id = \(id)")
        try tx.execute("DELETE FROM identity_application_credentials WHERE id = \(id)")
    }

    func deleteAll(of user: UserID, _ tx: any Transaction) throws {
        for credential in try list(of: user, name: nil, tx) { try delete(credential.id, tx) }
        try tx.execute("DELETE FROM identity_access_rules WHERE user_id = \(user)")
    }

    func deleteAll(on project: ProjectID, _ tx: any Transaction) throws {
        let ids: [ApplicationCredentialID] = try tx.query(
            "SELECT id FROM identity_application_credentials WHERE project_id = \(project)"
        ) { $0.id(0) }
        for id in ids { try delete(id, tx) }
    }

    // MARK: Access rules

    func accessRule(_ id: AccessRuleID, of user: UserID, _ tx: any Transaction) throws -> StoredAccessRule? {
        try tx.first(
            """
            SELECT id, service, method, path FROM identity_access_rules WHERE id = \(id) AND user_id = \(user)
            """, Self.rule)
    }

    func accessRules(of user: UserID, _ tx: any Transaction) throws -> [StoredAccessRule] {
        try tx.query(
            """
            SELECT id, service, method, path FROM identity_access_rules WHERE user_id = \(user)
             ORDER BY service, path, method
            """, Self.rule)
    }

    /// The user's rule of that content, made when there is none: a rule is one row, however many credentials use it.
    func ensureAccessRule(_ rule: AccessRule, of user: UserID, newID: AccessRuleID, _ tx: any Transaction) throws
        -> StoredAccessRule
    {
        if let found = try accessRules(of: user, tx).first(where: { $0.rule == rule }) { return found }
        try tx.execute(
            """
            INSERT INTO identity_access_rules (id, user_id, service, method, path)
            VALUES (\(newID), \(user), \(rule.service), \(rule.method), \(rule.path))
            """)
        return StoredAccessRule(id: newID, rule: rule)
    }

    func isUsed(_ id: AccessRuleID, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_application_credential_rules WHERE access_rule_id = \(id)")
    }

    func deleteAccessRule(_ id: AccessRuleID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_access_rules WHERE id = \(id)")
    }

    // MARK: Rows

    private func complete(_ credential: ApplicationCredential, _ tx: any Transaction) throws -> ApplicationCredential {
        var credential = credential
        credential.roleIDs = try tx.query(
            """
            SELECT role_id FROM identity_application_credential_roles
             WHERE application_credential_id = \(credential.id) ORDER BY role_id
            """
        ) { $0.id(0) }
        credential.accessRules = try tx.query(
            """
            SELECT r.id, r.service, r.method, r.path FROM identity_access_rules r
              JOIN identity_application_credential_rules u ON u.access_rule_id = r.id
             WHERE u.application_credential_id = \(credential.id) ORDER BY r.service, r.path, r.method
            """, Self.rule)
        return credential
    }

    private static func credential(_ row: any Row) throws -> ApplicationCredential {
        ApplicationCredential(
            id: row.id(0), userID: row.id(1), projectID: row.id(2), name: row.text(3), description: row.textOrNil(4),
            expiresAt: row.timestampOrNil(5), isUnrestricted: row.bool(6), roleIDs: [], accessRules: [])
    }

    private static func rule(_ row: any Row) throws -> StoredAccessRule {
        StoredAccessRule(
            id: row.id(0), rule: AccessRule(service: row.text(1), method: row.text(2), path: row.text(3)))
    }
}
