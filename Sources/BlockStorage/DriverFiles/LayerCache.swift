// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit
import Synchronization

/// Layers as their headers described them, so that a folder of thousands need not be read every few seconds. For
/// numbers only: what decides about files reads them.
final class LayerCache: Sendable {
    /// Times of files are kept in whole seconds: two changes within one look alike.
    private static let settleSeconds: Int64 = 2

    struct Stamp: Sendable, Equatable {
        var sizeBytes: Int64
        var modifiedSeconds: Int64
        var changedSeconds: Int64
    }

    private let layers = Mutex<[LayerName: (stamp: Stamp, layer: Layer)]>([:])

    /// What `read` gave when the file was as it is now.
    func layer(_ name: LayerName, _ stamp: Stamp, now: Timestamp, read: () throws -> Layer) rethrows -> Layer {
        if let known = layers.withLock({ $0[name] }), known.stamp == stamp { return known.layer }
        let layer = try read()
        let isSettled =
            now.microseconds / 1_000_000 - max(stamp.modifiedSeconds, stamp.changedSeconds) >= Self.settleSeconds
        layers.withLock { $0[name] = isSettled ? (stamp, layer) : nil }
        return layer
    }

    func keep(only names: Set<LayerName>) {
        layers.withLock { layers in layers = layers.filter { names.contains($0.key) } }
    }
}

extension LayerStore {
    /// Blocks. The sum of the sizes of the volumes: of those of their layers that nothing rests on.
    func promisedBytes(now: Timestamp) throws -> Int64 {
        var layers: [LayerName: Layer] = [:]
        for file in try FileSystem.list(directory) {
            guard let name = LayerName(file), let status = try FileSystem.status(path(name)), status.isRegularFile
            else { continue }
            let stamp = LayerCache.Stamp(
                sizeBytes: status.size, modifiedSeconds: status.modifiedSeconds, changedSeconds: status.changedSeconds)
            layers[name] = try? cache.layer(name, stamp, now: now) { try layer(name) }  // unreadable: the sweep says so
        }
        cache.keep(only: Set(layers.keys))
        let below = Set(layers.values.compactMap(\.backing))
        return layers.values.reduce(0) { sum, layer in
            layer.name.isVolumeLayer && !below.contains(layer.name) ? sum + layer.sizeBytes : sum
        }
    }
}
