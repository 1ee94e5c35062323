// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// What the operator has: images of the pool, and snapshots of volumes, with names that are not this driver's.
extension RBDVolumeDriver {
    package func foreignVolumes() async throws -> [ForeignVolume] {
        try await cluster().run { pool in
            try pool.names().filter { !RBDName.isOwn($0) }.map {
                ForeignVolume(reference: $0, sizeGiB: Int((try pool.size($0) + (1 << 30) - 1) >> 30))
            }
        }
    }

    package func manage(_ volume: VolumeHandle, reference: String) async throws -> String {
        let (name, bytes) = (try RBDName.volume(volume.id), Self.storedBytes(volume))
        try await cluster().run { pool in
            if try !pool.exists(name) {
                guard !reference.isEmpty, !RBDName.isOwn(reference), try pool.exists(reference) else {
                    throw CloudError.notFound(
                        "There is no volume '\(reference)' that could be managed.",
                        kind: "ManageExistingInvalidReference")
                }
                try pool.rename(reference, to: name)
            }
            try pool.grow(name, toBytes: bytes)
        }
        return name
    }

    package func unmanage(_ volume: VolumeHandle) async throws {
        let (name, target) = (try location(volume), try RBDName.unmanaged(volume.id))
        try await cluster().run { pool in
            if try pool.exists(name) { try pool.rename(name, to: target) }
        }
    }
    package func foreignSnapshots(of volumes: [VolumeHandle]) async throws -> [ForeignSnapshot] {
        let images = try volumes.map { ($0.id, try location($0)) }
        return try await cluster().run { pool in
            try images.flatMap { volume, image in
                guard try pool.exists(image) else { return [ForeignSnapshot]() }
                return try pool.snapshots(image).filter { !RBDName.isOwnSnapshot($0) }.map {
                    ForeignSnapshot(
                        reference: $0, sizeGiB: Self.contentGiB(try pool.size(image, snapshot: $0)), volume: volume)
                }
            }
        }
    }

    package func manageSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle, reference: String
    ) async throws -> String {
        let (image, name) = (try location(volume), try RBDName.snapshot(snapshot.id))
        try await cluster().run { pool in
            let known = try pool.snapshots(image)
            if !known.contains(name) {
                guard !RBDName.isOwnSnapshot(reference), known.contains(reference) else {
                    throw CloudError.notFound(
                        "There is no snapshot '\(reference)' that could be managed.",
                        kind: "ManageExistingInvalidReference")
                }
                try pool.renameSnapshot(reference, of: image, to: name)
            }
            // The operator's own may be one that cannot be cloned yet.
            try pool.ensureSnapshot(name, of: image)
        }
        return "\(image)@\(name)"
    }

    package func unmanageSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        let (image, name) = try RBDName.parts(snapshot)
        let target = try RBDName.unmanaged(snapshot.id)
        try await cluster().run { pool in
            guard try pool.exists(image), try pool.snapshots(image).contains(name) else { return }
            try pool.renameSnapshot(name, of: image, to: target)
        }
    }

    /// Without the header of an encrypted one.
    private static func contentGiB(_ bytes: Int64) -> Int {
        let gibibyte: Int64 = 1 << 30
        let header = bytes % gibibyte == headerBytes ? headerBytes : 0
        return Int((bytes - header + gibibyte - 1) / gibibyte)
    }
}
