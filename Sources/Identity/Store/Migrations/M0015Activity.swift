// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// When somebody last signed in to an account.
enum M0015Activity {
    static let migration = Migration(
        "identity-0015-activity",
        [
            "ALTER TABLE identity_users ADD COLUMN last_active_at BIGINT",
            "CREATE INDEX identity_users_last_active ON identity_users (last_active_at)",
        ])
}
