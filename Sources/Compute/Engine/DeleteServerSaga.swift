// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LogKit
import TaskKit

/// Ends one server. Always accepted and always ends: a host that is away does not hold it up, because what it still has
/// is an orphan when it comes back, and orphans are removed. Its volumes alone wait for that.
package enum DeleteServerSaga: Saga {
    package static let name: StaticString = "server.delete"
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.powerTimeout * (2 * destroyAttempts) }
    /// How often a host that reports, but fails, is asked to remove the guest.
    private static let destroyAttempts = 6

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var host: String?
        /// The host said that nothing of the guest runs any more, or it is lost.
        package var isGuestGone: Bool?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("destroy", run: destroy),
        SagaStep("volumes", run: releaseVolumes),
        SagaStep("release", run: release),
    ]

    private static func destroy(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id) = (parts.stores, ledger.server)
        // After the row was taken no other run can write a host into it.
        let host = try await parts.database.read { try stores.servers.server(id, $0)?.host }
        ledger.host = host
        ledger.isGuestGone = host == nil
        try await destroyLeftovers(id, besides: host, parts)
        guard let host else { return }
        switch try await parts.reach(host) {
        case .up: break
        case .silent: return
        case .lost:
            ledger.isGuestGone = true
            return
        }
        do {
            _ = try await parts.call(host, DestroyGuest(server: id), timeout: parts.config.powerTimeout)
            ledger.isGuestGone = true
        } catch let error as CloudError {
            let attempt = SagaRun.current?.attempt ?? 0
            guard attempt + 1 < destroyAttempts else {
                parts.log.error("guest left behind", ["server": id, "host": host, "error": error])
                return
            }
            throw SagaRetry(after: .seconds(1 << min(attempt, 5)), because: error)
        }
    }

    /// What a move has left on another host; one that is away keeps it as an orphan.
    private static func destroyLeftovers(_ id: ServerID, besides host: String?, _ parts: ComputeParts) async throws {
        let stores = parts.stores
        for migration in try await parts.database.read({ try stores.migrations.open(of: id, $0) }) {
            for other in [migration.sourceHost, migration.destinationHost].compactMap({ $0 }) where other != host {
                guard try await parts.isUp(other) else { continue }
                do {
                    _ = try await parts.call(other, DestroyGuest(server: id), timeout: parts.config.powerTimeout)
                } catch let error as CloudError {
                    parts.log.error("guest left behind", ["server": id, "host": other, "error": error])
                }
            }
        }
    }

    /// Volumes of a guest that may still run stay leased: the reconciler ends the leases when its host answers, or is
    /// fenced.
    private static func releaseVolumes(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let leases = VolumeLeases(parts)
        guard ledger.isGuestGone == true else { return try await leases.abandonAll(of: ledger.server) }
        do {
            try await leases.releaseAll(of: ledger.server)
        } catch let error as CloudError {
            parts.log.error("volumes left to the reconciler", ["server": ledger.server, "error": error])
            try await leases.abandonAll(of: ledger.server)
        }
    }

    private static func release(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, now) = (parts.stores, ledger.server, parts.clock.now())
        let server = try await parts.database.read { try stores.servers.server(id, $0) }
        for port in try await parts.networks.ports(of: server.map { [$0] } ?? [])[id.rawValue] ?? [] {
            try await parts.networks.releasePort(port.id, server: id.rawValue)
        }
        try await parts.placement.release(consumer: id.rawValue)
        try await removeShelvedImage(of: id, parts)
        for migration in try await parts.database.read({ try parts.stores.migrations.open(of: id, $0) }) {
            try await parts.placement.release(consumer: migration.id.rawValue)
        }
        let (request, host) = (ledger.requestID, ledger.host)
        try await parts.database.write { transaction in
            try stores.servers.markDeleted(id, at: now, transaction)
            try stores.migrations.close(of: id, at: now, transaction)
            try stores.actions.finish(id, request: request, error: nil, host: host, at: now, transaction)
        }
    }

    /// An image that stays is the user's to delete: it does not hold up the end.
    private static func removeShelvedImage(of id: ServerID, _ parts: ComputeParts) async throws {
        let stores = parts.stores
        guard let shelf = try await parts.database.read({ try stores.shelves.shelf(of: id, $0) }),
            let image = shelf.image
        else { return }
        do {
            try await parts.images.remove(image, for: shelf.actor.principal)
        } catch let error as CloudError {
            parts.log.warning("shelved image stays", ["server": id, "image": image, "error": error])
        }
    }

    /// Leaves the server in ERROR with its fault, so that it can be deleted again.
    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let (stores, run, id, now) = (parts.stores, SagaRun.id, ledger.server, parts.clock.now())
        let (request, host) = (ledger.requestID, ledger.host)
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run, !server.isDeleted
            else {
                return
            }
            _ = try stores.servers.move(server, to: ServerState(.error), run: nil, at: now, transaction)
            try stores.servers.setFault(id, ServerFault(error, at: now), transaction)
            try stores.actions.finish(id, request: request, error: error, host: host, at: now, transaction)
        }
    }
}
