// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// SQL of `identity_credentials`. Blobs are sealed there and plain outside; static is what needs none.
struct CredentialStore: Sendable {
    private static let columns: SQL =
        "id, user_id, project_id, type, blob, extras, application_credential_id, role_ids, is_sealed"

    let keyring: CredentialKeyring

    func find(_ id: CredentialID, _ tx: any Transaction) throws -> Credential? {
        try tx.first("SELECT \(Self.columns) FROM identity_credentials WHERE id = \(id)", credential)
    }

    /// Whose it is and what it may do, without what it holds.
    static func holder(of id: CredentialID, _ tx: any Transaction) throws -> CredentialHolder? {
        try tx.first(
            """
            SELECT user_id, project_id, type, application_credential_id, role_ids FROM identity_credentials
             WHERE id = \(id)
            """
        ) { row in
            CredentialHolder(
                userID: row.id(0), projectID: row.idOrNil(1), type: row.text(2),
                bounds: try CredentialBounds(applicationCredentialID: row.idOrNil(3), column: row.textOrNil(4)))
        }
    }

    func list(user: UserID?, type: String?, _ tx: any Transaction) throws -> [Credential] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_credentials WHERE 1 = 1"
        if let user { sql += "AND user_id = \(user)" }
        if let type { sql += "AND type = \(type)" }
        return try tx.query(sql + "ORDER BY id", credential)
    }

    func list(
        user: UserID?, type: String?, _ range: ListRange, _ tx: any Transaction, isWanted: (Credential) -> Bool
    ) throws -> ListPart<Credential> {
        var conditions: SQL = "1 = 1"
        if let user { conditions += "AND user_id = \(user)" }
        if let type { conditions += "AND type = \(type)" }
        return try range.read(
            Self.columns, from: "identity_credentials", where: conditions, hasNames: false, tx, isWanted: isWanted,
            credential)
    }

    func count(of user: UserID, _ tx: any Transaction) throws -> Int {
        try tx.count("SELECT COUNT(*) FROM identity_credentials WHERE user_id = \(user)")
    }

    func insert(_ credential: Credential, _ tx: any Transaction) throws {
        let sealed = try keyring.seal(credential.blob)
        try tx.execute(
            """
            INSERT INTO identity_credentials (\(Self.columns))
            VALUES (\(credential.id), \(credential.userID), \(credential.projectID), \(credential.type),
                \(sealed), \(credential.extras.text),
                \(credential.bounds.applicationCredentialID), \(credential.bounds.text), \(true))
            """)
    }

    func update(_ credential: Credential, _ tx: any Transaction) throws {
        let sealed = try keyring.seal(credential.blob)
        try tx.execute(
            """
            UPDATE identity_credentials
               SET user_id = \(credential.userID), project_id = \(credential.projectID), type = \(credential.type),
                   blob = \(sealed), is_sealed = 1, extras = \(credential.extras.text),
                   application_credential_id = \(credential.bounds.applicationCredentialID),
                   role_ids = \(credential.bounds.text)
             WHERE id = \(credential.id)
            """)
    }

    func delete(_ id: CredentialID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_credentials WHERE id = \(id)")
    }

    static func deleteAll(of user: UserID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_credentials WHERE user_id = \(user)")
    }

    static func deleteAll(on project: ProjectID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_credentials WHERE project_id = \(project)")
    }

    // MARK: Rows of before blobs were sealed

    static func hasPlain(_ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_credentials WHERE is_sealed = 0")
    }

    /// Seals `limit` of them at most.
    func sealPlain(limit: Int, _ tx: any Transaction) throws {
        let plain = try tx.query(
            "SELECT id, blob FROM identity_credentials WHERE is_sealed = 0 LIMIT \(limit)"
        ) { row -> (CredentialID, String) in (row.id(0), row.text(1)) }
        for (id, blob) in plain {
            let sealed = try keyring.seal(blob)
            try tx.execute("UPDATE identity_credentials SET blob = \(sealed), is_sealed = 1 WHERE id = \(id)")
        }
    }

    private func credential(_ row: any Row) throws -> Credential {
        Credential(
            id: row.id(0), userID: row.id(1), projectID: row.idOrNil(2), type: row.text(3),
            blob: row.bool(8) ? try keyring.open(row.text(4)) : row.text(4),
            extras: try Extras(column: row.text(5)),
            bounds: try CredentialBounds(applicationCredentialID: row.idOrNil(6), column: row.textOrNil(7)))
    }
}
