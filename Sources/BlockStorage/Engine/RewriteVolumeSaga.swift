// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import TaskKit

/// Gives a volume, which nobody has open, other bytes: those of its latest snapshot, or of an image.
package enum RewriteVolumeSaga: Saga {
    package static let name: StaticString = "volume.rewrite"
    package static let deadline = Duration.seconds(24 * 3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait + parts.config.copyTimeout
    }

    package enum Content: Codable, Sendable, Equatable {
        case snapshot(VolumeSnapshotID)
        case image(ImageInfo, metadata: [String: String])

        var work: VolumeWork {
            switch self {
            case .snapshot: .revert
            case .image: .reimage
            }
        }
    }

    package struct Ledger: Codable, Sendable, VolumeLedger {
        package var volume: VolumeID
        package var requestID: String
        package var content: Content
        package var location: String?

        package init(volume: VolumeID, requestID: String, content: Content) {
            self.volume = volume
            self.requestID = requestID
            self.content = content
        }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("rewrite", run: rewrite),
        SagaStep("finish", run: finish),
    ]

    private static func rewrite(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let volume = try await parts.held(ledger.volume)
        guard let host = volume.host else { throw BlockStorageParts.lost(volume.id) }
        let (stores, handle) = (parts.stores, try await parts.handle(volume))
        switch ledger.content {
        case .snapshot(let id):
            guard let snapshot = try await parts.database.read({ try stores.snapshots.snapshot(id, $0) }) else {
                throw VolumeErrors.notFound(id)
            }
            let reply = try await parts.call(
                host, .revert(handle, to: try await parts.handle(snapshot)), timeout: parts.config.copyTimeout)
            ledger.location = reply.location
        case .image(let image, _):
            let source = VolumeImage(
                id: image.id.rawValue, format: image.diskFormat ?? "raw", virtualSizeBytes: image.virtualSizeBytes)
            let reply = try await parts.call(
                host, .reimage(handle, from: source), timeout: parts.config.copyTimeout)
            ledger.location = reply.location
        }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now, done) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now(), ledger)
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard var volume = try stores.volumes.volume(id, transaction) else { throw BlockStorageParts.lost(id) }
            if volume.sagaRun != run, volume.location == done.location { return }
            guard volume.sagaRun == run, let state = volume.state.after(.workFinished(done.content.work)),
                try stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
            else { throw BlockStorageParts.lost(id) }
            volume.location = done.location ?? volume.location
            if case .image(_, let metadata) = done.content {
                volume.imageMetadata = metadata
                volume.isBootable = true
            }
            try stores.volumes.update(volume, at: now, transaction)
            try release(done, run, now, stores, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            try release(ledger, run, now, stores, transaction)
            guard
                let volume = try stores.volumes.settle(
                    id, on: .workFailed(ledger.content.work), heldBy: run, at: now, transaction)
            else { return }
            if case .image = ledger.content {
                try parts.note(
                    .volume, id.rawValue, of: volume.projectID, .reimageVolume, .reimageFailed,
                    request: ledger.requestID, transaction)
            }
        }
    }

    /// The snapshot, whatever became of the volume, is as it was.
    private static func release(
        _ ledger: Ledger, _ run: SagaRunID, _ now: Timestamp, _ stores: BlockStorageStores,
        _ transaction: any Transaction
    ) throws {
        guard case .snapshot(let id) = ledger.content else { return }
        try stores.snapshots.settle(id, on: .restoreEnded, heldBy: run, at: now, transaction)
    }
}
