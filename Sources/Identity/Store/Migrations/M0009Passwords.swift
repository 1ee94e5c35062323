// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// When a password was set, by whom and until when; the passwords before it; and how often somebody got it wrong.
enum M0009Passwords {
    static let migration = Migration(
        "identity-0009-passwords",
        [
            "ALTER TABLE identity_users ADD COLUMN password_created_at BIGINT",
            "ALTER TABLE identity_users ADD COLUMN password_expires_at BIGINT",
            "ALTER TABLE identity_users ADD COLUMN password_self_service BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE identity_users ADD COLUMN failed_count BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE identity_users ADD COLUMN failed_at BIGINT",
            """
            CREATE TABLE identity_passwords (
                user_id TEXT NOT NULL,
                serial BIGINT NOT NULL,
                password_hash TEXT NOT NULL,
                PRIMARY KEY (user_id, serial)
            )
            """,
        ])
}
