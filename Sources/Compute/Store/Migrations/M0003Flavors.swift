// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Flavors, key pairs and limits.
enum M0003Flavors {
    static let migration = Migration(
        "compute-0003-flavors",
        [
            """
            CREATE TABLE flavors (
                id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, vcpus BIGINT NOT NULL,
                memory_mib BIGINT NOT NULL, root_gib BIGINT NOT NULL, ephemeral_gib BIGINT NOT NULL,
                swap_mib BIGINT NOT NULL, rxtx_factor TEXT NOT NULL, is_public BIGINT NOT NULL,
                extra_specs TEXT NOT NULL, created_at BIGINT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX flavors_name ON flavors (name)",
            """
            CREATE TABLE flavor_access (
                flavor_id TEXT NOT NULL, project_id TEXT NOT NULL, PRIMARY KEY (flavor_id, project_id)
            )
            """,
            "CREATE INDEX flavor_access_project ON flavor_access (project_id)",
            """
            CREATE TABLE key_pairs (
                number BIGINT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
                fingerprint TEXT NOT NULL, public_key TEXT NOT NULL, created_at BIGINT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX key_pairs_name ON key_pairs (user_id, name)",
            """
            CREATE TABLE compute_settings (
                name TEXT PRIMARY KEY, value TEXT NOT NULL
            )
            """,
        ])
}
