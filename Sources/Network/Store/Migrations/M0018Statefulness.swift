// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Whether new security groups keep state, by project; no project: all others.
enum M0018Statefulness {
    static let migration = Migration(
        "network-0018-statefulness",
        [
            """
            CREATE TABLE security_group_statefulness (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, is_stateful BIGINT NOT NULL)
            """,
            "CREATE UNIQUE INDEX security_group_statefulness_project ON security_group_statefulness (project_id)",
        ])
}
