// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Trunks: ports that carry other ports under tags.
enum M0010Trunks {
    static let migration = Migration(
        "network-0010-trunks",
        [
            """
            CREATE TABLE trunks (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
                port_id TEXT NOT NULL UNIQUE REFERENCES ports (id), is_enabled BIGINT NOT NULL, status TEXT NOT NULL,
                tags TEXT NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX trunks_project ON trunks (project_id, created_at, id)",
            "CREATE INDEX trunks_name ON trunks (name)",
            """
            CREATE TABLE trunk_subports (
                port_id TEXT PRIMARY KEY REFERENCES ports (id), trunk_id TEXT NOT NULL REFERENCES trunks (id),
                segmentation_type TEXT NOT NULL, segmentation_id BIGINT NOT NULL, created_at BIGINT NOT NULL)
            """,
            """
            CREATE UNIQUE INDEX trunk_subports_segment
                ON trunk_subports (trunk_id, segmentation_type, segmentation_id)
            """,
        ])
}
