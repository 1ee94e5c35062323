// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import TaskKit

/// Makes an image of a volume's bytes. The image's record is there before. Those of a volume that a guest uses come
/// from a snapshot that is made for this and goes afterwards.
package enum UploadVolumeSaga: Saga {
    package static let name: StaticString = "volume.upload"
    package static let deadline = Duration.seconds(24 * 3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        CreateSnapshotSaga.waits(parts) + parts.config.lockWait + parts.config.copyTimeout * 2
    }

    package struct Ledger: Codable, Sendable {
        package var volume: VolumeID
        package var image: ImageID
        package var requester: Requester
        package var requestID: String
        package var format: VolumeConnection.Format
        /// What is copied, made by a run of its own that began with this one; nil: the volume itself.
        package var snapshot: VolumeSnapshotID?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: discard),
        SagaStep("export", run: export, undo: removeFile),
        SagaStep("upload", run: upload),
        SagaStep("clean", run: clean),
        SagaStep("finish", run: finish),
    ]

    private static func lock(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        if let frozen = frozen(ledger, parts) { return try await frozen.hold() }
        try await parts.lock(ledger.volume)
    }

    /// The image, whose bytes never came, goes with the lock.
    private static func discard(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await parts.imageUpload?.discard(ledger.image, for: ledger.requester.principal)
        try await frozen(ledger, parts)?.drop()
        try await parts.unlock(ledger.volume)
    }

    private static func frozen(_ ledger: Ledger, _ parts: BlockStorageParts) -> TemporarySnapshot? {
        ledger.snapshot.map { TemporarySnapshot(id: $0, parts: parts) }
    }

    private static func path(_ ledger: Ledger, _ parts: BlockStorageParts) -> String {
        ScratchFiles.path("image-\(ledger.image)", parts.config)
    }

    private static func export(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (content, host) = try await parts.content(of: ledger.volume, frozenAs: ledger.snapshot)
        try await ScratchFiles.prepare(parts.config)
        try await parts.call(
            host, .export(content, path: path(ledger, parts), format: ledger.format),
            timeout: parts.config.copyTimeout)
    }

    private static func removeFile(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await ScratchFiles.remove(path(ledger, parts))
    }

    private static func upload(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let images = parts.imageUpload else {
            throw CloudError(.notImplemented, "This cloud makes no images of volumes.")
        }
        try await images.upload(
            ledger.image, from: path(ledger, parts), limit: parts.config.copyTimeout, for: ledger.requester.principal)
    }

    private static func clean(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        try await ScratchFiles.remove(path(ledger, parts))
        try await frozen(ledger, parts)?.clean()
    }

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            try stores.volumes.settle(id, on: .workFinished(.upload), heldBy: run, at: now, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard
                let volume = try stores.volumes.settle(
                    id, on: .workFailed(.upload), heldBy: run, at: now, transaction)
            else { return }
            try parts.note(
                .volume, id.rawValue, of: volume.projectID, .copyVolumeToImage, .uploadFailed,
                request: ledger.requestID, transaction)
        }
    }
}
