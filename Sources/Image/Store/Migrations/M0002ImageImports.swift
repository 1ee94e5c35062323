// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Which stores hold an image, tasks, and what an import that runs has still to do.
enum M0002ImageImports {
    static let migration = Migration(
        "image-0002-imports",
        [
            "ALTER TABLE images ADD COLUMN import_task TEXT",
            "ALTER TABLE images ADD COLUMN importing_stores TEXT",
            "ALTER TABLE images ADD COLUMN failed_stores TEXT",
            "CREATE INDEX images_by_import ON images (import_task)",
            """
            CREATE TABLE image_stores (
                image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
                store TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                PRIMARY KEY (image_id, store)
            )
            """,
            "CREATE INDEX image_stores_by_store ON image_stores (store)",
            // There was one store, whose name nobody had a reason to change.
            """
            INSERT INTO image_stores (image_id, store, created_at)
            SELECT id, 'file', updated_at FROM images WHERE status IN ('active', 'deactivated')
            """,
            """
            CREATE TABLE image_tasks (
                id TEXT PRIMARY KEY,
                type TEXT NOT NULL,
                status TEXT NOT NULL,
                owner TEXT,
                image_id TEXT,
                user_id TEXT,
                request_id TEXT,
                input TEXT NOT NULL,
                result TEXT,
                message TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                expires_at BIGINT
            )
            """,
            "CREATE INDEX image_tasks_by_image ON image_tasks (image_id, created_at, id)",
            "CREATE INDEX image_tasks_by_age ON image_tasks (created_at, id)",
            "CREATE INDEX image_tasks_by_expiry ON image_tasks (expires_at)",
        ])
}
