// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ImageContract
import TaskKit

/// Makes an image of a server that boots from a volume: snapshots of its volumes, and an image without bytes that names
/// them. The server itself is left alone.
package enum CreateVolumeImageSaga: Saga {
    package static let name: StaticString = "server.create-volume-image"
    package static let deadline = Duration.seconds(1800)

    package struct Freeze: Codable, Sendable, Equatable {
        package var volume: VolumeID
        package var snapshot: VolumeSnapshotID
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var actor: Requester
        package var image: ImageID
        package var snapshotName: String
        package var volumes: [Freeze]
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("freeze", run: freeze, undo: discard),
        SagaStep("publish", run: publish),
        SagaStep("finish", run: finish),
    ]

    private static func freeze(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        for entry in ledger.volumes {
            _ = try await parts.volumes.ensureSnapshot(
                entry.snapshot, of: entry.volume, name: ledger.snapshotName, for: ledger.actor.principal)
        }
    }

    /// Snapshots stay: they are the user's to keep or to delete, as upstream leaves them.
    private static func discard(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await parts.images.discard(ledger.image, for: ledger.actor.principal)
    }

    /// An image is active when it has its bytes, and this one has none.
    private static func publish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let principal = ledger.actor.principal
        if let image = try await parts.images.image(ledger.image, for: principal), image.status == "active" { return }
        try await parts.images.upload(
            ledger.image, from: "/dev/null", limit: parts.config.imageTimeout, for: principal)
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await end(ledger, nil, parts)
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await end(ledger, error, parts)
    }

    private static func end(_ ledger: Ledger, _ error: CloudError?, _ parts: ComputeParts) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write {
            try stores.actions.finish(
                ledger.server, request: ledger.requestID, error: error, host: nil, at: now, $0)
        }
    }
}
