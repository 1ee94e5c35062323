// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Users, groups, projects, domains, roles and who has which role where.
///
/// `name_key` is the name in lower case, which is what must be unique. `domain_id` is '' for what belongs to no
/// domain, so that the unique index holds for it as well (two NULLs would differ).
enum M0001Identity {
    static let migration = Migration(
        "identity-0001-identity",
        [
            """
            CREATE TABLE identity_projects (
                id TEXT NOT NULL PRIMARY KEY,
                domain_id TEXT NOT NULL,
                parent_id TEXT,
                name TEXT NOT NULL,
                name_key TEXT NOT NULL,
                enabled BIGINT NOT NULL,
                description TEXT NOT NULL,
                options TEXT NOT NULL,
                extras TEXT NOT NULL,
                created_at BIGINT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX identity_projects_name ON identity_projects (domain_id, name_key)",
            "CREATE INDEX identity_projects_parent ON identity_projects (parent_id)",
            """
            CREATE TABLE identity_project_tags (
                project_id TEXT NOT NULL,
                tag TEXT NOT NULL,
                PRIMARY KEY (project_id, tag)
            )
            """,
            "CREATE INDEX identity_project_tags_tag ON identity_project_tags (tag)",
            """
            CREATE TABLE identity_users (
                id TEXT NOT NULL PRIMARY KEY,
                domain_id TEXT NOT NULL,
                name TEXT NOT NULL,
                name_key TEXT NOT NULL,
                enabled BIGINT NOT NULL,
                description TEXT,
                default_project_id TEXT,
                options TEXT NOT NULL,
                extras TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                password_hash TEXT,
                tokens_valid_from BIGINT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX identity_users_name ON identity_users (domain_id, name_key)",
            "CREATE INDEX identity_users_name_key ON identity_users (name_key)",
            """
            CREATE TABLE identity_groups (
                id TEXT NOT NULL PRIMARY KEY,
                domain_id TEXT NOT NULL,
                name TEXT NOT NULL,
                name_key TEXT NOT NULL,
                description TEXT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX identity_groups_name ON identity_groups (domain_id, name_key)",
            """
            CREATE TABLE identity_group_members (
                group_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                PRIMARY KEY (group_id, user_id)
            )
            """,
            "CREATE INDEX identity_group_members_user ON identity_group_members (user_id)",
            """
            CREATE TABLE identity_roles (
                id TEXT NOT NULL PRIMARY KEY,
                domain_id TEXT NOT NULL,
                name TEXT NOT NULL,
                name_key TEXT NOT NULL,
                description TEXT,
                options TEXT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX identity_roles_name ON identity_roles (domain_id, name_key)",
            """
            CREATE TABLE identity_role_implications (
                prior_role_id TEXT NOT NULL,
                implied_role_id TEXT NOT NULL,
                PRIMARY KEY (prior_role_id, implied_role_id)
            )
            """,
            """
            CREATE TABLE identity_assignments (
                actor_kind TEXT NOT NULL,
                actor_id TEXT NOT NULL,
                target_kind TEXT NOT NULL,
                target_id TEXT NOT NULL,
                role_id TEXT NOT NULL,
                inherited BIGINT NOT NULL,
                PRIMARY KEY (actor_id, target_id, role_id, inherited, actor_kind, target_kind)
            )
            """,
            "CREATE INDEX identity_assignments_target ON identity_assignments (target_id)",
            "CREATE INDEX identity_assignments_role ON identity_assignments (role_id)",
        ])
}
