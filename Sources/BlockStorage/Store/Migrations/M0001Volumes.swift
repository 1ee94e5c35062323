// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Volumes, their snapshots and attachments, the backends that hold them.
enum M0001Volumes {
    static let migration = Migration(
        "block-storage-0001-volumes",
        [
            """
            CREATE TABLE volumes (
                id TEXT NOT NULL PRIMARY KEY,
                project_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                name TEXT,
                description TEXT,
                size_gib BIGINT NOT NULL,
                pending_size_gib BIGINT,
                status TEXT NOT NULL,
                previous_status TEXT,
                saga_run TEXT,
                type_id TEXT NOT NULL,
                zone TEXT NOT NULL,
                host TEXT,
                location TEXT NOT NULL,
                is_bootable BIGINT NOT NULL,
                is_read_only BIGINT,
                is_multiattach BIGINT NOT NULL,
                key_id TEXT,
                snapshot_id TEXT,
                source_volume_id TEXT,
                image_id TEXT,
                group_id TEXT,
                group_snapshot_id TEXT,
                migration TEXT,
                is_doomed BIGINT NOT NULL,
                metadata TEXT NOT NULL,
                image_metadata TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT,
                launched_at BIGINT)
            """,
            "CREATE INDEX volumes_by_project ON volumes (project_id, created_at, id)",
            "CREATE INDEX volumes_by_age ON volumes (created_at, id)",
            "CREATE INDEX volumes_by_status ON volumes (status)",
            "CREATE INDEX volumes_by_name ON volumes (name)",
            "CREATE INDEX volumes_by_host ON volumes (host)",
            "CREATE INDEX volumes_by_type ON volumes (type_id)",
            "CREATE INDEX volumes_by_snapshot ON volumes (snapshot_id)",
            "CREATE INDEX volumes_by_source ON volumes (source_volume_id)",
            "CREATE INDEX volumes_by_group ON volumes (group_id)",
            "CREATE INDEX volumes_by_run ON volumes (saga_run)",
            """
            CREATE TABLE volume_snapshots (
                id TEXT NOT NULL PRIMARY KEY,
                volume_id TEXT NOT NULL REFERENCES volumes (id),
                project_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                name TEXT,
                description TEXT,
                size_gib BIGINT NOT NULL,
                status TEXT NOT NULL,
                saga_run TEXT,
                type_id TEXT NOT NULL,
                location TEXT NOT NULL,
                progress BIGINT NOT NULL,
                key_id TEXT,
                group_snapshot_id TEXT,
                metadata TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT)
            """,
            "CREATE INDEX volume_snapshots_by_project ON volume_snapshots (project_id, created_at, id)",
            "CREATE INDEX volume_snapshots_by_volume ON volume_snapshots (volume_id, created_at, id)",
            "CREATE INDEX volume_snapshots_by_status ON volume_snapshots (status)",
            "CREATE INDEX volume_snapshots_by_name ON volume_snapshots (name)",
            "CREATE INDEX volume_snapshots_by_group ON volume_snapshots (group_snapshot_id)",
            """
            CREATE TABLE volume_attachments (
                id TEXT NOT NULL PRIMARY KEY,
                volume_id TEXT NOT NULL REFERENCES volumes (id),
                server TEXT,
                host TEXT,
                device TEXT,
                status TEXT NOT NULL,
                mode TEXT NOT NULL,
                connector TEXT,
                connector_text TEXT,
                connection TEXT,
                is_compute BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                attached_at BIGINT)
            """,
            "CREATE INDEX volume_attachments_by_volume ON volume_attachments (volume_id, created_at, id)",
            "CREATE INDEX volume_attachments_by_server ON volume_attachments (server)",
            "CREATE INDEX volume_attachments_by_status ON volume_attachments (status)",
            """
            CREATE TABLE volume_backends (
                address TEXT NOT NULL PRIMARY KEY,
                pool TEXT NOT NULL,
                moves_on_snapshot BIGINT NOT NULL,
                zone TEXT NOT NULL,
                is_disabled BIGINT NOT NULL,
                disabled_reason TEXT,
                is_frozen BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                last_seen_at BIGINT NOT NULL,
                updated_at BIGINT,
                service_id TEXT NOT NULL)
            """,
            """
            CREATE TABLE volume_locks (
                volume_id TEXT NOT NULL PRIMARY KEY,
                holder TEXT NOT NULL,
                is_run BIGINT NOT NULL,
                locked_at BIGINT NOT NULL)
            """,
            """
            CREATE TABLE volume_keys (
                id TEXT NOT NULL PRIMARY KEY,
                project_id TEXT NOT NULL,
                sealed TEXT NOT NULL,
                created_at BIGINT NOT NULL)
            """,
        ])
}
