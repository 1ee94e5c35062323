// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import LogKit
import PlacementContract
import PolicyKit
import QuotaKit
import TaskKit

/// Moves to another flavor, and cold ones to another host.
extension ServerEngine {
    /// Accepts a new flavor (nova: compute/api.py, `resize`, with its order of checks). Whether a host has room is
    /// found out later, and told in the server's timeline.
    package func resize(
        _ id: ServerID, to flavorID: String, diskConfig: String?, for context: CallContext
    ) async throws {
        let server = try await movable(id, .resize, context, as: "os_compute_api:servers:resize")
        guard let flavor = try await FlavorEngine.visible(flavorID, for: context, parts) else {
            throw CloudError.badRequest("Flavor \(flavorID.prefix(255)) could not be found.", kind: "FlavorNotFound")
        }
        let isVolumeBacked = try await isVolumeBacked(server)
        if flavor.rootGiB == 0, server.flavor.rootGiB != 0, !isVolumeBacked {
            throw CloudError.badRequest(
                "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.",
                kind: "CannotResizeDisk")
        }
        guard flavor.id != server.flavor.id else {
            throw CloudError.badRequest(
                "When resizing, instances must change flavor!", kind: "CannotResizeToSameFlavor")
        }
        let image = try await imageSource(of: server)
        if let image {
            try Self.checkMemory(image, with: flavor.snapshot)
            // Of a server whose root disk is a volume, the memory alone.
            if !isVolumeBacked { try Self.checkDisk(image, with: flavor.snapshot) }
        }
        let group = try await group(of: server)
        var request = try HostRequest(
            moving: server, flavor.extraSpecs, imageProperties: image?.properties ?? [:], group: group,
            allowsQueries: parts.config.allowsHostQueries)
        if !isVolumeBacked { request.disksOn = server.host }
        try await beginMove(
            server, .resize, to: flavor.snapshot, flavor.extraSpecs, request, imageBytes: image?.virtualSizeBytes ?? 0,
            isVolumeBacked: isVolumeBacked, diskConfig: diskConfig, context)
    }

    /// Accepts a move to another host, with the flavor that it has. `host` nil: the scheduler chooses.
    package func migrate(_ id: ServerID, to host: String?, for context: CallContext) async throws {
        let server = try await movable(
            id, .migrate, context,
            as: host == nil
                ? "os_compute_api:os-migrate-server:migrate" : "os_compute_api:os-migrate-server:migrate:host")
        let isVolumeBacked = try await isVolumeBacked(server)
        let extraSpecs = try StoredMap.read(server.flavor.extraSpecs)
        let image = try await imageSource(of: server)
        let group = try await group(of: server)
        var request = try HostRequest(
            moving: server, extraSpecs, imageProperties: image?.properties ?? [:], group: group,
            allowsQueries: parts.config.allowsHostQueries)
        request.excludedHosts = server.host.map { [$0] }
        if !isVolumeBacked { request.disksOn = server.host }
        if let host {
            guard host != server.host else {
                throw CloudError.badRequest(
                    "Cannot migrate to the host where the server exists.", kind: "CannotMigrateToSameHost")
            }
            try await requireHost(host)
            request.host = host
        }
        try await beginMove(
            server, .migrate, to: server.flavor, extraSpecs, request, imageBytes: image?.virtualSizeBytes ?? 0,
            isVolumeBacked: isVolumeBacked, diskConfig: nil, context)
    }

    // MARK: Checks

    /// The server, if this work may begin on it now and its host reports.
    private func movable(
        _ id: ServerID, _ work: ServerWork, _ context: CallContext, as policy: PolicyName
    ) async throws -> Server {
        let server = try await server(id, for: work, context, as: policy)
        guard let host = server.host else { throw Self.notReady(id) }
        guard try await parts.isUp(host) else { throw Self.serviceUnavailable() }
        return server
    }

    private static func serviceUnavailable() -> CloudError {
        .conflict("Service is unavailable at this time.", kind: "ServiceUnavailable")
    }

