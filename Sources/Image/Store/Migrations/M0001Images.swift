// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Images with their properties, tags and members.
enum M0001Images {
    static let migration = Migration(
        "image-0001-images",
        [
            """
            CREATE TABLE images (
                id TEXT PRIMARY KEY,
                name TEXT,
                status TEXT NOT NULL,
                visibility TEXT NOT NULL,
                owner TEXT,
                disk_format TEXT,
                container_format TEXT,
                size BIGINT,
                virtual_size BIGINT,
                checksum TEXT,
                os_hash_algo TEXT,
                os_hash_value TEXT,
                min_disk BIGINT NOT NULL,
                min_ram BIGINT NOT NULL,
                protected BIGINT NOT NULL,
                os_hidden BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                blob_name TEXT,
                staged TEXT,
                upload_seen_at BIGINT
            )
            """,
            "CREATE INDEX images_by_owner ON images (owner, created_at, id)",
            "CREATE INDEX images_by_age ON images (created_at, id)",
            "CREATE INDEX images_by_visibility ON images (visibility, created_at, id)",
            "CREATE INDEX images_by_name ON images (name)",
            "CREATE INDEX images_by_status ON images (status)",
            "CREATE INDEX images_by_checksum ON images (checksum)",
            "CREATE INDEX images_by_hash ON images (os_hash_value)",
            """
            CREATE TABLE image_properties (
                image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
                name TEXT NOT NULL,
                value TEXT NOT NULL,
                PRIMARY KEY (image_id, name)
            )
            """,
            "CREATE INDEX image_properties_by_value ON image_properties (name, value)",
            """
            CREATE TABLE image_tags (
                image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
                tag TEXT NOT NULL,
                PRIMARY KEY (image_id, tag)
            )
            """,
            "CREATE INDEX image_tags_by_tag ON image_tags (tag)",
            """
            CREATE TABLE image_members (
                image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
                member_id TEXT NOT NULL,
                status TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                PRIMARY KEY (image_id, member_id)
            )
            """,
            "CREATE INDEX image_members_by_member ON image_members (member_id, status)",
        ])
}
