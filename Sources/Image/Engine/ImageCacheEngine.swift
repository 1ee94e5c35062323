// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import LogKit
import PolicyKit
import TaskKit

extension PolicyName {
    package static let cacheImage: PolicyName = "cache_image"
    package static let cacheList: PolicyName = "cache_list"
    package static let cacheDelete: PolicyName = "cache_delete"
    package static let cacheClean: PolicyName = "cache_clean"
    package static let cachePrune: PolicyName = "cache_prune"
    package static let listCachedNodes: PolicyName = "list_cached_nodes"
}

/// The cache: images that administrators keep beside the controller, so that they are read while a store is slow or
/// away.
extension ImageEngine {
    package func cachedImages() async throws -> (cached: [CachedImage], queued: [CachedImage]) {
        let cache = cache
        return try await database.read { tx in
            (try cache.entries(cached: true, tx), try cache.entries(cached: false, tx))
        }
    }

    /// Asks for the image; the cache's reconciler brings it.
    package func queueForCache(_ id: ImageID, for context: CallContext) async throws {
        let now = clock.now()
        try await database.write { tx in
            let image = try access.load(id, for: .cacheImage, context, tx).image
            guard image.status == .active, let blob = image.blob else {
                throw CloudError.badRequest("Only images with status active can be targeted for queueing")
            }
            try cache.queue(id, blob: blob, sizeBytes: image.sizeBytes ?? 0, at: now, tx)
            tx.afterCommit { wakes?.wake(ImageCacheReconciler.title) }
        }
    }

    package func removeFromCache(_ id: ImageID, for context: CallContext) async throws {
        let entry = try await database.write { tx in
            let entry = try cache.entry(id, tx)
            do {
                _ = try access.load(id, for: .cacheDelete, context, tx)
            } catch let error as CloudError where error.code == .notFound && entry != nil {
                try context.authorize([:])
            }
            _ = try cache.delete(id, tx)
            return entry
        }
        if let entry { await stores.cache.remove(entry.blob) }
    }

    /// Whether the one cache that there is holds the image.
    package func isCached(_ id: ImageID, for context: CallContext) async throws -> Bool {
        try await database.read { tx in
            _ = try access.load(id, for: .listCachedNodes, context, tx)
            return try cache.entry(id, tx)?.isCached ?? false
        }
    }

    /// Empties the cache, the queue, or both.
    package func clearCache(cached: Bool, queued: Bool) async throws {
        let cache = cache
        let gone = try await database.write { tx in
            let gone = cached ? try cache.entries(cached: true, tx) : []
            if cached { try cache.clear(cached: true, tx) }
            if queued { try cache.clear(cached: false, tx) }
            return gone
        }
        for entry in gone { await stores.cache.remove(entry.blob) }
    }

    /// Removes what no entry names.
    package func cleanCache() async throws {
        _ = try await ImageCacheReconciler(self).removeWaste()
    }

    /// Removes the least used until the rest is as small as it must be. Returns how many, and how large they were.
    package func pruneCache() async throws -> (count: Int, bytes: Int64) {
        let (cache, limit) = (cache, config.cacheBytes)
        let gone = try await database.write { tx in
            let entries = try cache.entries(cached: true, tx)
            var total = entries.reduce(0) { $0 + $1.sizeBytes }
            var gone: [CachedImage] = []
            for entry in entries where total > limit {
                _ = try cache.delete(entry.imageID, tx)
                total -= entry.sizeBytes
                gone.append(entry)
            }
            return gone
        }
        for entry in gone { await stores.cache.remove(entry.blob) }
        return (gone.count, gone.reduce(0) { $0 + $1.sizeBytes })
    }

    /// The file in the cache; nil when it went meanwhile. The caller closes it.
    func openCached(_ image: Image, _ blob: String) async throws -> (descriptor: Int32, sizeBytes: Int64)? {
        guard let file = try await stores.cache.open(blob) else { return nil }
        let (cache, now) = (cache, clock.now())
        do {
            try await database.write { tx in try cache.hit(image.id, at: now, tx) }
        } catch {
            // A count that is one too low is no reason to refuse the bytes.
            log.warning("hit of the cache not counted", ["image": image.id, "error": "\(error)"])
        }
        return file
    }
}

/// Brings what was asked for into the cache, and removes what nobody asked for.
package struct ImageCacheReconciler: Reconciler {
    static let title = "image cache"

    package let name = title
    package let interval: Duration = .seconds(60)

    private let engine: ImageEngine
    private let log = Logger("image")

    package init(_ engine: ImageEngine) { self.engine = engine }

    package func reconcile() async throws -> Int {
        try await bring()
        return try await removeWaste()
    }

    /// No repair: this is how the cache fills.
    private func bring() async throws {
        let (cache, images) = (engine.cache, engine.images)
        let queued = try await engine.database.read { tx in
            try cache.entries(cached: false, tx).map { ($0, try images.image($0.imageID, tx)?.stores ?? []) }
        }
        for (entry, holders) in queued {
            do {
                try await bring(entry, holders)
            } catch {
                // The others are not to wait for one that cannot be read; it stays queued.
                log.warning("image not cached", ["image": entry.imageID, "error": "\(error)"])
            }
        }
    }

    private func bring(_ entry: CachedImage, _ holders: [String]) async throws {
        let (cache, now) = (engine.cache, engine.clock.now())
        for name in holders {
            guard let store = engine.stores.store(name) else { continue }
            guard try await store.copy(entry.blob, to: engine.stores.cache, on: engine.stores.copiers) else { continue }
            _ = try await engine.database.write { tx in try cache.setCached(entry.imageID, at: now, tx) }
            return
        }
    }

    func removeWaste() async throws -> Int {
        let (cache, database) = (engine.cache, engine.database)
        return try await engine.stores.cache.removeWaste { try await database.read { tx in try cache.blobs(tx) } }.count
    }
}
