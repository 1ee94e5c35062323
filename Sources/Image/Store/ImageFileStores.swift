// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract
import LifecycleKit

/// The stores by their names. The default one also takes what is staged, and holds the cache in a directory of its own.
package struct ImageFileStores: Sendable {
    package let defaultName: String
    /// In order.
    package let names: [String]
    /// Threads that copy from one store into another, so that no upload waits for them.
    private static let copyThreads = 2

    let copiers = BlockingPool("image-copy", threads: copyThreads)
    let staging: FileImageStore
    let cache: FileImageStore
    private let stores: [String: FileImageStore]

    /// All share the threads of `files`.
    init(_ files: FileImageStore, _ config: ImageConfig) {
        var stores: [String: FileImageStore] = [:]
        for (name, directory) in ImageConfig.furtherStores(config.stores) ?? [] {
            stores[name] = FileImageStore(directory: directory, pool: files.pool)
        }
        stores[config.storeID] = files
        self.stores = stores
        defaultName = config.storeID
        names = stores.keys.sorted()
        staging = files
        cache = FileImageStore(directory: files.directory + "/cache", pool: files.pool)
    }

    package func has(_ name: String) -> Bool { stores[name] != nil }

    /// Nil for a store that the operator has taken away.
    func store(_ name: String) -> FileImageStore? { stores[name] }

    /// Creates the directories.
    func prepare() async throws {
        for store in stores.values { try await store.prepare() }
        try await cache.prepare()
    }

    /// A file's descriptor, which the caller closes, out of the first store that has it; nil when none has.
    func open(_ blob: String, in names: [String]) async throws -> (descriptor: Int32, sizeBytes: Int64)? {
        for store in available(names) {
            if let file = try await store.open(blob) { return file }
        }
        return nil
    }

    /// Puts the bytes at `target`. False: no store has them.
    func place(_ blob: String, in names: [String], at target: String) async throws -> Bool {
        for store in available(names) where try await store.place(blob, at: target) { return true }
        return false
    }

    /// Deletes a blob, whole or not, from each of `names`.
    func remove(_ blob: String, from names: [String]) async {
        for store in available(names) { await store.remove(blob) }
    }

    /// The default store first: it is the nearest.
    private func available(_ names: [String]) -> [FileImageStore] {
        names.sorted { ($0 == defaultName ? 0 : 1, $0) < ($1 == defaultName ? 0 : 1, $1) }.compactMap { stores[$0] }
    }
}
