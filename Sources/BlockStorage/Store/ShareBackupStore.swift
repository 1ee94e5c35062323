// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LifecycleKit

/// Backups on a share that another machine keeps: those of `FileBackupStore`, in the share's own root, mounted by
/// whichever call comes first. Without the share every call fails; nothing is ever written to the folder that it is
/// mounted over.
package struct ShareBackupStore: BackupStore {
    private let share: VolumeConnection.Share
    private let mounter: any ShareMounter
    private let pool: BlockingPool

    package init(
        _ share: VolumeConnection.Share, mounter: any ShareMounter,
        pool: BlockingPool = BlockingPool("backup-io", threads: 2)
    ) {
        self.share = share
        self.mounter = mounter
        self.pool = pool
    }

    package var service: String { FileBackupStore.serviceName }

    package func check() async throws -> String {
        let free = try await onShare { try await $0.freeBytes() }
        return "\(free >> 30) GiB free on \(share.source)"
    }

    package func keep(
        _ id: VolumeBackupID, from path: String, parent: VolumeBackupID?, cipher: BackupCipher?
    ) async throws -> BackupContent {
        try await onShare { try await $0.keep(id, from: path, parent: parent, cipher: cipher) }
    }

    package func fetch(
        _ id: VolumeBackupID, to path: String, sizeBytes: Int64, cipher: BackupCipher?
    ) async throws {
        try await onShare { try await $0.fetch(id, to: path, sizeBytes: sizeBytes, cipher: cipher) }
    }

    package func remove(_ id: VolumeBackupID) async throws { try await onShare { try await $0.remove(id) } }

    package func content(_ id: VolumeBackupID) async throws -> BackupContent? {
        try await onShare { try await $0.content(id) }
    }

    package func fragments(olderThan age: Duration) async throws -> [VolumeBackupID] {
        try await onShare { try await $0.fragments(olderThan: age) }
    }

    private func onShare<T: Sendable>(
        _ body: @Sendable (FileBackupStore) async throws -> T
    ) async throws -> T {
        let pool = pool
        do {
            return try await mounter.withRoot(of: share) { root in
                try await body(FileBackupStore(directory: root, pool: pool))
            }
        } catch let error as CloudError {
            let isAway = error.kind == "ShareUnavailable"
            throw CloudError(
                error.code, isAway ? "The backup store cannot be reached." : error.message, kind: error.kind,
                cause: "share \(share.source): \(error.cause ?? error.message)")
        }
    }
}