    func isVolumeBacked(_ server: Server) async throws -> Bool {
        let (stores, id) = (stores, server.id)
        return try await parts.database.read { try stores.blockDevices.of(id, $0) }.contains {
            $0.isRoot && $0.isVolume
        }
    }

    func requireHost(_ name: String) async throws {
        let stores = stores
        guard try await parts.database.read({ try stores.hosts.host(name, $0) }) != nil else {
            throw CloudError.badRequest(
                "Compute host \(name.prefix(255)) could not be found.", kind: "ComputeHostNotFound")
        }
    }

    // MARK: Begin

    private func beginMove(
        _ server: Server, _ work: ServerWork, to flavor: FlavorSnapshot, _ extraSpecs: [String: String],
        _ request: HostRequest, imageBytes: Int64, isVolumeBacked: Bool, diskConfig: String?, _ context: CallContext
    ) async throws {
        let (parts, stores, sagas, now) = (parts, stores, sagas, parts.clock.now())
        let (run, migrationID): (SagaRunID, ServerMigrationID) = (parts.ids.next(), parts.ids.next())
        let (id, user, requestID) = (server.id, context.principal.userID, context.requestID)
        let grace = Int(parts.config.shutdownGrace.components.seconds)
        let resources = ResourceRequest(
            flavor, extraSpecs, imageProperties: request.imageProperties, imageBytes: imageBytes,
            isVolumeBacked: isVolumeBacked)
        try await parts.database.write { transaction in
            guard let row = try stores.servers.server(id, transaction), !row.isDeleted else { throw Self.notFound(id) }
            guard let state = row.state.after(.workRequested(work)), let host = row.host, row.host == server.host else {
                throw Self.invalidState(row, work.rawValue)
            }
            if work == .resize { try Self.checkQuota(row, flavor, parts, transaction) }
            guard try stores.servers.move(row, to: state, run: run, at: now, transaction) else {
                throw Self.invalidState(row, work.rawValue)
            }
            let migration = ServerMigration(
                id: migrationID, number: try stores.migrations.nextNumber(transaction), of: row,
                kind: work == .resize ? .resize : .migration, status: .preMigrating, to: flavor, by: user, at: now)
            try stores.migrations.insert(migration, transaction)
            try stores.actions.begin(
                id, action: work.rawValue, event: work.eventName, request: requestID, user: user,
                project: row.projectID, at: now, transaction)
            try sagas.start(
                ResizeServerSaga.self, id: run,
                ledger: .init(
                    server: id, requestID: requestID, migration: migrationID, work: work, hostRequest: request,
                    resources: resources, oldFlavor: row.flavor, newFlavor: flavor, oldDiskConfig: row.diskConfig,
                    // nova: a resize without a word about it makes it MANUAL.
                    newDiskConfig: diskConfig ?? "MANUAL", isVolumeBacked: isVolumeBacked, oldState: row.state.vm,
                    graceSeconds: row.state.vm == .active ? grace : 0,
                    source: .init(
                        host: host, node: row.hypervisorHostname, zone: row.zone), destination: nil),
                in: transaction)
        }
    }

    /// Only what grows is asked for.
    private static func checkQuota(
        _ server: Server, _ flavor: FlavorSnapshot, _ parts: ComputeParts, _ transaction: any Transaction
    ) throws {
        let wanted = [
            "cores": flavor.vcpus - server.flavor.vcpus, "ram": flavor.memoryMiB - server.flavor.memoryMiB,
        ].filter { $0.value > 0 }
        guard !wanted.isEmpty else { return }
        let used = try parts.stores.servers.usage(of: server.projectID, transaction)
        try parts.quotas.check(server.projectID, wanted, transaction) { $0 == "cores" ? used.cores : used.memoryMiB }
        let own = try parts.serverUsage(of: server.userID, in: server.projectID, transaction)
        try parts.checkUserQuota(server.userID, in: server.projectID, wanted, transaction) { own[$0] ?? 0 }
    }

