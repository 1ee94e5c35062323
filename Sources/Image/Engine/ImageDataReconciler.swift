// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import LogKit
import TaskKit

/// Keeps rows and files equal: frees images whose upload died, removes files that no row names.
package struct ImageDataReconciler: Reconciler {
    package let name = "image data"
    package let interval: Duration = .seconds(60)

    private let engine: ImageEngine
    private let log = Logger("image")

    package init(_ engine: ImageEngine) { self.engine = engine }

    package func reconcile() async throws -> Int {
        let repaired = try await freeDeadUploads()
        return repaired + (try await removeWaste())
    }

    private func freeDeadUploads() async throws -> Int {
        let now = engine.clock.now()
        let limit = now - engine.config.uploadSilence
        let data = engine.data
        let dead = try await engine.database.read { tx in try data.deadUploads(before: limit, tx) }
        for (id, blob) in dead {
            let isFree = try await engine.database.write { tx in try data.abandon(id, blob: blob, at: now, tx) }
            if isFree { await engine.files.remove(blob) }
            log.warning("dead upload ended", ["image": id, "blob": blob])
        }
        return dead.count
    }

    /// Files are listed before rows: a row names its file before the file exists, so what is listed and not named
    /// is waste, however busy the uploads are meanwhile.
    private func removeWaste() async throws -> Int {
        let files = try await engine.files.files()
        let data = engine.data
        let named = try await engine.database.read { tx in try data.allBlobs(tx) }
        var removed = 0
        for file in files {
            let isPart = file.hasSuffix(FileImageStore.partSuffix)
            let blob = isPart ? String(file.dropLast(FileImageStore.partSuffix.count)) : file
            guard Self.isBlob(blob), !named.contains(blob) else { continue }
            try await engine.files.removeFile(file)
            log.warning("image file without an image removed", ["file": file])
            removed += 1
        }
        return removed
    }

    /// Whether this program made the name: an image's id, a dot, twelve digits. Nothing else is ever touched.
    private static func isBlob(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && UUIDText.isUUID(String(parts[0])) && parts[1].utf8.count == 12
            && parts[1].utf8.allSatisfy { Hex.value($0) != nil }
    }
}
