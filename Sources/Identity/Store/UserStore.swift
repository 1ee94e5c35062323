// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct UserStore: Sendable {
    private static let columns: SQL =
        """
        id, domain_id, name, enabled, description, default_project_id, options, extras, created_at,
        password_expires_at, directory_id
        """

    func find(_ id: UserID, _ tx: any Transaction) throws -> User? {
        try tx.first("SELECT \(Self.columns) FROM identity_users WHERE id = \(id)", Self.user)
    }

    func find(named name: String, in domain: DomainID, _ tx: any Transaction) throws -> User? {
        try tx.first(
            "SELECT \(Self.columns) FROM identity_users WHERE domain_id = \(domain) AND name_key = \(name.nameKey)",
            Self.user)
    }

    func list(_ filter: UserFilter, _ tx: any Transaction) throws -> [User] {
        try tx.query(
            "SELECT \(Self.columns) FROM identity_users WHERE \(Self.conditions(filter)) ORDER BY name_key, id",
            Self.user)
    }

    func users(_ ids: [UserID], _ tx: any Transaction) throws -> [User] {
        try ids.slices().flatMap { slice in
            try tx.query("SELECT \(Self.columns) FROM identity_users WHERE id IN \(list: slice)", Self.user)
        }
    }

    func list(_ filter: UserFilter, _ range: ListRange, _ tx: any Transaction, isWanted: (User) -> Bool) throws
        -> ListPart<User>
    {
        try range.read(
            Self.columns, from: "identity_users", where: Self.conditions(filter), tx, isWanted: isWanted, Self.user)
    }

    private static func conditions(_ filter: UserFilter) -> SQL {
        var sql: SQL = "1 = 1"
        if let domain = filter.domainID { sql += "AND domain_id = \(domain)" }
        if let name = filter.name { sql += "AND name_key = \(name.nameKey)" }
        if let isEnabled = filter.isEnabled { sql += "AND enabled = \(isEnabled)" }
        guard filter.providerID != nil || filter.protocolID != nil || filter.uniqueID != nil else { return sql }
        sql += "AND id IN (SELECT user_id FROM identity_federated_users WHERE 1 = 1"
        if let provider = filter.providerID { sql += "AND provider_id = \(provider)" }
        if let id = filter.protocolID { sql += "AND protocol_id = \(id)" }
        if let id = filter.uniqueID { sql += "AND unique_id = \(id)" }
        return sql + ")"
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
        try tx.first(
            """
            SELECT password_hash, tokens_valid_from, password_created_at, password_expires_at, password_self_service,
                   failed_count, failed_at, last_active_at
              FROM identity_users WHERE id = \(id)
            """
        ) { row in
            StoredPassword(
                hash: row.textOrNil(0), tokensValidFrom: row.timestamp(1), createdAt: row.timestampOrNil(2),
                expiresAt: row.timestampOrNil(3), isSelfService: row.bool(4), failures: row.int(5),
                failedAt: row.timestampOrNil(6), lastActiveAt: row.timestampOrNil(7))
        }
    }

    func insert(_ user: User, _ password: NewPassword?, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_users (id, domain_id, name, name_key, enabled, description, default_project_id,
                options, extras, created_at, tokens_valid_from, directory_id)
            VALUES (\(user.id), \(user.domainID), \(user.name), \(user.name.nameKey), \(user.isEnabled),
                \(user.description), \(user.defaultProjectID), \(user.options.text), \(user.extras.text),
                \(user.createdAt), 0, \(user.directoryID))
            """)
        if let password { try setPassword(password, of: user.id, remembering: 1, tx) }
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

    /// With nil the user has none. `count` of the newest stay known, this one among them.
    func setPassword(_ password: NewPassword?, of id: UserID, remembering count: Int, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_users
               SET password_hash = \(password?.hash), password_created_at = \(password?.createdAt),
                   password_expires_at = \(password?.expiresAt),
                   password_self_service = \(password?.isSelfService ?? false)
             WHERE id = \(id)
            """)
        guard let password else { return }
        let serial = try tx.count("SELECT COALESCE(MAX(serial), 0) FROM identity_passwords WHERE user_id = \(id)") + 1
        try tx.execute(
            """
            INSERT INTO identity_passwords (user_id, serial, password_hash)
            VALUES (\(id), \(serial), \(password.hash))
            """)
        try tx.execute("DELETE FROM identity_passwords WHERE user_id = \(id) AND serial <= \(serial - max(count, 1))")
    }

    /// The hashes of the newest `count` passwords, the one in use first.
    func passwordHistory(of id: UserID, _ count: Int, _ tx: any Transaction) throws -> [String] {
        var hashes = try tx.query(
            "SELECT password_hash FROM identity_passwords WHERE user_id = \(id) ORDER BY serial DESC"
        ) { $0.text(0) }
        if let current = try password(of: id, tx)?.hash, hashes.first != current { hashes.insert(current, at: 0) }
        return Array(hashes.prefix(count))
    }

    // MARK: Failures

    func recordFailure(of id: UserID, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute(
            "UPDATE identity_users SET failed_count = failed_count + 1, failed_at = \(time) WHERE id = \(id)")
    }

    func forgetFailures(of id: UserID, _ tx: any Transaction) throws {
        try tx.execute("UPDATE identity_users SET failed_count = 0, failed_at = NULL WHERE id = \(id)")
    }

    // MARK: Activity

    func recordActivity(of id: UserID, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("UPDATE identity_users SET last_active_at = \(time) WHERE id = \(id)")
    }

    /// Enabled users whom nobody signed in as since `time`.
    func unused(since time: Timestamp, _ tx: any Transaction) throws -> [User] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM identity_users
             WHERE last_active_at <= \(time) AND enabled = 1 ORDER BY id
            """, Self.user)
    }

    /// Voids every token of the user that was issued before `time`.
    func revokeTokens(of id: UserID, before time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("UPDATE identity_users SET tokens_valid_from = \(time) WHERE id = \(id)")
    }

    func delete(_ id: UserID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_group_members WHERE user_id = \(id)")
        try tx.execute("DELETE FROM identity_passwords WHERE user_id = \(id)")
        try tx.execute("DELETE FROM identity_federated_users WHERE user_id = \(id)")
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
            createdAt: row.timestamp(8), passwordExpiresAt: row.timestampOrNil(9),
            directoryID: row.textOrNil(10))
    }
}
