// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Moves of servers to other flavors and hosts.
enum M0005ServerMigrations {
    static let migration = Migration(
        "compute-0005-server-migrations",
        [
            """
            CREATE TABLE server_migrations (
                id TEXT PRIMARY KEY, number BIGINT NOT NULL, server_id TEXT NOT NULL, kind TEXT NOT NULL,
                status TEXT NOT NULL, source_host TEXT, source_node TEXT, destination_host TEXT, destination_node TEXT,
                destination_address TEXT, old_flavor TEXT NOT NULL, new_flavor TEXT NOT NULL,
                old_vm_state TEXT NOT NULL, user_id TEXT NOT NULL, project_id TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE UNIQUE INDEX server_migrations_number ON server_migrations (number)",
            "CREATE INDEX server_migrations_server ON server_migrations (server_id, created_at)",
            "CREATE INDEX server_migrations_page ON server_migrations (created_at, number)",
            "CREATE INDEX server_migrations_project ON server_migrations (project_id, created_at, number)",
            "CREATE INDEX server_migrations_user ON server_migrations (user_id)",
            "CREATE INDEX server_migrations_status ON server_migrations (status)",
            "CREATE INDEX server_migrations_source ON server_migrations (source_host)",
            "CREATE INDEX server_migrations_destination ON server_migrations (destination_host)",
        ])
}
