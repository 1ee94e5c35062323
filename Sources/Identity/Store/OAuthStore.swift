// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Consumers, request tokens and access tokens of OAuth 1.0.
struct OAuthStore: Sendable {
    private static let consumerColumns: SQL = "id, description, extras"
    private static let accessColumns: SQL = "id, consumer_id, project_id, user_id, expires_at"

    // MARK: Consumers

    func consumer(_ id: ConsumerID, _ tx: any Transaction) throws -> Consumer? {
        try tx.first("SELECT \(Self.consumerColumns) FROM identity_oauth_consumers WHERE id = \(id)", Self.consumer)
    }

    func consumers(_ tx: any Transaction) throws -> [Consumer] {
        try tx.query("SELECT \(Self.consumerColumns) FROM identity_oauth_consumers ORDER BY id", Self.consumer)
    }

    func secret(of id: ConsumerID, _ tx: any Transaction) throws -> Secret? {
        try tx.first("SELECT secret FROM identity_oauth_consumers WHERE id = \(id)") { Secret($0.text(0)) }
    }

    func insert(_ consumer: Consumer, secret: Secret, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_oauth_consumers (\(Self.consumerColumns), secret)
            VALUES (\(consumer.id), \(consumer.description), \(consumer.extras.text), \(secret.reveal()))
            """)
    }

    func update(_ consumer: Consumer, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_oauth_consumers
               SET description = \(consumer.description), extras = \(consumer.extras.text)
             WHERE id = \(consumer.id)
            """)
    }

    /// With all that it was given.
    func delete(_ id: ConsumerID, _ tx: any Transaction) throws {
        try deleteTokens("consumer_id = \(id)", tx)
        try tx.execute("DELETE FROM identity_oauth_consumers WHERE id = \(id)")
    }

    // MARK: Request tokens

    func request(_ id: RequestTokenID, _ tx: any Transaction) throws -> RequestToken? {
        try tx.first(
            """
            SELECT id, secret, consumer_id, project_id, expires_at, verifier, user_id
              FROM identity_oauth_requests WHERE id = \(id)
            """
        ) { row in
            RequestToken(
                id: row.id(0), secret: Secret(row.text(1)), consumerID: row.id(2), projectID: row.id(3),
                expiresAt: row.timestampOrNil(4), verifier: row.textOrNil(5).map { Secret($0) }, userID: row.idOrNil(6))
        }
    }

    func insert(_ request: RequestToken, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_oauth_requests (id, secret, consumer_id, project_id, expires_at)
            VALUES (\(request.id), \(request.secret.reveal()), \(request.consumerID), \(request.projectID),
                \(request.expiresAt))
            """)
    }

    func requestCount(of id: ConsumerID, _ tx: any Transaction) throws -> Int {
        try tx.count("SELECT COUNT(*) FROM identity_oauth_requests WHERE consumer_id = \(id)")
    }

    func authorize(
        _ id: RequestTokenID, by user: UserID, verifier: Secret, roles: [RoleID], granted: [RoleID],
        _ tx: any Transaction
    ) throws {
        try tx.execute(
            """
            UPDATE identity_oauth_requests SET user_id = \(user), verifier = \(verifier.reveal()) WHERE id = \(id)
            """)
        try tx.execute("DELETE FROM identity_oauth_roles WHERE token_id = \(id)")
        try setRoles(of: id.rawValue, roles, granted, tx)
    }

    /// The roles that were named when it was authorized, and those with what they implied then.
    func roles(of id: RequestTokenID, _ tx: any Transaction) throws -> (named: [RoleID], granted: [RoleID]) {
        try roles(ofToken: id.rawValue, tx)
    }

    func delete(_ id: RequestTokenID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_oauth_roles WHERE token_id = \(id)")
        try tx.execute("DELETE FROM identity_oauth_requests WHERE id = \(id)")
    }

    func deleteExpired(before time: Timestamp, _ tx: any Transaction) throws {
        try deleteTokens("expires_at < \(time)", tx)
    }

    func hasExpired(before time: Timestamp, _ tx: any Transaction) throws -> Bool {
        let requests = try tx.exists("SELECT 1 FROM identity_oauth_requests WHERE expires_at < \(time)")
        return try requests || tx.exists("SELECT 1 FROM identity_oauth_access_tokens WHERE expires_at < \(time)")
    }

    // MARK: Access tokens

    func accessToken(_ id: AccessTokenID, _ tx: any Transaction) throws -> AccessToken? {
        try tx.first("SELECT \(Self.accessColumns) FROM identity_oauth_access_tokens WHERE id = \(id)", Self.access)
            .map { try complete($0, tx) }
    }

    func accessTokens(of user: UserID, _ tx: any Transaction) throws -> [AccessToken] {
        try tx.query(
            "SELECT \(Self.accessColumns) FROM identity_oauth_access_tokens WHERE user_id = \(user) ORDER BY id",
            Self.access
        ).map { try complete($0, tx) }
    }

    func secret(of id: AccessTokenID, _ tx: any Transaction) throws -> Secret? {
        try tx.first("SELECT secret FROM identity_oauth_access_tokens WHERE id = \(id)") { Secret($0.text(0)) }
    }

    func insert(_ token: AccessToken, secret: Secret, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_oauth_access_tokens (\(Self.accessColumns), secret)
            VALUES (\(token.id), \(token.consumerID), \(token.projectID), \(token.userID), \(token.expiresAt),
                \(secret.reveal()))
            """)
        try setRoles(of: token.id.rawValue, token.roleIDs, token.grantedRoleIDs, tx)
    }

    func delete(_ id: AccessTokenID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_oauth_roles WHERE token_id = \(id)")
        try tx.execute("DELETE FROM identity_oauth_access_tokens WHERE id = \(id)")
    }

    func deleteAll(of user: UserID, _ tx: any Transaction) throws { try deleteTokens("user_id = \(user)", tx) }

    func deleteAll(on project: ProjectID, _ tx: any Transaction) throws {
        try deleteTokens("project_id = \(project)", tx)
    }

    // MARK: Parts

    /// Both kinds have the columns that a condition here is about.
    private func deleteTokens(_ condition: SQL, _ tx: any Transaction) throws {
        for table in ["identity_oauth_requests", "identity_oauth_access_tokens"] as [StaticString] {
            try tx.execute(
                """
                DELETE FROM identity_oauth_roles
                 WHERE token_id IN (SELECT id FROM \(name: table) WHERE \(condition))
                """)
            try tx.execute("DELETE FROM \(name: table) WHERE \(condition)")
        }
    }

    private func setRoles(of id: String, _ named: [RoleID], _ granted: [RoleID], _ tx: any Transaction) throws {
        let named = Set(named)
        for role in granted {
            try tx.execute(
                """
                INSERT INTO identity_oauth_roles (token_id, role_id, implied)
                VALUES (\(id), \(role), \(!named.contains(role)))
                """)
        }
    }

    private func roles(ofToken id: String, _ tx: any Transaction) throws -> (named: [RoleID], granted: [RoleID]) {
        var roles: (named: [RoleID], granted: [RoleID]) = ([], [])
        try tx.forEach("SELECT role_id, implied FROM identity_oauth_roles WHERE token_id = \(id) ORDER BY role_id") {
            row in
            roles.granted.append(row.id(0))
            if !row.bool(1) { roles.named.append(row.id(0)) }
        }
        return roles
    }

    private func complete(_ token: AccessToken, _ tx: any Transaction) throws -> AccessToken {
        var token = token
        (token.roleIDs, token.grantedRoleIDs) = try roles(ofToken: token.id.rawValue, tx)
        return token
    }

    private static func consumer(_ row: any Row) throws -> Consumer {
        Consumer(id: row.id(0), description: row.textOrNil(1), extras: try Extras(column: row.text(2)))
    }

    private static func access(_ row: any Row) throws -> AccessToken {
        AccessToken(
            id: row.id(0), consumerID: row.id(1), projectID: row.id(2), userID: row.id(3),
            expiresAt: row.timestampOrNil(4), roleIDs: [], grantedRoleIDs: [])
    }
}
