// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// An index for each order in which pages of large lists are read, behind what such a list is filtered by.
enum M0008ListIndexes {
    static let migration = Migration(
        "compute-0008-list-indexes",
        [
            // With the state, which every list asks for, and the name, which a pattern is held against.
            "CREATE INDEX servers_of_project ON servers (project_id, is_deleted, created_at, id, vm_state, name)",
            "CREATE INDEX servers_by_age ON servers (is_deleted, created_at, id, vm_state, name)",
            "DROP INDEX servers_page",
            "DROP INDEX servers_all",
            "CREATE INDEX servers_of_project_name ON servers (project_id, is_deleted, name, id)",
            "CREATE INDEX servers_by_name ON servers (is_deleted, name, id)",
            "CREATE INDEX servers_of_project_change ON servers (project_id, is_deleted, updated_at, id)",
            "CREATE INDEX servers_by_change ON servers (is_deleted, updated_at, id)",
            // Changes include ends.
            "CREATE INDEX servers_of_project_changed ON servers (project_id, updated_at)",
            "CREATE INDEX servers_of_project_state ON servers (project_id, is_deleted, vm_state, created_at, id)",
            "CREATE INDEX servers_by_state ON servers (is_deleted, vm_state, created_at, id)",
            "CREATE INDEX servers_on_host ON servers (host, is_deleted, created_at, id)",
            "DROP INDEX servers_host",
            // What a project uses is added up from the index, whenever it makes a server.
            """
            CREATE INDEX servers_use ON servers (project_id, is_deleted, vm_state, user_id, vcpus, memory_mib)
            """,
            "CREATE INDEX servers_usage ON servers (project_id, created_at, id)",
            "CREATE INDEX server_tags_of_tag ON server_tags (tag, server_id)",
            "DROP INDEX server_tags_tag",
            "CREATE INDEX server_groups_by_age ON server_groups (created_at, id)",
            "CREATE INDEX server_migrations_by_status ON server_migrations (status, created_at, number)",
            "DROP INDEX server_migrations_status",
            "CREATE INDEX server_migrations_of_user ON server_migrations (user_id, created_at, number)",
            "DROP INDEX server_migrations_user",
            "CREATE INDEX server_migrations_by_change ON server_migrations ((COALESCE(updated_at, created_at)))",
        ])
}
