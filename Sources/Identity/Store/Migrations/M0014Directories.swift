// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Users and groups that a directory has: these rows follow it. `directory_id` is its name for them.
enum M0014Directories {
    static let migration = Migration(
        "identity-0014-directories",
        [
            "ALTER TABLE identity_users ADD COLUMN directory_id TEXT",
            "ALTER TABLE identity_groups ADD COLUMN directory_id TEXT",
        ])
}
