// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// What is left of servers that are shelved, and since when others wait for their end.
enum M0006Shelves {
    static let migration = Migration(
        "compute-0006-shelves",
        [
            """
            CREATE TABLE server_shelves (
                server_id TEXT PRIMARY KEY, image_id TEXT, actor TEXT NOT NULL, shelved_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX server_shelves_time ON server_shelves (shelved_at)",
            """
            CREATE TABLE server_soft_deletions (
                server_id TEXT PRIMARY KEY, vm_state TEXT NOT NULL, deleted_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX server_soft_deletions_time ON server_soft_deletions (deleted_at)",
        ])
}
