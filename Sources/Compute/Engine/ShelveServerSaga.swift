// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import LogKit
import NetworkContract
import TaskKit

/// Puts a server on the shelf: off, with an image of its root disk, unless that is a volume; and then, if it is not to
/// stay on its host, away from it. Serves `shelveOffload`, too, which begins in the middle.
///
/// The row says which half is done. A server that is shelved stays so, whatever becomes of its leaving.
package enum ShelveServerSaga: Saga {
    package static let name: StaticString = "server.shelve"
    package static let deadline = Duration.seconds(7200)
    package static func waits(_ parts: ComputeParts) -> Duration {
        parts.config.powerTimeout * 3 + parts.config.shutdownGrace + parts.config.imageTimeout
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var actor: Requester
        package var host: String
        /// What the server was.
        package var origin: VMState
        /// Nil: it boots from a volume.
        package var image: ImageID?
        package var graceSeconds: Int
        package var offloads: Bool
        /// The image has the disk's bytes, and the row says so. From here on nothing is undone.
        package var isShelved: Bool
        /// The guest is going, or gone; then, when nothing of it is on the host any more.
        package var isLeaving: Bool?
        package var hasLeft: Bool?

        /// What the row says is being done.
        var work: ServerWork { isShelved ? .shelveOffload : .shelve }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("stop", run: stop, undo: restart),
        SagaStep("copy", run: copy, undo: discard),
        SagaStep("shelve", run: shelve),
        SagaStep("leave", run: leave),
        SagaStep("release", run: release),
        SagaStep("finish", run: finish),
    ]

    private static func claim(_ ledger: Ledger, _ parts: ComputeParts) -> ServerClaim {
        ServerClaim(parts, ledger.server, ledger.work, request: ledger.requestID)
    }

    private static func upload(_ ledger: Ledger, _ image: ImageID, _ parts: ComputeParts) -> RootDiskUpload {
        RootDiskUpload(parts: parts, server: ledger.server, host: ledger.host, image: image, actor: ledger.actor)
    }

    // MARK: Shelve

    private static func stop(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard !ledger.isShelved else { return }
        let claim = claim(ledger, parts)
        _ = try await claim.held()
        try await claim.stop(on: ledger.host, graceSeconds: ledger.origin == .active ? ledger.graceSeconds : 0)
    }

    /// What ran runs again. A guest that was paused or suspended has lost that, and its host's next report says so.
    private static func restart(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        // The image came with the request, so it goes even if the run never came to it.
        try await discard(&ledger, parts)
        let claim = claim(ledger, parts)
        guard !ledger.isShelved, ledger.isLeaving != true, ledger.origin == .active,
            try await claim.heldIfAny() != nil, try await parts.isUp(ledger.host)
        else { return }
        _ = try await claim.start(on: ledger.host)
    }

    private static func copy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard !ledger.isShelved, let image = ledger.image else { return }
        try await claim(ledger, parts).advance(to: .shelvingImageUploading)
        try await upload(ledger, image, parts).run()
    }

    private static func discard(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard !ledger.isShelved, let image = ledger.image else { return }
        // The row was written and the process died before it could say so: the image is all that a server off its host
        // is made of again.
        let (stores, id) = (parts.stores, ledger.server)
        guard try await parts.database.read({ try stores.shelves.shelf(of: id, $0)?.image }) != image else {
            ledger.isShelved = true
            return
        }
        try await parts.images.remove(image, for: ledger.actor.principal)
        try await upload(ledger, image, parts).removeCopy()
    }

    private static func shelve(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard !ledger.isShelved, let image = ledger.image else { return }
        try await upload(ledger, image, parts).removeCopy()
        let (stores, run, id, now, final) = (parts.stores, SagaRun.id, ledger.server, parts.clock.now(), ledger)
        let lost = claim(ledger, parts).lost
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else { throw lost }
            // The first try committed and the process died before it could say so.
            if server.state.vm == .shelved, try stores.shelves.shelf(of: id, transaction)?.image == image { return }
            guard server.sagaRun == run, let shelved = server.state.after(.workFinished(.shelve, .shelved)),
                let state = final.offloads ? shelved.after(.workRequested(.shelveOffload)) : shelved,
                try stores.servers.move(
                    server, to: state, run: final.offloads ? run : nil, power: .shutdown, at: now, transaction)
            else { throw lost }
            try stores.shelves.set(
                ServerShelf(server: id, image: image, actor: final.actor, at: now), transaction)
            if server.fault != nil { try stores.servers.setFault(id, nil, transaction) }
            guard !final.offloads else { return }
            try stores.actions.finish(
                id, request: final.requestID, error: nil, host: final.host, at: now, transaction)
        }
        ledger.isShelved = true
    }

    // MARK: Leave

    private static func leave(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard ledger.offloads else { return }
        let (claim, host) = (claim(ledger, parts), ledger.host)
        _ = try await claim.held()
        ledger.isLeaving = true
        // Halfway nobody could say what is left of it, so it is asked again.
        try await SagaRetry.whileUnavailable { try await claim.clear(host) }
        ledger.hasLeft = true
    }

    /// The ports stay the server's, and nothing else of it holds anything of a host.
    private static func release(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard ledger.offloads else { return }
        let claim = claim(ledger, parts)
        _ = try await claim.held()
        for port in try await claim.ports() {
            try await parts.networks.unbindPort(port.id, server: ledger.server.rawValue)
        }
        try await parts.placement.release(consumer: ledger.server.rawValue)
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        if ledger.offloads { try await offloaded(ledger, parts) }
    }

    private static func offloaded(_ ledger: Ledger, _ parts: ComputeParts) async throws {
        let (stores, now, final) = (parts.stores, parts.clock.now(), ledger)
        try await claim(ledger, parts).finish(as: .shelvedOffloaded, power: .shutdown, host: ledger.host) {
            server, transaction in
            try stores.servers.leaveHost(server.id, transaction)
            guard final.image == nil, !final.isShelved else { return }
            try stores.shelves.set(
                ServerShelf(server: server.id, image: nil, actor: final.actor, at: now), transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        if ledger.hasLeft == true, try await claim(ledger, parts).heldIfAny() != nil {
            // What it still holds in placement, the reconciler gives back.
            return try await offloaded(ledger, parts)
        }
        // What has left its host halfway is not what it was.
        let isBroken = !ledger.isShelved && ledger.isLeaving == true
        try await claim(ledger, parts).fail(error, as: isBroken ? .error : nil, host: ledger.host)
    }
}
