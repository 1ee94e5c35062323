// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Indexes for what is asked often.
enum M0004VolumeIndexes {
    static let migration = Migration(
        "block-storage-0004-volume-indexes",
        [
            // What a pool has promised is read off the index, whenever a volume is placed.
            "CREATE INDEX volumes_by_pool ON volumes (host, size_gib, pending_size_gib)",
            "DROP INDEX volumes_by_host",
            "CREATE INDEX volumes_doomed ON volumes (id) WHERE is_doomed = 1",
            "CREATE INDEX volume_attachments_by_age ON volume_attachments (created_at, id)",
            "CREATE INDEX volume_attachments_by_host ON volume_attachments (host)",
        ])
}
