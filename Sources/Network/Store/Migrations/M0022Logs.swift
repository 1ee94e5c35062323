// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// What hosts write down of traffic that security groups let pass or drop.
enum M0022Logs {
    static let migration = Migration(
        "network-0022-logs",
        [
            """
            CREATE TABLE network_logs (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
                group_id TEXT, port_id TEXT, event TEXT NOT NULL, is_enabled BIGINT NOT NULL,
                revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX network_logs_project ON network_logs (project_id, created_at, id)",
            "CREATE INDEX network_logs_group ON network_logs (group_id)",
            "CREATE INDEX network_logs_port ON network_logs (port_id)",
        ])
}
