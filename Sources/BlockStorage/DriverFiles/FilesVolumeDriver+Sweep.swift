// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import LifecycleKit
import LinuxKit

extension FilesVolumeDriver {
    /// Merges of one sweep: the rest has time until the next.
    private static let mergeLimit = 8
    /// For all merges of one sweep. What was copied when it is over stays copied.
    private static let mergeTime = Duration.seconds(60)

    package func sweep(
        keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration
    ) async throws -> [String] {
        var removed = try await remove(keeping: volumes, snapshots, olderThan: age)
        if try await merge(volumes, snapshots) {
            removed += try await remove(keeping: volumes, snapshots, olderThan: age)
        }
        return removed
    }

    /// Removes what no volume, no snapshot, no young file and no file of the operator rests on.
    private func remove(
        keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration
    ) async throws -> [String] {
        let roots = try roots(volumes, snapshots)
        let limit = age.components.seconds
        return try await store.layout.run {
            try await FileSystem.onThread {
                let inventory = try store.inventory(now: now)
                var removed: [String] = []
                for (file, fileAge) in inventory.temporary where fileAge >= limit {
                    try FileSystem.removeTree("\(store.directory)/\(file)")
                    removed.append(file)
                }
                let young = inventory.ages.filter { $0.value < limit }.map(\.key)
                guard let kept = inventory.closure(roots + inventory.heldByOthers + young) else {
                    // Nobody knows what lies below it, so nothing is removed.
                    log.error("layers cannot be read", ["files": inventory.unreadable.joined(separator: " ")])
                    return removed
                }
                for layer in inventory.layers.values where !kept.contains(layer.name) {
                    // Open: a guest that was moved to it, and whose host was lost before anybody wrote that down.
                    guard try !ImageLocks.isOpen(store.path(layer.name)) else { continue }
                    try DurableFiles.remove(store.path(layer.name))
                    removed.append(layer.name.text)
                }
                return removed.sorted()
            }
        }
    }

    /// Shortens chains of volumes that nobody has attached. True: a layer became free.
    private func merge(_ volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle]) async throws -> Bool {
        var hasMerged = false
        let inventory = try await FileSystem.onThread { try store.inventory(now: now) }
        let plan = LayerMergePlan.all(
            inventory,
            owners: try volumes.map { ($0.id.rawValue, try head($0), isIdle: $0.isAttached == false) }
                + snapshots.filter { !$0.location.isEmpty }
                .map { ($0.id.rawValue, try name($0.location), isIdle: true) })
        let deadline = ContinuousClock.now.advanced(by: Self.mergeTime)
        for step in plan.prefix(Self.mergeLimit) {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { break }
            let path = store.path(step.layer)
            guard try await FileSystem.onThread({ try !ImageLocks.isOpen(path) }) else { continue }
            do {
                let isDone = try await gate.merge(step.owners) {
                    try await withTimeout(left, "The merge of layers") {
                        try await tool.rebase(path, onto: step.target.map { ($0.text, $0.format) })
                    }
                }
                guard isDone else { continue }
                hasMerged = true
                log.info("layers merged", ["layer": step.layer, "onto": step.target?.text ?? "none"])
            } catch let error as CloudError {
                // The layer reads as before; the next sweep tries again.
                log.warning("layers not merged", ["layer": step.layer, "error": error])
            }
        }
        return hasMerged
    }

    private func roots(_ volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle]) throws -> [LayerName] {
        // A snapshot whose answer was lost has no location yet, but its volume may be above it already.
        try volumes.map(head)
            + snapshots.map {
                $0.location.isEmpty ? try LayerName.above($0.id, of: $0.volume) : try name($0.location)
            }
    }
}

/// One merge: what lies between a layer and its new base was needed only by that layer.
struct LayerMergePlan: Sendable, Equatable {
    /// Takes over the content between.
    var layer: LayerName
    /// What it then rests on. Nil: nothing.
    var target: LayerName?
    /// Volumes and snapshots that rest on `layer`.
    var owners: Set<String>

    /// Every merge that may be done. An image's layer is never merged: others are made from it.
    static func all(
        _ inventory: LayerInventory, owners: [(id: String, layer: LayerName, isIdle: Bool)]
    ) -> [LayerMergePlan] {
        let children = inventory.children
        let owned = Set(owners.map(\.layer))
        func isBetween(_ name: LayerName) -> Bool {
            guard let layer = inventory.layers[name] else { return false }
            return name.isVolumeLayer && !layer.isEncrypted && !owned.contains(name)
                && children[name]?.count == 1 && !inventory.heldByOthers.contains(name)
        }
        var users: [LayerName: (ids: Set<String>, areIdle: Bool)] = [:]
        for owner in owners {
            for name in inventory.closure([owner.layer]) ?? [] {
                let known = users[name] ?? ([], true)
                users[name] = (known.ids.union([owner.id]), known.areIdle && owner.isIdle)
            }
        }
        return inventory.layers.values.sorted { $0.name.text < $1.name.text }.compactMap { layer in
            // Only the topmost layer of a run takes all of it over.
            guard let user = users[layer.name], user.areIdle, !layer.isEncrypted, !isBetween(layer.name),
                let below = layer.backing, isBetween(below)
            else { return nil }
            var target: LayerName? = below
            while let name = target, isBetween(name) { target = inventory.layers[name]?.backing }
            if let target, inventory.layers[target]?.isEncrypted != false { return nil }
            return LayerMergePlan(layer: layer.name, target: target, owners: user.ids)
        }
    }
}
