// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// What routers count, and the protocols that they look into.
enum M0012Metering {
    static let migration = Migration(
        "network-0012-metering",
        [
            """
            CREATE TABLE metering_labels (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
                is_shared BIGINT NOT NULL, created_at BIGINT NOT NULL)
            """,
            "CREATE INDEX metering_labels_project ON metering_labels (project_id, created_at, id)",
            """
            CREATE TABLE metering_label_rules (
                id TEXT PRIMARY KEY, label_id TEXT NOT NULL REFERENCES metering_labels (id), direction TEXT NOT NULL,
                remote_prefix TEXT, source_prefix TEXT, destination_prefix TEXT, is_excluded BIGINT NOT NULL,
                created_at BIGINT NOT NULL)
            """,
            "CREATE INDEX metering_label_rules_label ON metering_label_rules (label_id)",
            """
            CREATE TABLE conntrack_helpers (
                id TEXT PRIMARY KEY, router_id TEXT NOT NULL REFERENCES routers (id), helper TEXT NOT NULL,
                protocol TEXT NOT NULL, port BIGINT NOT NULL, created_at BIGINT NOT NULL)
            """,
            "CREATE UNIQUE INDEX conntrack_helpers_port ON conntrack_helpers (router_id, protocol, port)",
        ])
}
