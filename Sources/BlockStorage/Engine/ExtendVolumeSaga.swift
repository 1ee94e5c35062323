// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import TaskKit

/// Makes a volume larger, and tells the guests that use it.
package enum ExtendVolumeSaga: Saga {
    package static let name: StaticString = "volume.extend"
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: BlockStorageParts) -> Duration {
        parts.config.lockWait + parts.config.copyTimeout
    }

    package struct Ledger: Codable, Sendable, VolumeLedger {
        package var volume: VolumeID
        package var requestID: String
        package var sizeGiB: Int
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("lock", run: lock, undo: unlock),
        SagaStep("extend", run: extend),
        SagaStep("tell", run: tell),
        SagaStep("finish", run: finish),
    ]

    private static func extend(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let volume = try await parts.held(ledger.volume)
        guard let host = volume.host else { throw BlockStorageParts.lost(volume.id) }
        try await parts.call(
            host,
            .extend(
                try await parts.handle(volume), toGiB: ledger.sizeGiB, isOpen: volume.state.previous == .inUse),
            timeout: parts.config.copyTimeout)
    }

    private static func tell(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        guard let compute = parts.compute.service else { return }
        let (stores, id) = (parts.stores, ledger.volume)
        let attachments = try await parts.database.read { try stores.attachments.attachments(of: id, $0) }
        for server in attachments.compactMap(\.server) {
            try await compute.resizeVolume(
                id.rawValue, of: ServerID(server), toBytes: Int64(ledger.sizeGiB) << 30, request: ledger.requestID)
        }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now, size) = (
            parts.stores, SagaRun.id, ledger.volume, parts.clock.now(), ledger.sizeGiB
        )
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard var volume = try stores.volumes.volume(id, transaction) else { throw BlockStorageParts.lost(id) }
            if volume.sagaRun != run, volume.sizeGiB == size { return }
            guard volume.sagaRun == run, let state = volume.state.after(.workFinished(.extend)),
                try stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
            else { throw BlockStorageParts.lost(id) }
            volume.sizeGiB = size
            volume.pendingSizeGiB = nil
            try stores.volumes.update(volume, at: now, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.volume, parts.clock.now())
        try await parts.database.write { transaction in
            try stores.locks.releaseAll(of: run.rawValue, transaction)
            guard
                var volume = try stores.volumes.settle(
                    id, on: .workFailed(.extend), heldBy: run, at: now, transaction)
            else { return }
            volume.pendingSizeGiB = nil
            try stores.volumes.update(volume, at: now, transaction)
            try parts.note(
                .volume, id.rawValue, of: volume.projectID, .extendVolume, .extendFailed, request: ledger.requestID,
                transaction)
        }
    }
}
