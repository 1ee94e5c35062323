// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Types of volumes and of groups, with what hangs on them.
enum M0002VolumeTypes {
    static let migration = Migration(
        "block-storage-0002-volume-types",
        [
            """
            CREATE TABLE volume_types (
                id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, is_public BIGINT NOT NULL,
                extra_specs TEXT NOT NULL, qos_id TEXT, encryption TEXT, created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE UNIQUE INDEX volume_types_name ON volume_types (name)",
            "CREATE INDEX volume_types_page ON volume_types (created_at, id)",
            "CREATE INDEX volume_types_qos ON volume_types (qos_id)",
            """
            CREATE TABLE volume_type_access (
                type_id TEXT NOT NULL, project_id TEXT NOT NULL, PRIMARY KEY (type_id, project_id)
            )
            """,
            "CREATE INDEX volume_type_access_project ON volume_type_access (project_id)",
            """
            CREATE TABLE volume_default_types (
                project_id TEXT PRIMARY KEY, type_id TEXT NOT NULL
            )
            """,
            "CREATE INDEX volume_default_types_type ON volume_default_types (type_id)",
            """
            CREATE TABLE volume_qos_specs (
                id TEXT PRIMARY KEY, name TEXT NOT NULL, consumer TEXT NOT NULL, specs TEXT NOT NULL,
                created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE UNIQUE INDEX volume_qos_specs_name ON volume_qos_specs (name)",
            "CREATE INDEX volume_qos_specs_page ON volume_qos_specs (created_at, id)",
            """
            CREATE TABLE volume_group_types (
                id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, is_public BIGINT NOT NULL,
                specs TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE UNIQUE INDEX volume_group_types_name ON volume_group_types (name)",
            "CREATE INDEX volume_group_types_page ON volume_group_types (created_at, id)",
        ])
}
