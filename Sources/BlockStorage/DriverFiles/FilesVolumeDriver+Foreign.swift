// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import LinuxKit

/// What the operator has in the folder: files with names that are no layers'.
extension FilesVolumeDriver {
    package func foreignVolumes() async throws -> [ForeignVolume] {
        try await FileSystem.onThread {
            try store.inventory(now: now).foreign.filter(Self.isVolume).compactMap { file in
                guard let size = try? foreignLayer(file).sizeBytes else { return nil }  // cannot be taken over, either
                return ForeignVolume(reference: file, sizeGiB: Int((size + (1 << 30) - 1) >> 30))
            }
        }
    }

    /// The file gets the volume's name; raw bytes become a frozen layer with a head above.
    package func manage(_ volume: VolumeHandle, reference: String) async throws -> String {
        let head = try LayerName.first(of: volume.id)
        let base = try LayerName.rawBase(of: volume.id)
        let isRaw = !reference.hasSuffix(".qcow2")
        let target = isRaw ? base : head
        try await FileSystem.onThread {
            if store.exists(head) || store.exists(target) { return }
            guard Self.isVolume(reference), try isFile(reference) else {
                throw CloudError.notFound(
                    "There is no volume '\(reference)' that could be managed.", kind: "ManageExistingInvalidReference")
            }
            // Looked at before it is trusted: an image of somebody else may name any file.
            _ = try foreignLayer(reference)
            try DurableFiles.rename(path(of: reference), to: store.path(target))
        }
        if isRaw {
            let size = try await FileSystem.onThread { try store.layer(base).sizeBytes }
            try await store.make(
                head, on: base, sizeBytes: max(volume.sizeBytes, size), passphrase: volume.passphrase)
        }
        try await extend(volume, toGiB: volume.sizeGiB, isOpen: false)
        return head.text
    }

    package func unmanage(_ volume: VolumeHandle) async throws {
        let head = try head(volume)
        let target = path(of: try LayerName.unmanaged(volume.id))
        try await gate.use([volume.id.rawValue]) {
            try await FileSystem.onThread {
                if store.exists(head) { try DurableFiles.rename(store.path(head), to: target) }
            }
        }
        gate.setConnected(volume.id.rawValue, false)
    }

    // MARK: Snapshots

    package func foreignSnapshots(of volumes: [VolumeHandle]) async throws -> [ForeignSnapshot] {
        let heads = try volumes.map { ($0.id, try head($0)) }
        return try await FileSystem.onThread {
            let inventory = try store.inventory(now: now)
            // The layers that each volume rests on, found when the first snapshot asks.
            var chains: [VolumeID: Set<LayerName>] = [:]
            return inventory.foreign.filter(Self.isSnapshot).compactMap { file in
                guard let layer = try? foreignLayer(file), let below = layer.backing else { return nil }  // no snapshot
                // Clones rest on it, too, and a volume that was given back and taken over has another id.
                let owner = heads.first { below.isLayer(of: $0.0) } ?? heads.first { id, head in
                    let chain = chains[id] ?? inventory.closure([head]) ?? []
                    chains[id] = chain
                    return chain.contains(below)
                }
                guard let owner else { return nil }
                return ForeignSnapshot(
                    reference: file, sizeGiB: Int((layer.sizeBytes + (1 << 30) - 1) >> 30), volume: owner.0)
            }
        }
    }

    /// The file becomes a layer. One that holds nothing of its own gives way to what it rests on, and is swept.
    package func manageSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle, reference: String
    ) async throws -> String {
        let taken = try LayerName.taken(snapshot.id, of: volume.id)
        return try await gate.use([volume.id.rawValue, snapshot.id.rawValue]) {
            if try await !FileSystem.onThread({ store.exists(taken) }) {
                guard try await foreignSnapshots(of: [volume]).contains(where: { $0.reference == reference }) else {
                    throw CloudError.notFound(
                        "There is no snapshot '\(reference)' that could be managed.",
                        kind: "ManageExistingInvalidReference")
                }
                try await FileSystem.onThread {
                    guard try !ImageLocks.isOpen(path(of: reference)) else {
                        throw CloudError.conflict("'\(reference)' is in use.")
                    }
                    try DurableFiles.rename(path(of: reference), to: store.path(taken))
                }
            }
            return try await FileSystem.onThread {
                let layer = try store.layer(taken)
                guard let below = layer.backing, try store.layer(below).sizeBytes == layer.sizeBytes,
                    try QCOW2Header(path: store.path(taken)).isEmpty(path: store.path(taken))
                else { return taken.text }
                return below.text
            }
        }
    }

    /// An empty file above the frozen layer, which keeps it and all below it from merges and sweeps.
    package func unmanageSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        let file = path(of: try LayerName.unmanaged(snapshot.id))
        let taken = try LayerName.taken(snapshot.id, of: snapshot.volume)
        try await gate.use([snapshot.volume.rawValue, snapshot.id.rawValue]) {
            if try await FileSystem.onThread({ FileSystem.exists(file) }) { return }
            guard !snapshot.location.isEmpty else {
                // It was taken over, and nobody heard of it.
                return try await FileSystem.onThread {
                    if store.exists(taken) { try DurableFiles.rename(store.path(taken), to: file) }
                }
            }
            let frozen = try name(snapshot.location)
            let size = try await FileSystem.onThread { try store.layer(frozen).sizeBytes }
            let temporary = store.temporary("unmanaged-snapshot-\(snapshot.id)")
            try await tool.createLayer(
                .init(
                    path: temporary, sizeBytes: max(size, Int64(snapshot.sizeGiB) << 30),
                    backing: (frozen.text, frozen.format), passphrase: snapshot.passphrase))
            try await store.publish(temporary, at: file, on: frozen, replaces: false)
        }
    }

    // MARK: Parts

    /// Blocks. A foreign file as a layer: alone, or above layers of this folder.
    private func foreignLayer(_ file: String) throws -> (sizeBytes: Int64, backing: LayerName?) {
        let path = path(of: file)
        guard file.hasSuffix(".qcow2") else { return (try FileSystem.status(path)?.size ?? 0, nil) }
        let header = try QCOW2Header(path: path)
        let backing = header.backingName.flatMap(LayerName.init)
        guard !header.hasDataFile, header.backingName == backing?.text, backing.map(store.exists) ?? true else {
            throw CloudError.badRequest(
                "'\(file)' refers to another file.", kind: "ManageExistingInvalidReference")
        }
        return (header.virtualSizeBytes, backing)
    }

    private func path(of file: String) -> String { "\(store.directory)/\(file)" }

    /// Blocks. A symbolic link is none.
    private func isFile(_ file: String) throws -> Bool {
        try FileSystem.status(path(of: file))?.isRegularFile == true
    }

    private static func isVolume(_ file: String) -> Bool {
        isManageable(file) && !LayerName.namesSnapshot(file)
            && [".qcow2", ".raw", ".img"].contains { file.hasSuffix($0) }
    }

    private static func isSnapshot(_ file: String) -> Bool {
        isManageable(file) && LayerName.namesSnapshot(file) && file.hasSuffix(".qcow2")
    }

    private static func isManageable(_ file: String) -> Bool {
        LayerName.isPlain(file) && !file.hasSuffix(LayerName.temporarySuffix) && LayerName(file) == nil
    }
}
