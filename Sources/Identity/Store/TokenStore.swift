// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import SecurityKit

/// The key repository and the revoked tokens.
struct TokenStore: Sendable {
    /// Newest first: that one makes tokens, the others still open them.
    func keys(_ tx: any Transaction) throws -> [FernetKey] {
        try tx.query("SELECT key_text FROM identity_fernet_keys ORDER BY serial DESC") { row in
            guard let key = FernetKey(row.text(0)) else {
                throw CloudError(.bug, "A token key cannot be read.", cause: "identity_fernet_keys")
            }
            return key
        }
    }

    /// Adds a key and keeps the newest `keeping` ones.
    func addKey(_ key: FernetKey, at time: Timestamp, keeping count: Int, _ tx: any Transaction) throws {
        let serial = try tx.count("SELECT COALESCE(MAX(serial), 0) FROM identity_fernet_keys") + 1
        try tx.execute(
            "INSERT INTO identity_fernet_keys (serial, key_text, created_at) VALUES (\(serial), \(key.text), \(time))")
        try tx.execute("DELETE FROM identity_fernet_keys WHERE serial <= \(serial - count)")
    }

    func newestKeyTime(_ tx: any Transaction) throws -> Timestamp? {
        try tx.first("SELECT MAX(created_at) FROM identity_fernet_keys") { $0.timestampOrNil(0) }.flatMap { $0 }
    }

    func isRevoked(_ auditID: String, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_revocations WHERE audit_id = \(auditID)")
    }

    func revoke(_ auditID: String, until expiry: Timestamp, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_revocations (audit_id, expires_at) VALUES (\(auditID), \(expiry))
            ON CONFLICT (audit_id) DO NOTHING
            """)
    }

    func hasExpired(before time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_revocations WHERE expires_at < \(time)")
    }

    /// Forgets tokens that are past their time, which are void without this.
    func forgetExpired(before time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_revocations WHERE expires_at < \(time)")
    }
}
