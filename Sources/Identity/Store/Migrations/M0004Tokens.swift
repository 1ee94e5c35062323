// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The keys that tokens are made with, and the tokens that were taken back before their time.
enum M0004Tokens {
    static let migration = Migration(
        "identity-0004-tokens",
        [
            """
            CREATE TABLE identity_fernet_keys (
                serial BIGINT NOT NULL PRIMARY KEY,
                key_text TEXT NOT NULL,
                created_at BIGINT NOT NULL
            )
            """,
            """
            CREATE TABLE identity_revocations (
                audit_id TEXT NOT NULL PRIMARY KEY,
                expires_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX identity_revocations_expiry ON identity_revocations (expires_at)",
        ])
}
