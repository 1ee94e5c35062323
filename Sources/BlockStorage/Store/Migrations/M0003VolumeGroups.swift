// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Groups, backups, transfers and messages.
enum M0003VolumeGroups {
    static let migration = Migration(
        "block-storage-0003-volume-groups",
        [
            """
            CREATE TABLE volume_groups (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT, description TEXT,
                type_id TEXT NOT NULL, volume_type_ids TEXT NOT NULL, zone TEXT NOT NULL, host TEXT,
                status TEXT NOT NULL, saga_run TEXT, source_group_id TEXT, group_snapshot_id TEXT,
                created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE INDEX volume_groups_page ON volume_groups (project_id, created_at, id)",
            "CREATE INDEX volume_groups_all ON volume_groups (created_at, id)",
            "CREATE INDEX volume_groups_type ON volume_groups (type_id)",
            "CREATE INDEX volume_groups_status ON volume_groups (status)",
            "CREATE INDEX volume_groups_name ON volume_groups (name)",
            """
            CREATE TABLE volume_group_snapshots (
                id TEXT PRIMARY KEY, group_id TEXT NOT NULL, project_id TEXT NOT NULL, user_id TEXT NOT NULL,
                name TEXT, description TEXT, type_id TEXT NOT NULL, status TEXT NOT NULL, saga_run TEXT,
                created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE INDEX volume_group_snapshots_page ON volume_group_snapshots (project_id, created_at, id)",
            "CREATE INDEX volume_group_snapshots_all ON volume_group_snapshots (created_at, id)",
            "CREATE INDEX volume_group_snapshots_group ON volume_group_snapshots (group_id)",
            "CREATE INDEX volume_group_snapshots_status ON volume_group_snapshots (status)",
            "CREATE INDEX volume_group_snapshots_name ON volume_group_snapshots (name)",
            """
            CREATE TABLE volume_backups (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT, description TEXT,
                volume_id TEXT NOT NULL, snapshot_id TEXT, parent_id TEXT, size_gib BIGINT NOT NULL,
                object_count BIGINT NOT NULL, container TEXT, zone TEXT NOT NULL, host TEXT NOT NULL,
                service TEXT NOT NULL, status TEXT NOT NULL, saga_run TEXT, fail_reason TEXT, restore_volume_id TEXT,
                key_id TEXT, metadata TEXT NOT NULL, volume_facts TEXT NOT NULL, data_timestamp BIGINT NOT NULL,
                data_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE INDEX volume_backups_page ON volume_backups (project_id, created_at, id)",
            "CREATE INDEX volume_backups_all ON volume_backups (created_at, id)",
            "CREATE INDEX volume_backups_volume ON volume_backups (volume_id, data_timestamp)",
            "CREATE INDEX volume_backups_data ON volume_backups (data_id)",
            "CREATE INDEX volume_backups_parent ON volume_backups (parent_id)",
            "CREATE INDEX volume_backups_status ON volume_backups (status)",
            "CREATE INDEX volume_backups_name ON volume_backups (name)",
            "CREATE INDEX volume_backups_snapshot ON volume_backups (snapshot_id)",
            """
            CREATE TABLE volume_transfers (
                id TEXT PRIMARY KEY, volume_id TEXT NOT NULL, name TEXT, salt TEXT NOT NULL, key_hash TEXT NOT NULL,
                without_snapshots BIGINT NOT NULL, source_project_id TEXT NOT NULL, destination_project_id TEXT,
                is_accepted BIGINT NOT NULL, is_deleted BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE INDEX volume_transfers_page ON volume_transfers (source_project_id, is_deleted, created_at, id)",
            "CREATE INDEX volume_transfers_all ON volume_transfers (is_deleted, created_at, id)",
            "CREATE INDEX volume_transfers_volume ON volume_transfers (volume_id)",
            """
            CREATE TABLE volume_messages (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, request_id TEXT, resource_type TEXT NOT NULL,
                resource_id TEXT, action_id TEXT NOT NULL, detail_id TEXT NOT NULL, level TEXT NOT NULL,
                created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX volume_messages_page ON volume_messages (project_id, created_at, id)",
            "CREATE INDEX volume_messages_all ON volume_messages (created_at, id)",
            "CREATE INDEX volume_messages_expiry ON volume_messages (expires_at)",
            "CREATE INDEX volume_messages_resource ON volume_messages (resource_id)",
        ])
}
