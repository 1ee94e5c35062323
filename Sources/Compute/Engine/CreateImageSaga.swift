// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import LogKit
import TaskKit

/// Makes an image of the disk of a server that runs on meanwhile. The image is there already, without bytes.
package enum CreateImageSaga: Saga {
    package static let name: StaticString = "server.create-image"
    package static let deadline = Duration.seconds(7200)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.imageTimeout + parts.config.powerTimeout
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var actor: Requester
        package var host: String
        package var image: ImageID
        /// Nil: a snapshot.
        package var backup: Backup?
    }

    /// Of the backups of a server with the same type, only the newest stay.
    package struct Backup: Codable, Sendable, Equatable {
        package var type: String
        package var rotation: Int
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("copy", run: copy, undo: discard),
        SagaStep("finish", run: finish),
    ]

    private static func upload(_ ledger: Ledger, _ parts: ComputeParts) -> RootDiskUpload {
        RootDiskUpload(
            parts: parts, server: ledger.server, host: ledger.host, image: ledger.image, actor: ledger.actor)
    }

    private static func copy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.server, SagaRun.id)
        guard let server = try await parts.database.read({ try stores.servers.server(id, $0) }),
            server.sagaRun == run, !server.isDeleted
        else { throw CloudError.conflict("Instance \(id) was deleted while an image was made of it.") }
        try await upload(ledger, parts).run()
    }

    private static func discard(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await parts.images.discard(ledger.image, for: ledger.actor.principal)
        try await upload(ledger, parts).removeCopy()
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await upload(ledger, parts).removeCopy()
        if let backup = ledger.backup { try await rotate(backup, ledger, parts) }
        try await end(ledger, nil, parts)
    }

    /// A backup that cannot be deleted stays; the new one is what was asked for (nova: `_rotate_backups`).
    private static func rotate(_ backup: Backup, _ ledger: Ledger, _ parts: ComputeParts) async throws {
        let principal = ledger.actor.principal
        let present = try await parts.images.images(
            withProperties: [
                "image_type": "backup", "backup_type": backup.type, "instance_uuid": ledger.server.rawValue,
            ], for: principal)
        for image in present.dropFirst(max(0, backup.rotation)) {
            do {
                try await parts.images.remove(image, for: principal)
            } catch let error as CloudError {
                parts.log.warning("old backup stays", ["server": ledger.server, "image": image, "error": error])
            }
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await end(ledger, error, parts)
    }

    /// The server is what it was.
    private static func end(_ ledger: Ledger, _ error: CloudError?, _ parts: ComputeParts) async throws {
        let (stores, run, now) = (parts.stores, SagaRun.id, parts.clock.now())
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(ledger.server, transaction), server.sagaRun == run,
                let state = server.state.after(
                    ledger.backup == nil ? .imageFinished : .workFinished(.backUp, server.state.vm))
            else { return }
            _ = try stores.servers.move(server, to: state, run: nil, at: now, transaction)
            if let error { try stores.servers.setFault(ledger.server, ServerFault(error, at: now), transaction) }
            try stores.actions.finish(
                ledger.server, request: ledger.requestID, error: error, host: ledger.host, at: now, transaction)
        }
    }
}
