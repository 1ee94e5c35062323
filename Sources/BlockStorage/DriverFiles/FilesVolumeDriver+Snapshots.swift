// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import LinuxKit

extension FilesVolumeDriver {
    /// Makes the layer that the volume's bytes go to from now on. A guest that has the old one open goes on with it
    /// until its host is told, so the new one stays empty until then.
    package func createSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle
    ) async throws -> VolumeSnapshotResult {
        let head = try head(volume)
        let next = try LayerName.above(snapshot.id, of: volume.id)
        return try await gate.use([volume.id.rawValue, snapshot.id.rawValue]) {
            if try await FileSystem.onThread({ store.exists(next) }) {
                let made = try await FileSystem.onThread { try store.layer(next) }
                guard let frozen = made.backing, head == frozen || head == next else {
                    throw CloudError(
                        .conflict, "The volume has changed since its snapshot began.",
                        cause: "\(next) rests on \(made.backing?.text ?? "nothing"), the volume is at \(head)")
                }
                return VolumeSnapshotResult(snapshotLocation: frozen.text, volumeLocation: next.text)
            }
            let chain = try await FileSystem.onThread { try store.chain(head) }
            guard chain.count < maximumLayers else {
                throw CloudError.conflict(
                    "The volume rests on too many snapshots. Detach it for a while, or delete some of them.")
            }
            try await store.make(
                next, on: head, sizeBytes: chain[0].sizeBytes, passphrase: volume.passphrase)
            return VolumeSnapshotResult(snapshotLocation: head.text, volumeLocation: next.text)
        }
    }

    /// Only forgets: the volume and clones rest on the layer. The sweep removes what nobody needs.
    package func deleteSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {}

    /// Puts an empty head above the snapshot in the place of the old one.
    package func revert(_ volume: VolumeHandle, to snapshot: VolumeSnapshotHandle) async throws -> String {
        let (head, frozen) = (try head(volume), try name(snapshot.location))
        return try await gate.use([volume.id.rawValue, snapshot.id.rawValue]) {
            try await refuseIfOpen(head)
            let base = try await FileSystem.onThread { try lowestEqual(try store.chain(frozen)) }
            return try await replace(head, of: volume) { target, replaces in
                try await store.make(
                    target, on: base[0].name, sizeBytes: max(volume.sizeBytes, base[0].sizeBytes),
                    passphrase: volume.passphrase, replaces: replaces)
            }
        }
    }

    /// Makes what a volume holds now a frozen layer, and returns its name. The volume keeps its location: the file
    /// there is another one afterwards, which is why nobody may have it open.
    func freeze(_ volume: VolumeHandle, for clone: VolumeID) async throws -> LayerName {
        let head = try head(volume)
        let frozen = try LayerName.frozen(volume.id, for: clone)
        try await refuseIfOpen(head)
        let (isFrozen, chain) = try await FileSystem.onThread {
            // A link that was left by a crash before the new head took its place still is the head.
            let isLeft = store.exists(frozen)
            let isFrozen = try isLeft && !DurableFiles.areSame(store.path(frozen), store.path(head))
            return (isFrozen, try lowestEqual(try store.chain(isFrozen ? frozen : head)))
        }
        if isFrozen { return frozen }
        // Nothing was written since the layer below was frozen: it is what the clone needs.
        guard chain[0].name == head else { return chain[0].name }
        guard chain.count < maximumLayers else { return head }
        try await FileSystem.onThread { try DurableFiles.link(store.path(head), as: store.path(frozen)) }
        try await store.make(
            head, on: frozen, sizeBytes: chain[0].sizeBytes, passphrase: volume.passphrase, replaces: true)
        return frozen
    }

    /// Runs `make` with the name for a volume's new content: the head's own, or another one where something rests on
    /// the head. Returns the volume's location.
    func replace(
        _ head: LayerName, of volume: VolumeHandle,
        _ make: @Sendable (_ target: LayerName, _ replaces: Bool) async throws -> Void
    ) async throws -> String {
        let target = try await FileSystem.onThread {
            guard try store.inventory(now: now).children[head] != nil else { return head }
            for number in 1...1_000_000 {
                let name = try LayerName.numbered(number, of: volume.id)
                if !store.exists(name) { return name }
            }
            throw CloudError(.unavailable, "The storage failed.", cause: "no free name for volume \(volume.id)")
        }
        try await make(target, target == head)
        return target.text
    }

    func refuseIfOpen(_ head: LayerName) async throws {
        guard try await FileSystem.onThread({ try ImageLocks.isOpenForWriting(store.path(head)) }) else { return }
        throw CloudError(.conflict, "The volume is in use.", kind: "VolumeInUse", cause: "\(head) is open")
    }
}
