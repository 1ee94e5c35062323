// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Where volumes are being moved to: what is written there has no row of its own yet.
enum M0005VolumeMigrationTarget {
    static let migration = Migration(
        "block-storage-0005-volume-migration-target",
        [
            "ALTER TABLE volumes ADD COLUMN migration_target TEXT",
            "CREATE INDEX volumes_migration_target ON volumes (migration_target)",
        ])
}
