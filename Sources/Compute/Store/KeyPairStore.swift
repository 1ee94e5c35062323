// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

package struct KeyPairStore: Sendable {
    package init() {}

    private static let columns: SQL = "number, user_id, name, type, fingerprint, public_key, created_at"

    private static func keyPair(_ row: any Row) -> KeyPair {
        KeyPair(
            number: row.int64(0), userID: row.id(1), name: row.text(2), type: row.text(3), fingerprint: row.text(4),
            publicKey: row.text(5), createdAt: row.timestamp(6))
    }

    package func keyPair(_ name: String, of user: UserID, _ transaction: any Transaction) throws -> KeyPair? {
        try transaction.first(
            "SELECT \(Self.columns) FROM key_pairs WHERE user_id = \(user) AND name = \(name)", Self.keyPair)
    }

    package func count(of user: UserID, _ transaction: any Transaction) throws -> Int {
        try transaction.count("SELECT COUNT(*) FROM key_pairs WHERE user_id = \(user)")
    }

    /// By name, after `marker`. Throws `.badRequest` when there is no such marker.
    package func list(
        of user: UserID, after marker: String?, limit: Int, _ transaction: any Transaction
    ) throws -> [KeyPair] {
        var sql: SQL = "SELECT \(Self.columns) FROM key_pairs WHERE user_id = \(user)"
        if let marker {
            guard try keyPair(marker, of: user, transaction) != nil else {
                throw CloudError.badRequest("marker [\(marker.prefix(255))] not found")
            }
            sql += "AND name > \(marker)"
        }
        return try transaction.query(sql + "ORDER BY name LIMIT \(limit)", Self.keyPair)
    }

    package func nextNumber(_ transaction: any Transaction) throws -> Int64 {
        Int64(try transaction.count("SELECT MAX(number) FROM key_pairs")) + 1
    }

    package func insert(_ key: KeyPair, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO key_pairs (\(Self.columns)) VALUES (
                \(key.number), \(key.userID), \(key.name), \(key.type), \(key.fingerprint), \(key.publicKey),
                \(key.createdAt)
            )
            """)
    }

    /// False: there was none.
    package func delete(_ name: String, of user: UserID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM key_pairs WHERE user_id = \(user) AND name = \(name)") > 0
    }
}
