// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import TaskKit

/// Makes an image of the disk of a server that runs on meanwhile. The image is there already, without bytes.
package enum CreateImageSaga: Saga {
    package static let name: StaticString = "server.create-image"
    package static let deadline = Duration.seconds(7200)

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var actor: Requester
        package var host: String
        package var image: ImageID
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("copy", run: copy, undo: discard),
        SagaStep("finish", run: finish),
    ]

    /// Copies and uploads in one go: the copy is large, and the file of a step that was repeated would be another.
    private static func copy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.server, SagaRun.id)
        guard let server = try await parts.database.read({ try stores.servers.server(id, $0) }),
            server.sagaRun == run, !server.isDeleted
        else { throw CloudError.conflict("Instance \(id) was deleted while an image was made of it.") }
        let principal = ledger.actor.principal
        if let image = try await parts.images.image(ledger.image, for: principal), image.status == "active" { return }
        let copy = try await parts.call(
            ledger.host, CopyRootDisk(server: id, copy: ledger.image.rawValue), timeout: parts.config.imageTimeout)
        try await parts.images.upload(ledger.image, from: copy.path, for: principal)
    }

    private static func discard(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await parts.images.discard(ledger.image, for: ledger.actor.principal)
        try await removeCopy(ledger, parts)
    }

    /// The copy of a host that is away goes with the server's folder.
    private static func removeCopy(_ ledger: Ledger, _ parts: ComputeParts) async throws {
        guard try await parts.isUp(ledger.host) else { return }
        _ = try await parts.call(
            ledger.host, RemoveRootDiskCopy(server: ledger.server, copy: ledger.image.rawValue),
            timeout: parts.config.powerTimeout)
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await removeCopy(ledger, parts)
        try await end(ledger, nil, parts)
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await end(ledger, error, parts)
    }

    /// The server is what it was.
    private static func end(_ ledger: Ledger, _ error: CloudError?, _ parts: ComputeParts) async throws {
        let (stores, run, now) = (parts.stores, SagaRun.id, parts.clock.now())
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(ledger.server, transaction), server.sagaRun == run,
                let state = server.state.after(.imageFinished)
            else { return }
            _ = try stores.servers.move(server, to: state, run: nil, at: now, transaction)
            if let error { try stores.servers.setFault(ledger.server, ServerFault(error, at: now), transaction) }
            try stores.actions.finish(
                ledger.server, request: ledger.requestID, error: error, host: ledger.host, at: now, transaction)
        }
    }
}