    // MARK: Confirm and revert

    package func confirmResize(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(
            id, for: .confirmResize, context, as: "os_compute_api:servers:confirm_resize")
        let migration = try await finishedMove(of: server)
        // Before anything changes, for what is begun must end (nova: `confirm_resize`).
        if let source = migration.sourceHost, try await parts.reach(source) == .silent {
            throw Self.serviceUnavailable()
        }
        try await MoveConfirmer(parts: parts, sagas: sagas).confirm(
            migration, user: context.principal.userID, request: context.requestID)
    }

    package func revertResize(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: .revertResize, context, as: "os_compute_api:servers:revert_resize")
        let migration = try await finishedMove(of: server)
        let (parts, stores, sagas, now) = (parts, stores, sagas, parts.clock.now())
        let (run, user, request): (SagaRunID, UserID, String) = (
            parts.ids.next(), context.principal.userID, context.requestID
        )
        try await parts.database.write { transaction in
            guard let row = try stores.servers.server(id, transaction), !row.isDeleted else { throw Self.notFound(id) }
            guard let state = row.state.after(.workRequested(.revertResize)), let host = row.host,
                let source = migration.sourceHost
            else { throw Self.invalidState(row, "revertResize") }
            // What was smaller may grow again.
            try Self.checkQuota(row, migration.oldFlavor, parts, transaction)
            guard try stores.migrations.move(migration.id, from: .finished, to: .reverting, at: now, transaction),
                try stores.servers.move(row, to: state, run: run, at: now, transaction)
            else { throw Self.invalidState(row, "revertResize") }
            try stores.actions.begin(
                id, action: ServerWork.revertResize.rawValue, event: ServerWork.revertResize.eventName,
                request: request, user: user, project: row.projectID, at: now, transaction)
            let zone = try stores.aggregates.zones(transaction)[source] ?? parts.config.defaultZone
            try sagas.start(
                RevertResizeSaga.self, id: run,
                ledger: .init(
                    server: id, requestID: request, migration: migration.id, oldFlavor: migration.oldFlavor,
                    oldState: migration.oldState, host: host,
                    source: .init(host: source, node: migration.sourceNode, zone: zone), isRestored: nil),
                in: transaction)
        }
    }

    private func finishedMove(of server: Server) async throws -> ServerMigration {
        let (stores, id) = (stores, server.id)
        guard
            let migration = try await parts.database.read({ try stores.migrations.newest(of: id, in: .finished, $0) })
        else { throw CloudError.badRequest("Instance has not been resized.", kind: "MigrationNotFoundByStatus") }
        return migration
    }
}

/// Begins confirmations: for owners, and by itself when they have waited too long.
struct MoveConfirmer: Sendable {
    let parts: ComputeParts
    let sagas: SagaRunner

    func confirm(_ migration: ServerMigration, user: UserID, request: String) async throws {
        let (stores, sagas, now) = (parts.stores, sagas, parts.clock.now())
        let (run, id, work): (SagaRunID, ServerID, ServerWork) = (parts.ids.next(), migration.server, .confirmResize)
        try await parts.database.write { transaction in
            guard let row = try stores.servers.server(id, transaction), !row.isDeleted else {
                throw ServerEngine.notFound(id)
            }
            guard let state = row.state.after(.workRequested(work)), let host = row.host,
                let source = migration.sourceHost,
                try stores.migrations.move(migration.id, from: .finished, to: .confirming, at: now, transaction),
                try stores.servers.move(row, to: state, run: run, at: now, transaction)
            else { throw ServerEngine.invalidState(row, work.rawValue) }
            try stores.actions.begin(
                id, action: work.rawValue, event: work.eventName, request: request, user: user,
                project: row.projectID, at: now, transaction)
            try sagas.start(
                ConfirmResizeSaga.self, id: run,
                ledger: .init(
                    server: id, requestID: request, migration: migration.id, source: source, host: host),
                in: transaction)
        }
    }
}
