// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import LogKit
import NetworkContract
import PlacementContract
import TaskKit

/// Takes a server from the shelf: starts it where it still is, or builds it on a host that the scheduler finds, from the
/// image that was made of it. A server whose unshelving failed is on the shelf as before; once its guest runs and the
/// row says so, nothing is undone, because the image may be gone.
package enum UnshelveServerSaga: Saga {
    package static let name: StaticString = "server.unshelve"
    package static let deadline = Duration.seconds(7200)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.powerTimeout + parts.config.buildTimeout + parts.config.portUpTimeout
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        /// Who shelved it, and so may remove the image.
        package var owner: Requester
        package var image: ImageID?
        package var isOffloaded: Bool
        package var hostRequest: HostRequest
        package var resources: ResourceRequest
        package var host: String?
        /// The row says that it is active.
        package var isDone: Bool?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("place", run: place, undo: giveBack),
        SagaStep("connect", run: connect, undo: disconnect),
        SagaStep("build", run: build, undo: destroy),
        SagaStep("plug", run: waitForPorts),
        SagaStep("finish", run: finish),
        SagaStep("discard", run: discard),
    ]

    private static func claim(_ ledger: Ledger, _ parts: ComputeParts) -> ServerClaim {
        ServerClaim(parts, ledger.server, .unshelve, request: ledger.requestID)
    }

    private static func placed(_ ledger: Ledger, _ parts: ComputeParts) throws -> String {
        guard let host = ledger.host else { throw claim(ledger, parts).lost }
        return host
    }

    // MARK: Place

    private static func place(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let server = try await claim(ledger, parts).held()
        guard ledger.isOffloaded else {
            ledger.host = server.host
            return
        }
        let views = try await ServerScheduler(parts).hosts(for: ledger.hostRequest, ledger.resources)
        for view in views.prefix(parts.config.placementAttempts) {
            do {
                try await parts.placement.claim(
                    consumer: server.id.rawValue, provider: ID(view.host.nodeID.rawValue),
                    resources: ledger.resources.resources, project: server.projectID, user: server.userID)
            } catch let error as CloudError where error.code == .conflict {
                continue
            }
            try await take(view, ledger, parts)
            ledger.host = view.host.host
            return
        }
        throw ServerScheduler.failure(NoValidHost([.init(host: "", reasons: ["other servers were faster"])]))
    }

    private static func take(_ view: HostView, _ ledger: Ledger, _ parts: ComputeParts) async throws {
        let (stores, run, id, lost) = (parts.stores, SagaRun.id, ledger.server, claim(ledger, parts).lost)
        try await parts.database.write { transaction in
            guard
                try stores.servers.place(
                    id, run: run, host: view.host.host, node: view.host.hypervisor.hostname, zone: view.zone,
                    transaction)
            else { throw lost }
        }
    }

    /// Nothing of a server that has another holder is given back: a deletion does that, a reset leaves it what it has.
    private static func giveBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard ledger.isOffloaded, ledger.isDone != true, try await claim(ledger, parts).heldIfAny() != nil else {
            return
        }
        try await parts.placement.release(consumer: ledger.server.rawValue)
        let (stores, id) = (parts.stores, ledger.server)
        try await parts.database.write { try stores.servers.leaveHost(id, $0) }
    }

    // MARK: Connect

    private static func connect(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard ledger.isOffloaded else { return }
        let (claim, host) = (claim(ledger, parts), try placed(ledger, parts))
        _ = try await claim.held()
        for port in try await claim.ports() {
            try await parts.networks.bindPort(port.id, server: ledger.server.rawValue, host: host)
        }
    }

    private static func disconnect(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let claim = claim(ledger, parts)
        guard ledger.isOffloaded, ledger.isDone != true, try await claim.heldIfAny() != nil else { return }
        for port in try await claim.ports() {
            try await parts.networks.unbindPort(port.id, server: ledger.server.rawValue)
        }
    }

    // MARK: Build

    private static func build(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (claim, host) = (claim(ledger, parts), try placed(ledger, parts))
        try await claim.advance(to: .spawning)
        guard ledger.isOffloaded else {
            _ = try await claim.start(on: host)
            return
        }
        var guest = try await claim.specification(on: host)
        if let id = ledger.image {
            guard let image = try await parts.images.image(id, for: ledger.owner.principal), image.status == "active"
            else {
                throw CloudError(
                    .conflict, "Unshelve attempted but the image \(id) cannot be found.",
                    kind: "UnshelveException")
            }
            guest.rootImage = .init(
                imageID: id.rawValue, format: image.diskFormat ?? "qcow2", virtualSizeBytes: image.virtualSizeBytes,
                properties: guest.properties)
        }
        try await claim.build(guest, on: host)
    }

    /// Runs even when `build` threw: the host may have acted before the connection broke.
    private static func destroy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard ledger.isDone != true, let host = ledger.host else { return }
        let claim = claim(ledger, parts)
        guard try await claim.heldIfAny() != nil else { return try await claim.destroyIfEnding(on: host) }
        if ledger.isOffloaded {
            try await claim.clear(host)
        } else if try await parts.isUp(host) {
            try await claim.stop(on: host, graceSeconds: 0)
        }
    }

    // MARK: Finish

    private static func waitForPorts(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await claim(ledger, parts).waitForPorts(on: try placed(ledger, parts))
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, now, host) = (parts.stores, parts.clock.now(), try placed(ledger, parts))
        try await claim(ledger, parts).finish(as: .active, power: .running, host: host) { server, transaction in
            try stores.servers.setLaunched(server.id, at: now, transaction)
            try stores.shelves.remove(server.id, transaction)
        }
        ledger.isDone = true
    }

    /// An image that stays is the user's to delete: it does not undo what has been done.
    private static func discard(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard let image = ledger.image else { return }
        do {
            try await parts.images.remove(image, for: ledger.owner.principal)
        } catch let error as CloudError {
            parts.log.warning("shelved image stays", ["server": ledger.server, "image": image, "error": error])
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        guard ledger.isDone != true else { return }
        try await claim(ledger, parts).fail(error, host: ledger.host)
    }
}
