// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// An index for each order in which pages of images are read, behind who owns them and who sees them.
enum M0005ListIndexes {
    static let migration = Migration(
        "image-0005-list-indexes",
        [
            "CREATE INDEX images_of_owner_by_name ON images (owner, (COALESCE(name, '')), created_at, id)",
            "CREATE INDEX images_seen_by_name ON images (visibility, (COALESCE(name, '')), created_at, id)",
            "CREATE INDEX images_by_change ON images (updated_at, created_at, id)",
            "CREATE INDEX images_named ON images (name, created_at, id)",
            "DROP INDEX images_by_name",
            "CREATE INDEX images_in_status ON images (status, created_at, id)",
            "DROP INDEX images_by_status",
            "CREATE INDEX image_tasks_by_owner ON image_tasks (owner, created_at, id)",
            "CREATE INDEX image_tags_of_tag ON image_tags (tag, image_id)",
            "DROP INDEX image_tags_by_tag",
            "CREATE INDEX image_properties_of_value ON image_properties (name, value, image_id)",
            "DROP INDEX image_properties_by_value",
        ])
}
