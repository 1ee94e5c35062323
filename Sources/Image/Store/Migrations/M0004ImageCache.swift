// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Images that administrators keep at hand.
enum M0004ImageCache {
    static let migration = Migration(
        "image-0004-cache",
        [
            """
            CREATE TABLE image_cache (
                image_id TEXT PRIMARY KEY,
                is_cached BIGINT NOT NULL,
                blob_name TEXT NOT NULL,
                size BIGINT NOT NULL,
                hits BIGINT NOT NULL,
                last_accessed BIGINT NOT NULL,
                last_modified BIGINT NOT NULL
            )
            """,
            "CREATE INDEX image_cache_by_state ON image_cache (is_cached, last_accessed)",
        ])
}
