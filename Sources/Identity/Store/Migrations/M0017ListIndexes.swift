// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// An index for each order in which pages of large lists are read.
enum M0017ListIndexes {
    static let migration = Migration(
        "identity-0017-list-indexes",
        [
            "CREATE INDEX identity_users_by_name ON identity_users (name_key, id)",
            "DROP INDEX identity_users_name_key",
            "CREATE INDEX identity_projects_by_name ON identity_projects (name_key, id)",
            "CREATE INDEX identity_projects_of_domain ON identity_projects (domain_id, id)",
            "CREATE INDEX identity_groups_by_name ON identity_groups (name_key, id)",
            "CREATE INDEX identity_credentials_by_type ON identity_credentials (type, id)",
            """
            CREATE INDEX identity_assignments_in_order
                ON identity_assignments (target_kind, target_id, actor_kind, actor_id, role_id, inherited)
            """,
        ])
}
