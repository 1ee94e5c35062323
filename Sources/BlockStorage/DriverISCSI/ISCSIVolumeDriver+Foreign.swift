// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// What the operator has: objects with names that are not this driver's.
extension ISCSIVolumeDriver {
    package func foreignVolumes() async throws -> [ForeignVolume] {
        try await store.list().filter { BlockName($0.name) == nil && !BlockName.namesSnapshot($0.name) }.map {
            ForeignVolume(reference: $0.name, sizeGiB: Int(($0.sizeBytes + (1 << 30) - 1) >> 30))
        }
    }

    package func manage(_ volume: VolumeHandle, reference: String) async throws -> String {
        let name = try BlockName.volume(volume.id)
        if try await store.object(name.text) == nil {
            guard BlockName.isPlain(reference), BlockName(reference) == nil, !BlockName.namesSnapshot(reference),
                try await store.object(reference) != nil
            else {
                throw CloudError.notFound(
                    "There is no volume '\(reference)' that could be managed.", kind: "ManageExistingInvalidReference")
            }
            try await store.rename(reference, to: name.text)
        }
        try await store.grow(name, toBytes: Self.storedBytes(volume))
        return name.text
    }

    package func unmanage(_ volume: VolumeHandle) async throws {
        let name = try object(volume)
        try await exporter.remove(volume.id)
        if try await store.object(name.text) != nil {
            try await store.rename(name.text, to: try BlockName.unmanaged(volume.id))
        }
    }

    package func foreignSnapshots(of volumes: [VolumeHandle]) async throws -> [ForeignSnapshot] {
        let owners = Dictionary(try volumes.map { (try object($0).text, $0.id) }) { first, _ in first }
        return try await store.list().filter { BlockName($0.name) == nil && BlockName.namesSnapshot($0.name) }
            .compactMap { found in
                let owner = found.origin.flatMap { owners[$0] }
                // Of a volume that is not meant.
                if let origin = found.origin, BlockName(origin) != nil, owner == nil { return nil }
                return ForeignSnapshot(reference: found.name, sizeGiB: Self.contentGiB(found), volume: owner)
            }
    }

    package func manageSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle, reference: String
    ) async throws -> String {
        let name = try BlockName.snapshot(snapshot.id)
        if try await store.object(name.text) == nil {
            guard try await foreignSnapshots(of: [volume]).contains(where: { $0.reference == reference }) else {
                throw CloudError.notFound(
                    "There is no snapshot '\(reference)' that could be managed.",
                    kind: "ManageExistingInvalidReference")
            }
            try await store.rename(reference, to: name.text)
        }
        return name.text
    }

    package func unmanageSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        let name = try object(snapshot)
        if try await store.object(name.text) != nil {
            try await store.rename(name.text, to: try BlockName.unmanaged(snapshot.id))
        }
    }

    /// Without the header of an encrypted one.
    private static func contentGiB(_ object: BlockObject) -> Int {
        let gibibyte: Int64 = 1 << 30
        let header = object.sizeBytes % gibibyte == headerBytes ? headerBytes : 0
        return Int((object.sizeBytes - header + gibibyte - 1) / gibibyte)
    }
}
