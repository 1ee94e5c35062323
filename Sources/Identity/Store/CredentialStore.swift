// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct CredentialStore: Sendable {
    private static let columns: SQL =
        "id, user_id, project_id, type, blob, extras, application_credential_id, role_ids"

    func find(_ id: CredentialID, _ tx: any Transaction) throws -> Credential? {
        try tx.first("SELECT \(Self.columns) FROM identity_credentials WHERE id = \(id)", Self.credential)
    }

    func list(user: UserID?, type: String?, _ tx: any Transaction) throws -> [Credential] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_credentials WHERE 1 = 1"
        if let user { sql += "AND user_id = \(user)" }
        if let type { sql += "AND type = \(type)" }
        return try tx.query(sql + "ORDER BY id", Self.credential)
    }

    func list(
        user: UserID?, type: String?, _ range: ListRange, _ tx: any Transaction, isWanted: (Credential) -> Bool
    ) throws -> ListPart<Credential> {
        var conditions: SQL = "1 = 1"
        if let user { conditions += "AND user_id = \(user)" }
        if let type { conditions += "AND type = \(type)" }
        return try range.read(
            Self.columns, from: "identity_credentials", where: conditions, hasNames: false, tx, isWanted: isWanted,
            Self.credential)
    }

    func count(of user: UserID, _ tx: any Transaction) throws -> Int {
        try tx.count("SELECT COUNT(*) FROM identity_credentials WHERE user_id = \(user)")
    }

    func insert(_ credential: Credential, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_credentials (\(Self.columns))
            VALUES (\(credential.id), \(credential.userID), \(credential.projectID), \(credential.type),
                \(credential.blob), \(credential.extras.text), \(credential.bounds.applicationCredentialID),
                \(credential.bounds.text))
            """)
    }

    func update(_ credential: Credential, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_credentials
               SET user_id = \(credential.userID), project_id = \(credential.projectID), type = \(credential.type),
                   blob = \(credential.blob), extras = \(credential.extras.text),
                   application_credential_id = \(credential.bounds.applicationCredentialID),
                   role_ids = \(credential.bounds.text)
             WHERE id = \(credential.id)
            """)
    }

    func delete(_ id: CredentialID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_credentials WHERE id = \(id)")
    }

    func deleteAll(of user: UserID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_credentials WHERE user_id = \(user)")
    }

    func deleteAll(on project: ProjectID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_credentials WHERE project_id = \(project)")
    }

    private static func credential(_ row: any Row) throws -> Credential {
        Credential(
            id: row.id(0), userID: row.id(1), projectID: row.idOrNil(2), type: row.text(3), blob: row.text(4),
            extras: try Extras(column: row.text(5)),
            bounds: try CredentialBounds(applicationCredentialID: row.idOrNil(6), column: row.textOrNil(7)))
    }
}
