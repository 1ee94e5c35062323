// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// The part of an image's row that says where its bytes are and who brings them.
///
/// `blob_name` names the holder of the row while bytes arrive: every change below names it, so an upload that lost its
/// image to a deletion or to another upload changes nothing.
package struct ImageDataStore: Sendable {
    package init() {}

    /// Takes a queued image for one upload. False: it is not queued any more.
    package func begin(
        _ id: ImageID, _ event: Image.Event, blob: String, at time: Timestamp, _ tx: any Transaction
    ) throws -> Bool {
        guard let status = Image.Status.queued.after(event) else { preconditionFailure("\(event) in queued") }
        let changed = try tx.execute(
            """
            UPDATE images
               SET status = \(status.rawValue), blob_name = \(blob), staged = NULL, upload_seen_at = \(time),
                   updated_at = \(time)
             WHERE id = \(id) AND status = \(Image.Status.queued.rawValue)
            """)
        assert(changed <= 1, "images.id is not unique")
        return changed == 1
    }

    /// Says that the upload is alive. False: it lost its image.
    package func keepAlive(_ id: ImageID, blob: String, at time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.execute("UPDATE images SET upload_seen_at = \(time) WHERE id = \(id) AND blob_name = \(blob)") == 1
    }

    /// Bytes are whole and checked. False: the upload lost its image.
    package func activate(
        _ id: ImageID, from status: Image.Status, blob: String, _ data: StoredData, virtualSizeBytes: Int64?,
        in stores: [String], at time: Timestamp, _ tx: any Transaction
    ) throws -> Bool {
        guard let next = status.after(.dataStored) else { preconditionFailure("data stored in \(status)") }
        let changed = try tx.execute(
            """
            UPDATE images
               SET status = \(next.rawValue), size = \(data.sizeBytes), virtual_size = \(virtualSizeBytes),
                   checksum = \(data.checksum), os_hash_algo = \(data.hashAlgorithm),
                   os_hash_value = \(data.hashValue), staged = NULL, upload_seen_at = NULL, updated_at = \(time)
             WHERE id = \(id) AND blob_name = \(blob) AND status = \(status.rawValue)
            """)
        guard changed == 1 else { return false }
        for store in stores { try addStore(store, to: id, at: time, tx) }
        return true
    }

    /// The store now holds the image's bytes, whole.
    package func addStore(_ store: String, to id: ImageID, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO image_stores (image_id, store, created_at) VALUES (\(id), \(store), \(time))
            ON CONFLICT (image_id, store) DO NOTHING
            """)
    }

    /// False: it did not hold them.
    package func removeStore(_ store: String, from id: ImageID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM image_stores WHERE image_id = \(id) AND store = \(store)") == 1
    }

    /// Staged bytes are whole; they wait for the import.
    package func stage(
        _ id: ImageID, blob: String, _ data: StoredData, at time: Timestamp, _ tx: any Transaction
    ) throws -> Bool {
        try tx.execute(
            """
            UPDATE images
               SET staged = \(StagedData(data).text), size = \(data.sizeBytes), upload_seen_at = NULL,
                   updated_at = \(time)
             WHERE id = \(id) AND blob_name = \(blob) AND status = \(Image.Status.uploading.rawValue)
            """) == 1
    }

    /// Back to queued, as if nobody had sent bytes. Repeating it changes nothing. Returns whether no row names the blob
    /// any more: only then may its file go, for somebody else may have made the image active meanwhile.
    package func abandon(_ id: ImageID, blob: String, at time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            UPDATE images
               SET status = \(Image.Status.queued.rawValue), blob_name = NULL, staged = NULL, size = NULL,
                   virtual_size = NULL, upload_seen_at = NULL, updated_at = \(time)
             WHERE id = \(id) AND blob_name = \(blob)
               AND status IN (\(Image.Status.saving.rawValue), \(Image.Status.uploading.rawValue))
            """)
        return try !tx.exists("SELECT 1 FROM images WHERE id = \(id) AND blob_name = \(blob)")
    }

    package func setStatus(
        _ id: ImageID, from status: Image.Status, to next: Image.Status, at time: Timestamp, _ tx: any Transaction
    ) throws -> Bool {
        try tx.execute(
            """
            UPDATE images SET status = \(next.rawValue), updated_at = \(time)
             WHERE id = \(id) AND status = \(status.rawValue)
            """) == 1
    }

    /// Uploads that nobody has spoken for since `time`.
    package func deadUploads(before time: Timestamp, _ tx: any Transaction) throws -> [(ImageID, blob: String)] {
        try tx.query(
            """
            SELECT id, blob_name FROM images
             WHERE status IN (\(Image.Status.saving.rawValue), \(Image.Status.uploading.rawValue))
               AND blob_name IS NOT NULL AND upload_seen_at < \(time)
            """
        ) { ($0.id(0), $0.text(1)) }
    }

    /// The blobs that may be in `store`: those it holds, and those of uploads and imports that are on their way.
    package func blobs(of store: String, _ tx: any Transaction) throws -> Set<String> {
        Set(
            try tx.query(
                """
                SELECT blob_name FROM images
                 WHERE blob_name IS NOT NULL
                   AND (status NOT IN (\(Image.Status.active.rawValue), \(Image.Status.deactivated.rawValue))
                        OR import_task IS NOT NULL
                        OR id IN (SELECT image_id FROM image_stores WHERE store = \(store)))
                """
            ) { $0.text(0) })
    }
}

/// Which digests every image gets.
package enum DataDigests {
    package static let hashAlgorithm = "sha512"
}
