// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// An index for each order in which pages of volumes are read, behind what such a list is filtered by.
enum M0006ListIndexes {
    static let migration = Migration(
        "block-storage-0006-list-indexes",
        [
            "CREATE INDEX volumes_of_project_name ON volumes (project_id, (COALESCE(name, '')), id)",
            // By the column, too, for what is filtered by it.
            "CREATE INDEX volumes_of_project_named ON volumes (project_id, name, created_at, id)",
            "CREATE INDEX volumes_of_project_status ON volumes (project_id, status, created_at, id)",
            "CREATE INDEX volumes_in_status ON volumes (status, created_at, id)",
            "DROP INDEX volumes_by_status",
            "CREATE INDEX volume_snapshots_by_age ON volume_snapshots (created_at, id)",
        ])
}
