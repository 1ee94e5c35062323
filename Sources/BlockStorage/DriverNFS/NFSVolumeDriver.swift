// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverFiles
import BlockStorageDriverKit
import ImageContract

/// Volumes in files on a share: those of `FilesVolumeDriver`, in a folder that the agent mounts here and every host
/// mounts before it opens a volume.
package struct NFSVolumeDriver: VolumeDriver {
    private let files: FilesVolumeDriver
    private let share: VolumeConnection.Share
    private let mounter: any ShareMounter

    package init(
        _ config: NFSVolumeConfig, images: any ImageSource, mounter: any ShareMounter = KernelShareMounter(),
        clock: WallClock = .system
    ) {
        files = FilesVolumeDriver(config.files, images: images, storageProtocol: "nfs", clock: clock)
        share = .init(
            source: config.share ?? "", mountPoint: config.mountDirectory, options: config.mountOptions)
        self.mounter = mounter
    }

    package var movesOnSnapshot: Bool { files.movesOnSnapshot }

    package func start() async throws {
        try await mounter.ensureMounted(share)
        try await files.start()
    }

    /// Also looks after the mount: without it the folder below it would be taken for the share.
    package func pool() async throws -> VolumePool {
        try await mounter.ensureMounted(share)
        return try await files.pool()
    }

    package func create(_ volume: VolumeHandle, from source: VolumeSource) async throws -> String {
        try await mounter.ensureMounted(share)
        return try await files.create(volume, from: source)
    }

    package func reimage(_ volume: VolumeHandle, from image: VolumeImage) async throws -> String {
        try await mounter.ensureMounted(share)
        return try await files.reimage(volume, from: image)
    }

    package func delete(_ volume: VolumeHandle) async throws {
        try await mounter.ensureMounted(share)
        try await files.delete(volume)
    }

    package func extend(_ volume: VolumeHandle, toGiB size: Int, isOpen: Bool) async throws {
        try await files.extend(volume, toGiB: size, isOpen: isOpen)
    }

    package func createSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle
    ) async throws -> VolumeSnapshotResult { try await files.createSnapshot(snapshot, of: volume) }

    package func deleteSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        try await files.deleteSnapshot(snapshot)
    }

    package func revert(_ volume: VolumeHandle, to snapshot: VolumeSnapshotHandle) async throws -> String {
        try await files.revert(volume, to: snapshot)
    }

    package func connect(
        _ volume: VolumeHandle, to connector: HostConnector, isReadOnly: Bool
    ) async throws -> VolumeConnection {
        var connection = try await files.connect(volume, to: connector, isReadOnly: isReadOnly)
        connection.share = share
        return connection
    }

    package func disconnect(_ volume: VolumeHandle, from connector: HostConnector) async throws {
        try await files.disconnect(volume, from: connector)
    }

    package func export(
        _ content: VolumeContent, to path: String, format: VolumeConnection.Format
    ) async throws { try await files.export(content, to: path, format: format) }

    package func restore(
        _ volume: VolumeHandle, from path: String, format: VolumeConnection.Format
    ) async throws -> String { try await files.restore(volume, from: path, format: format) }

    package func sweep(
        keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration
    ) async throws -> [String] {
        try await mounter.ensureMounted(share)
        return try await files.sweep(keeping: volumes, snapshots, olderThan: age)
    }

    package func foreignVolumes() async throws -> [ForeignVolume] {
        try await mounter.ensureMounted(share)
        return try await files.foreignVolumes()
    }

    package func manage(_ volume: VolumeHandle, reference: String) async throws -> String {
        try await mounter.ensureMounted(share)
        return try await files.manage(volume, reference: reference)
    }

    package func unmanage(_ volume: VolumeHandle) async throws {
        try await mounter.ensureMounted(share)
        try await files.unmanage(volume)
    }

    package func foreignSnapshots(of volumes: [VolumeHandle]) async throws -> [ForeignSnapshot] {
        try await mounter.ensureMounted(share)
        return try await files.foreignSnapshots(of: volumes)
    }

    package func manageSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle, reference: String
    ) async throws -> String {
        try await mounter.ensureMounted(share)
        return try await files.manageSnapshot(snapshot, of: volume, reference: reference)
    }

    package func unmanageSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        try await mounter.ensureMounted(share)
        try await files.unmanageSnapshot(snapshot)
    }
}
