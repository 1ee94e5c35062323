// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import PlacementContract
import TaskKit

/// Gives a server another flavor, another host, or both. What it was before is set aside on its old host, and held in
/// placement under the id of the move, until the owner confirms or reverts.
package enum ResizeServerSaga: Saga {
    package static let name: StaticString = "server.resize"
    package static let deadline = Duration.seconds(7200)
    package static func waits(_ parts: ComputeParts) -> Duration {
        let config = parts.config
        return config.powerTimeout + config.shutdownGrace + max(config.resizeTimeout, config.buildTimeout)
            + config.portUpTimeout
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var migration: ServerMigrationID
        /// `resize` or `migrate`.
        package var work: ServerWork
        package var hostRequest: HostRequest
        package var resources: ResourceRequest
        package var oldFlavor: FlavorSnapshot
        package var newFlavor: FlavorSnapshot
        package var oldDiskConfig: String
        package var newDiskConfig: String
        package var isVolumeBacked: Bool
        /// What the server was, and whether its guest runs afterwards.
        package var oldState: VMState
        package var graceSeconds: Int
        var source: ServerMove.Place
        var destination: ServerMove.Place?
        /// On the other host there may be a guest, which has the volumes open.
        var mayRunElsewhere: Bool?

        var startsGuest: Bool { oldState == .active }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("place", run: place, undo: giveBack),
        SagaStep("stop", run: stop, undo: bringBack),
        SagaStep("settle", run: settle, undo: settleBack),
        SagaStep("build", run: build, undo: destroy),
        SagaStep("plug", run: waitForPorts),
        SagaStep("finish", run: finish, undo: unfinish),
    ]

    private static func move(_ ledger: Ledger, _ parts: ComputeParts) -> ServerMove {
        ServerMove(parts, ledger.server, ledger.migration, ledger.work, request: ledger.requestID)
    }

    // MARK: Place

    private static func place(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (old, new) = (ledger.oldFlavor, ledger.newFlavor)
        // nova: virt/libvirt/driver.py, `migrate_disk_and_power_off`.
        guard ledger.isVolumeBacked || new.rootGiB >= old.rootGiB, new.ephemeralGiB >= old.ephemeralGiB else {
            throw CloudError.badRequest("Resize error: Unable to resize disk down.", kind: "ResizeError")
        }
        let move = move(ledger, parts)
        ledger.destination = try await move.claim(
            ledger.hostRequest, ledger.resources, prefers: ledger.source.host)
        try await move.advance(to: .resizeMigrating, .migrating)
    }

    private static func giveBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).giveBack()
    }

    // MARK: Stop

    private static func stop(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        _ = try await move.held()
        _ = try await parts.call(
            ledger.source.host,
            SetGuestAside(
                server: ledger.server, aside: ledger.migration.rawValue, graceSeconds: ledger.graceSeconds),
            timeout: parts.config.powerTimeout + .seconds(ledger.graceSeconds))
        try await move.advance(to: .resizeMigrated, .postMigrating)
    }

    /// Runs even when `stop` threw: the host may have acted before the connection broke.
    private static func bringBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (move, host) = (move(ledger, parts), ledger.source.host)
        switch try await move.hold() {
        case .moved, .others: return
        case .ending: return try await move.claim.destroy(on: host)
        case .ours: break
        }
        // Two guests on one volume destroy it: without an answer from the other host this one stays aside.
        if ledger.mayRunElsewhere == true, let other = ledger.destination?.host {
            try await move.claim.destroy(on: other)
            ledger.mayRunElsewhere = false
        }
        guard try await move.claim.answers(host) else { return }
        _ = try await parts.call(
            host, RestoreGuest(server: ledger.server, aside: ledger.migration.rawValue),
            timeout: parts.config.powerTimeout)
        if ledger.startsGuest { _ = try await move.claim.start(on: host) }
    }

    // MARK: Settle

    private static func settle(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        guard let destination = ledger.destination else { throw move.claim.lost }
        if destination.host != ledger.source.host {
            try await move.settle(at: destination)
            ledger.mayRunElsewhere = true
        }
        try await move.advance(to: .resizeFinish, .postMigrating)
    }

    private static func settleBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard let destination = ledger.destination, destination.host != ledger.source.host else { return }
        try await move(ledger, parts).settleBack(at: ledger.source)
    }

    // MARK: Build

    private static func build(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let move = move(ledger, parts)
        guard let host = ledger.destination?.host else { throw move.claim.lost }
        var guest = try await move.specification(ledger.newFlavor, on: host)
        guard host != ledger.source.host else {
            _ = try await parts.call(
                host, ResizeGuest(guest: guest, aside: ledger.migration.rawValue, starts: ledger.startsGuest),
                timeout: parts.config.resizeTimeout)
            return
        }
        guest.staysOff = ledger.startsGuest ? nil : true
        _ = try await parts.call(host, BuildGuest(guest: guest), timeout: parts.config.buildTimeout)
    }

    /// On the old host, bringing back what is set aside ends the new guest, too.
    private static func destroy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard ledger.destination?.host != ledger.source.host else { return }
        try await move(ledger, parts).destroy(at: ledger.destination)
        ledger.mayRunElsewhere = false
    }

    private static func waitForPorts(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        if ledger.startsGuest { try await move(ledger, parts).waitForPorts(at: ledger.destination) }
    }

    // MARK: Finish

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, now) = (parts.stores, ledger.server, parts.clock.now())
        let (flavor, diskConfig) = (ledger.newFlavor, ledger.newDiskConfig)
        try await move(ledger, parts).finish(
            as: .resized, .finished, power: ledger.startsGuest ? .running : .shutdown, host: ledger.destination?.host
        ) { transaction in
            try stores.servers.setFlavor(id, flavor, transaction)
            try stores.servers.setDiskConfig(id, diskConfig, transaction)
            try stores.servers.setLaunched(id, at: now, transaction)
        }
    }

    /// Takes the row back before the guest goes, unless somebody has begun something with the server meanwhile.
    private static func unfinish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, final) = (parts.stores, ledger)
        try await move(ledger, parts).reopen(
            from: ServerState(.resized), .finished, to: ServerState(ledger.oldState, .resizeFinish)
        ) { transaction in
            try stores.servers.setFlavor(final.server, final.oldFlavor, transaction)
            try stores.servers.setDiskConfig(final.server, final.oldDiskConfig, transaction)
        }
    }

    /// The server is what it was; its timeline and its fault say what went wrong. Its guest is set aside still if nobody
    /// could say what runs on the other host: its next start brings it back.
    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await move(ledger, parts).fail(
            error, as: ledger.mayRunElsewhere == true ? .error : ledger.oldState, .error, host: ledger.source.host)
    }
}
