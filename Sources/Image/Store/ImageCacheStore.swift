// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// An image that is in the cache, or shall be.
package struct CachedImage: Sendable, Equatable {
    package var imageID: ImageID
    package var isCached: Bool
    package var blob: String
    package var sizeBytes: Int64
    package var hits: Int
    package var lastAccessed: Timestamp
    package var lastModified: Timestamp
}

/// The rows of the cache.
package struct ImageCacheStore: Sendable {
    package init() {}

    private static let columns: SQL = "image_id, is_cached, blob_name, size, hits, last_accessed, last_modified"

    private static func entry(_ row: any Row) -> CachedImage {
        CachedImage(
            imageID: row.id(0), isCached: row.bool(1), blob: row.text(2), sizeBytes: row.int64(3), hits: row.int(4),
            lastAccessed: row.timestamp(5), lastModified: row.timestamp(6))
    }

    /// Asks for an image. Nothing changes for one that is in the cache or was asked for.
    package func queue(
        _ id: ImageID, blob: String, sizeBytes: Int64, at time: Timestamp, _ tx: any Transaction
    ) throws {
        try tx.execute(
            """
            INSERT INTO image_cache (image_id, is_cached, blob_name, size, hits, last_accessed, last_modified)
            VALUES (\(id), \(false), \(blob), \(sizeBytes), 0, \(time), \(time))
            ON CONFLICT (image_id) DO NOTHING
            """)
    }

    /// The bytes are there. False: nobody wants them any more.
    package func setCached(_ id: ImageID, at time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            UPDATE image_cache SET is_cached = \(true), last_accessed = \(time), last_modified = \(time)
             WHERE image_id = \(id)
            """) == 1
    }

    package func hit(_ id: ImageID, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("UPDATE image_cache SET hits = hits + 1, last_accessed = \(time) WHERE image_id = \(id)")
    }

    /// False: there was no such entry.
    package func delete(_ id: ImageID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM image_cache WHERE image_id = \(id)") == 1
    }

    package func clear(cached: Bool, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM image_cache WHERE is_cached = \(cached)")
    }

    package func entry(_ id: ImageID, _ tx: any Transaction) throws -> CachedImage? {
        try tx.first("SELECT \(Self.columns) FROM image_cache WHERE image_id = \(id)", Self.entry)
    }

    /// The least used first.
    package func entries(cached: Bool, _ tx: any Transaction) throws -> [CachedImage] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM image_cache WHERE is_cached = \(cached) ORDER BY last_accessed, image_id
            """, Self.entry)
    }

    package func blobs(_ tx: any Transaction) throws -> Set<String> {
        Set(try tx.query("SELECT blob_name FROM image_cache") { $0.text(0) })
    }
}
