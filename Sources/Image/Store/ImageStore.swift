// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// The rows of images with their properties and tags. Who may see a row is the engine's part.
package struct ImageStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, name, status, visibility, owner, disk_format, container_format, size, virtual_size, checksum, os_hash_algo,
        os_hash_value, min_disk, min_ram, protected, os_hidden, created_at, updated_at, blob_name, staged,
        import_task, importing_stores, failed_stores
        """

    private static func image(_ row: any Row) throws -> Image {
        var image = Image(id: row.id(0), name: row.textOrNil(1), owner: row.idOrNil(4), createdAt: row.timestamp(16))
        image.status = try row.word(2)
        image.visibility = try row.word(3)
        image.diskFormat = row.textOrNil(5)
        image.containerFormat = row.textOrNil(6)
        image.sizeBytes = row.int64OrNil(7)
        image.virtualSizeBytes = row.int64OrNil(8)
        image.checksum = row.textOrNil(9)
        image.hashAlgorithm = row.textOrNil(10)
        image.hashValue = row.textOrNil(11)
        image.minDiskGiB = row.int64(12)
        image.minRAMMiB = row.int64(13)
        image.isProtected = row.bool(14)
        image.isHidden = row.bool(15)
        image.updatedAt = row.timestamp(17)
        image.blob = row.textOrNil(18)
        image.staged = row.textOrNil(19).flatMap(StagedData.init(text:))
        image.importTask = row.idOrNil(20)
        image.importingStores = row.textOrNil(21).map(StoreList.read)
        image.failedStores = row.textOrNil(22).map(StoreList.read)
        return image
    }

    /// Throws `.conflict` when the id is taken.
    package func insert(_ image: Image, _ tx: any Transaction) throws {
        do {
            try tx.execute(
                """
                INSERT INTO images (id, name, status, visibility, owner, disk_format, container_format, min_disk, min_ram,
                                    protected, os_hidden, created_at, updated_at)
                VALUES (\(image.id), \(image.name), \(image.status.rawValue), \(image.visibility.rawValue), \(image.owner),
                        \(image.diskFormat), \(image.containerFormat), \(image.minDiskGiB), \(image.minRAMMiB),
                        \(image.isProtected), \(image.isHidden), \(image.createdAt), \(image.updatedAt))
                """)
        } catch DatabaseError.unique {
            throw CloudError.conflict("Image ID \(image.id) already exists!")
        }
        try writeProperties(image, tx)
        try writeTags(image, tx)
    }

    /// Writes what a patch may change. False: the row is gone.
    package func update(_ image: Image, _ tx: any Transaction) throws -> Bool {
        let changed = try tx.execute(
            """
            UPDATE images
               SET name = \(image.name), visibility = \(image.visibility.rawValue), owner = \(image.owner),
                   disk_format = \(image.diskFormat), container_format = \(image.containerFormat),
                   min_disk = \(image.minDiskGiB), min_ram = \(image.minRAMMiB), protected = \(image.isProtected),
                   os_hidden = \(image.isHidden), updated_at = \(image.updatedAt)
             WHERE id = \(image.id)
            """)
        guard changed == 1 else { return false }
        try tx.execute("DELETE FROM image_properties WHERE image_id = \(image.id)")
        try tx.execute("DELETE FROM image_tags WHERE image_id = \(image.id)")
        try writeProperties(image, tx)
        try writeTags(image, tx)
        return true
    }

    private func writeProperties(_ image: Image, _ tx: any Transaction) throws {
        for (name, value) in image.properties {
            try tx.execute(
                "INSERT INTO image_properties (image_id, name, value) VALUES (\(image.id), \(name), \(value))")
        }
    }

    private func writeTags(_ image: Image, _ tx: any Transaction) throws {
        for tag in image.tags { try tx.execute("INSERT INTO image_tags (image_id, tag) VALUES (\(image.id), \(tag))") }
    }

    package func touch(_ id: ImageID, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("UPDATE images SET updated_at = \(time) WHERE id = \(id)")
    }

    package func addTag(_ tag: String, to id: ImageID, _ tx: any Transaction) throws {
        try tx.execute(
            "INSERT INTO image_tags (image_id, tag) VALUES (\(id), \(tag)) ON CONFLICT (image_id, tag) DO NOTHING")
    }

    package func removeTag(_ tag: String, from id: ImageID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM image_tags WHERE image_id = \(id) AND tag = \(tag)") == 1
    }

    package func delete(_ id: ImageID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM image_properties WHERE image_id = \(id)")
        try tx.execute("DELETE FROM image_tags WHERE image_id = \(id)")
        try tx.execute("DELETE FROM image_members WHERE image_id = \(id)")
        try tx.execute("DELETE FROM image_stores WHERE image_id = \(id)")
        try tx.execute("DELETE FROM image_cache WHERE image_id = \(id)")
        return try tx.execute("DELETE FROM images WHERE id = \(id)") == 1
    }

    package func image(_ id: ImageID, _ tx: any Transaction) throws -> Image? {
        guard var image = try tx.first("SELECT \(Self.columns) FROM images WHERE id = \(id)", Self.image) else {
            return nil
        }
        image.properties = Dictionary(
            uniqueKeysWithValues: try tx.query("SELECT name, value FROM image_properties WHERE image_id = \(id)") {
                ($0.text(0), $0.text(1))
            })
        image.tags = try tx.query("SELECT tag FROM image_tags WHERE image_id = \(id) ORDER BY tag") { $0.text(0) }
        image.stores = try tx.query("SELECT store FROM image_stores WHERE image_id = \(id) ORDER BY store") {
            $0.text(0)
        }
        return image
    }

    // MARK: Use

    /// Bytes of a project's images, each as often as stores hold it.
    package func storedBytes(of project: ProjectID, _ tx: any Transaction) throws -> Int64 {
        try tx.first(
            """
            SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM images JOIN image_stores ON image_stores.image_id = images.id
             WHERE owner = \(project)
            """
        ) { $0.int64(0) } ?? 0
    }

    /// Bytes that wait for their import, and those that a copy brings along.
    package func stagedBytes(of project: ProjectID, _ tx: any Transaction) throws -> Int64 {
        try tx.first(
            """
            SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM images
             WHERE owner = \(project)
               AND (status IN (\(Image.Status.uploading.rawValue), \(Image.Status.importing.rawValue))
                    OR import_task IS NOT NULL)
            """
        ) { $0.int64(0) } ?? 0
    }

    package func count(of project: ProjectID, _ tx: any Transaction) throws -> Int {
        try tx.count("SELECT COUNT(*) FROM images WHERE owner = \(project)")
    }

    package func countUploading(of project: ProjectID, _ tx: any Transaction) throws -> Int {
        try tx.count(
            """
            SELECT COUNT(*) FROM images
             WHERE owner = \(project)
               AND (status IN (\(Image.Status.saving.rawValue), \(Image.Status.uploading.rawValue),
                               \(Image.Status.importing.rawValue))
                    OR import_task IS NOT NULL)
            """)
    }

    // MARK: Read

    package func images(_ ids: [ImageID], _ tx: any Transaction) throws -> [Image] {
        let images = try tx.query("SELECT \(Self.columns) FROM images WHERE id IN \(list: ids)", Self.image)
        return try complete(images, tx)
    }

    package func list(_ query: ImageListQuery, _ tx: any Transaction) throws -> [Image] {
        let sql: SQL = "SELECT \(Self.columns) FROM images \(try query.clauses())"
        return try complete(try tx.query(sql, Self.image), tx)
    }

    /// Adds properties, tags and stores, with one query each for the whole page.
    private func complete(_ images: [Image], _ tx: any Transaction) throws -> [Image] {
        guard !images.isEmpty else { return [] }
        var images = images
        let places = Dictionary(uniqueKeysWithValues: images.enumerated().map { ($1.id.rawValue, $0) })
        let ids = images.map(\.id)
        try tx.forEach("SELECT image_id, name, value FROM image_properties WHERE image_id IN \(list: ids)") { row in
            if let place = places[row.text(0)] { images[place].properties[row.text(1)] = row.text(2) }
        }
        try tx.forEach("SELECT image_id, tag FROM image_tags WHERE image_id IN \(list: ids) ORDER BY image_id, tag") {
            row in
            if let place = places[row.text(0)] { images[place].tags.append(row.text(1)) }
        }
        try tx.forEach(
            "SELECT image_id, store FROM image_stores WHERE image_id IN \(list: ids) ORDER BY image_id, store"
        ) { row in
            if let place = places[row.text(0)] { images[place].stores.append(row.text(1)) }
        }
        return images
    }
}

/// Names of stores in one column, between commas.
enum StoreList {
    static func read(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
    static func text(_ names: [String]) -> String { Set(names).sorted().joined(separator: ",") }
}
