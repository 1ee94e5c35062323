// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import PlacementContract
import TaskKit

/// What the sagas that move servers have in common. Every call may be repeated.
struct ServerMove: Sendable {
    /// Where a server is, or goes.
    struct Place: Codable, Sendable, Equatable {
        var host: String
        var node: String?
        var zone: String?
        var address: String?
    }

    let claim: ServerClaim
    let migration: ServerMigrationID

    var server: ServerID { claim.server }
    var parts: ComputeParts { claim.parts }
    var stores: ComputeStores { claim.parts.stores }

    init(
        _ parts: ComputeParts, _ server: ServerID, _ migration: ServerMigrationID, _ work: ServerWork, request: String
    ) {
        claim = ServerClaim(parts, server, work, request: request)
        self.migration = migration
    }

    // MARK: The row

    func held() async throws -> Server { try await claim.held() }

    /// Moves the row and the record of the move on to the next part of the work.
    func advance(to task: ServerTask, _ status: ServerMigration.Status) async throws {
        let (stores, now, migration) = (stores, parts.clock.now(), migration)
        try await claim.advance(to: task) { _, transaction in
            try stores.migrations.setStatus(migration, status, at: now, transaction)
        }
    }

    /// Who decides about the server while a run is unwound.
    enum Hold: Sendable {
        /// This run; or nobody, after an administrator's `os-resetState`.
        case ours
        /// Nobody who asks this run: the move has succeeded, and the process died before it could say so. The server is
        /// where it went, and its owner may have gone on with it.
        case moved
        /// The server ends, or has ended.
        case ending
        /// Another run.
        case others
    }

    func hold() async throws -> Hold {
        let (stores, id, run, migration) = (stores, server, SagaRun.id, migration)
        return try await parts.database.read { transaction in
            guard let row = try stores.servers.server(id, transaction), !row.isDeleted, row.state.task != .deleting
            else { return .ending }
            if row.sagaRun == run { return .ours }
            if try stores.migrations.migration(migration, transaction)?.status.hasMoved == true { return .moved }
            return row.sagaRun == nil ? .ours : .others
        }
    }

    // MARK: Placement

    /// Holds what the server has under the id of the move, and claims a host for what it shall have. `prefers`: the
    /// first choice if it will do. Leaves the choice in the record of the move.
    func claim(_ request: HostRequest, _ resources: ResourceRequest, prefers: String?) async throws -> Place {
        let row = try await held()
        try await parts.placement.transfer(from: server.rawValue, to: migration.rawValue, replacing: false)
        var views = try await ServerScheduler(parts).hosts(for: request, resources)
        if let index = views.firstIndex(where: { $0.host.host == prefers }) {
            views.insert(views.remove(at: index), at: 0)
        }
        for view in views.prefix(parts.config.placementAttempts) {
            do {
                try await parts.placement.claim(
                    consumer: server.rawValue, provider: ID(view.host.nodeID.rawValue),
                    resources: resources.resources, project: row.projectID, user: row.userID)
            } catch let error as CloudError where error.code == .conflict {
                continue
            }
            let place = Place(
                host: view.host.host, node: view.host.hypervisor.hostname, zone: view.zone,
                address: view.host.hypervisor.hostAddress)
            let (stores, id, now) = (stores, migration, parts.clock.now())
            try await parts.database.write {
                try stores.migrations.setDestination(
                    id, host: place.host, node: place.node, address: place.address, at: now, $0)
            }
            return place
        }
        throw ServerScheduler.failure(NoValidHost([.init(host: "", reasons: ["other servers were faster"])]))
    }

    /// The server has again what it had.
    func giveBack() async throws {
        switch try await hold() {
        case .ours:
            try await parts.placement.transfer(from: migration.rawValue, to: server.rawValue, replacing: true)
        case .ending:
            try await parts.placement.release(consumer: migration.rawValue)
            try await parts.placement.release(consumer: server.rawValue)
        case .others: try await parts.placement.release(consumer: migration.rawValue)
        // What was before is held until the move is confirmed, or settled by the reconciler.
        case .moved: return
        }
    }

    // MARK: The end

    /// Takes the row back into this run, unless somebody has begun something with the server since `finish`: the last
    /// step is undone.
    func reopen(
        from result: ServerState, _ status: ServerMigration.Status, to state: ServerState,
        change: @escaping @Sendable (any Transaction) throws -> Void = { _ in }
    ) async throws {
        let (stores, id, run, now, migration) = (stores, server, SagaRun.id, parts.clock.now(), migration)
        try await parts.database.write { transaction in
            guard let row = try stores.servers.server(id, transaction), row.sagaRun == nil, !row.isDeleted,
                row.state == result,
                try stores.migrations.move(migration, from: status, to: .postMigrating, at: now, transaction)
            else { return }
            _ = try stores.servers.move(row, to: state, run: run, at: now, transaction)
            try change(transaction)
        }
    }

    /// The end of the work; `change` does what else it is.
    func finish(
        as result: VMState, _ status: ServerMigration.Status, power: PowerState? = nil, host: String?,
        change: @escaping @Sendable (any Transaction) throws -> Void = { _ in }
    ) async throws {
        let (stores, now, migration) = (stores, parts.clock.now(), migration)
        try await claim.finish(as: result, power: power, host: host) { _, transaction in
            try stores.migrations.setStatus(migration, status, at: now, transaction)
            try change(transaction)
        }
    }

    /// The end of the work without its result; for `failed` of sagas. A move that has failed is over, whoever has the
    /// server by now; one that waits for its owner goes on waiting.
    func fail(
        _ error: CloudError, as result: VMState, _ status: ServerMigration.Status, host: String?
    ) async throws {
        let (stores, now, migration) = (stores, parts.clock.now(), migration)
        try await claim.fail(error, as: result, host: host) { _, transaction in
            try stores.migrations.setStatus(migration, status, at: now, transaction)
        }
        try await parts.database.write { transaction in
            guard let record = try stores.migrations.migration(migration, transaction), !record.status.hasEnded,
                record.status != .finished
            else { return }
            try stores.migrations.setStatus(migration, .error, at: now, transaction)
        }
    }
}
