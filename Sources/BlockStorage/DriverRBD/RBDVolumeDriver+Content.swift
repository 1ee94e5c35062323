// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import LinuxKit

extension RBDVolumeDriver {
    package func export(
        _ content: VolumeContent, to path: String, format: VolumeConnection.Format
    ) async throws {
        let (source, sizeGiB, passphrase): (ImageNode, Int, String?)
        switch content {
        case .volume(let volume):
            (source, sizeGiB, passphrase) = (
                node(try location(volume), sizeGiB: volume.sizeGiB, volume.passphrase), volume.sizeGiB,
                volume.passphrase
            )
        case .snapshot(let snapshot):
            let (image, name) = try RBDName.parts(snapshot)
            (source, sizeGiB, passphrase) = (
                node(image, snapshot: name, sizeGiB: snapshot.sizeGiB, snapshot.passphrase), snapshot.sizeGiB,
                snapshot.passphrase
            )
        }
        try await tool.export(
            source, sizeBytes: Int64(sizeGiB) << 30, passphrase: passphrase, to: path, format: format,
            secretDirectory: config.scratchDirectory)
    }

    package func restore(
        _ volume: VolumeHandle, from path: String, format: VolumeConnection.Format
    ) async throws -> String {
        let source = try await staging.check(path, driver: format.rawValue)
        try ImageStaging.checkFits(try await staging.virtualSize(source), sizeGiB: volume.sizeGiB)
        return try await overwrite(volume, from: source)
    }

    package func reimage(_ volume: VolumeHandle, from image: VolumeImage) async throws -> String {
        try ImageStaging.checkFits(image.virtualSizeBytes, sizeGiB: volume.sizeGiB)
        return try await reading(try RBDName.image(image.id)) {
            let base = try await ensureImage(image.id, format: image.format)
            let size = try await cluster().run { try $0.size(base, snapshot: Self.base) }
            try ImageStaging.checkFits(size, sizeGiB: volume.sizeGiB)
            return try await overwrite(volume, from: node(base, snapshot: Self.base, nil))
        }
    }

    /// Empties the image and fills it: its snapshots keep what they have, which a new image could not.
    private func overwrite(_ volume: VolumeHandle, from source: ImageNode) async throws -> String {
        let (name, bytes) = (try location(volume), Self.storedBytes(volume))
        try await cluster().run { pool in
            if try pool.exists(name) {
                try pool.resize(name, toBytes: 0)
                try pool.resize(name, toBytes: bytes)
            } else {
                try pool.make(name, bytes: bytes)
            }
            if let passphrase = volume.passphrase { try pool.encrypt(name, passphrase: passphrase) }
        }
        try await tool.copy(
            source, passphrase: nil, to: node(name, sizeGiB: volume.sizeGiB, volume.passphrase),
            targetPassphrase: volume.passphrase,
            secretDirectory: config.scratchDirectory)
        return name
    }

    package func sweep(
        keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration
    ) async throws -> [String] {
        let keptVolumes = Set(try volumes.map { try RBDName.volume($0.id) })
        let keptSnapshots = Set(try snapshots.map { try RBDName.snapshot($0.id) })
        let latest = clock.now().microseconds / 1_000_000 - age.components.seconds
        let scratch = try await ScratchFolder.sweep(config.scratchDirectory, olderThan: age, now: clock.now())
        return try await cluster().run { pool in
            var removed = scratch
            for name in try pool.names() where RBDName.isOwn(name) && !isRead(name) {
                do {
                    guard try pool.madeSeconds(name) <= latest else { continue }
                    removed += try Self.sweep(name, pool, keptVolumes, keptSnapshots)
                } catch let error as RBDError {
                    // Open somewhere, or gone since it was listed: a later sweep looks again.
                    log.warning("image not swept", ["image": name, "error": error])
                }
            }
            return removed.sorted()
        }
    }

    private static func sweep(
        _ name: String, _ pool: RBDPool, _ keptVolumes: Set<String>, _ keptSnapshots: Set<String>
    ) throws -> [String] {
        if keptVolumes.contains(name) {
            // What its clones and deleted snapshots needed, once nobody does.
            var removed: [String] = []
            for snapshot in try pool.snapshots(name)
            where snapshot.hasPrefix("clone-") || snapshot.hasPrefix("deleted-") {
                // Its clone may be in the making.
                if keptVolumes.contains("volume-" + snapshot.dropFirst("clone-".count)) { continue }
                guard try !pool.hasChildren(snapshot, of: name) else { continue }
                try pool.removeSnapshot(snapshot, of: name)
                removed.append("\(name)@\(snapshot)")
            }
            return removed
        }
        let snapshots = try pool.snapshots(name)
        guard keptSnapshots.isDisjoint(with: snapshots) else { return [] }
        guard try removeSnapshots(of: name, pool) else {
            // An image keeps its snapshot for the volumes that rest on it.
            return []
        }
        try pool.remove(name)
        return [name]
    }
}
