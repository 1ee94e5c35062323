// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Address groups, and rules that name them.
enum M0013AddressGroups {
    static let migration = Migration(
        "network-0013-address-groups",
        [
            """
            CREATE TABLE address_groups (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
                addresses TEXT NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX address_groups_project ON address_groups (project_id, created_at, id)",
            "CREATE INDEX address_groups_name ON address_groups (name)",
            "ALTER TABLE security_group_rules ADD COLUMN remote_address_group TEXT",
            "CREATE INDEX security_group_rules_addresses ON security_group_rules (remote_address_group)",
        ])
}
