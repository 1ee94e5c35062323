// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// The part of an image's row that one import holds.
///
/// `import_task` names the holder: every change names it, so a task that lost its image changes nothing.
package struct ImageImportStore: Sendable {
    package init() {}

    /// Takes the image for one task. False: it is not in `status`, is held by another task, or its staging has not
    /// ended.
    package func claim(
        _ id: ImageID, from status: Image.Status, task: ImageTaskID, blob: String, stores: [String], at time: Timestamp,
        _ tx: any Transaction
    ) throws -> Bool {
        // A copy changes nothing of an image that is active.
        let next = status == .active ? status : status.after(.importBegan)
        guard let next else { preconditionFailure("import in \(status)") }
        let changed = try tx.execute(
            """
            UPDATE images
               SET status = \(next.rawValue), import_task = \(task), blob_name = \(blob),
                   importing_stores = \(StoreList.text(stores)), failed_stores = '', upload_seen_at = NULL,
                   updated_at = \(time)
             WHERE id = \(id) AND status = \(status.rawValue) AND import_task IS NULL
               AND (status <> \(Image.Status.uploading.rawValue) OR staged IS NOT NULL)
            """)
        assert(changed <= 1, "images.id is not unique")
        return changed == 1
    }

    /// Whether the task holds the image; nil when there is no image any more.
    package func holds(_ id: ImageID, _ task: ImageTaskID, _ tx: any Transaction) throws -> Bool? {
        try tx.first("SELECT import_task FROM images WHERE id = \(id)") { $0.textOrNil(0) == task.rawValue }
    }

    /// Every image that a task holds, with the stores that it has still to fill.
    package func held(_ tx: any Transaction) throws -> [(ImageID, ImageTaskID, stores: [String])] {
        try tx.query("SELECT id, import_task, importing_stores FROM images WHERE import_task IS NOT NULL") {
            ($0.id(0), $0.id(1), StoreList.read($0.textOrNil(2) ?? ""))
        }
    }

    /// What came was whole. False: the task lost its image.
    package func setFetched(
        _ id: ImageID, task: ImageTaskID, _ data: StoredData, at time: Timestamp, _ tx: any Transaction
    ) throws -> Bool {
        try tx.execute(
            """
            UPDATE images SET staged = \(StagedData(data).text), size = \(data.sizeBytes), updated_at = \(time)
             WHERE id = \(id) AND import_task = \(task)
            """) == 1
    }

    /// What is left to fill, and what could not be. False: the task lost its image.
    package func setProgress(
        _ id: ImageID, task: ImageTaskID, importing: [String], failed: [String], at time: Timestamp,
        _ tx: any Transaction
    ) throws -> Bool {
        try tx.execute(
            """
            UPDATE images
               SET importing_stores = \(StoreList.text(importing)), failed_stores = \(StoreList.text(failed)),
                   updated_at = \(time)
             WHERE id = \(id) AND import_task = \(task)
            """) == 1
    }

    /// The task lets go of an image that is as it should be. False: it lost it.
    package func release(_ id: ImageID, task: ImageTaskID, at time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            UPDATE images SET import_task = NULL, importing_stores = '', updated_at = \(time)
             WHERE id = \(id) AND import_task = \(task)
            """) == 1
    }

    /// Back to how the image was before the task: active without the new copies, or queued without bytes.
    package func undo(
        _ id: ImageID, task: ImageTaskID, failed: [String], at time: Timestamp, _ tx: any Transaction
    ) throws {
        try tx.execute(
            """
            UPDATE images
               SET status = \(Image.Status.queued.rawValue), blob_name = NULL, staged = NULL, size = NULL,
                   virtual_size = NULL
             WHERE id = \(id) AND import_task = \(task) AND status = \(Image.Status.importing.rawValue)
            """)
        try tx.execute(
            """
            UPDATE images
               SET import_task = NULL, importing_stores = '', failed_stores = \(StoreList.text(failed)),
                   updated_at = \(time)
             WHERE id = \(id) AND import_task = \(task)
            """)
    }
}
