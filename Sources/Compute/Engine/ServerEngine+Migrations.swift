// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import LogKit
import PlacementContract
import PolicyKit
import TaskKit

/// Live migrations, evacuations, and the records of all moves.
extension ServerEngine {
    /// `force`: the host is taken without asking the scheduler; nil: the request is older than the question.
    /// `waits`: the caller hears what came of it. No hypervisor of this cloud takes guests while they run, so the move
    /// is on record as one that failed, and the server stays what it is.
    package func liveMigrate(
        _ id: ServerID, to host: String?, force: Bool?, waits: Bool, for context: CallContext
    ) async throws {
        let policy: PolicyName =
            host == nil
            ? "os_compute_api:os-migrate-server:migrate_live" : "os_compute_api:os-migrate-server:migrate_live:host"
        let server = try await server(id, for: context, as: policy)
        try Self.checkLock(server, context)
        guard server.state.after(.workRequested(.liveMigrate)) != nil, let source = server.host else {
            throw Self.invalidState(server, "os-migrateLive")
        }
        if let host { try await requireHost(host) }
        let refusal = try await liveRefusal(server, source, to: host, isForced: force != false)
        try await recordLive(server, to: host, refusal, context)
        if waits { throw CloudError.badRequest(refusal.message, kind: refusal.kind) }
    }

    /// In the order of nova's conductor/tasks/live_migrate.py; last, that the scheduler finds no host.
    private func liveRefusal(
        _ server: Server, _ source: String, to host: String?, isForced: Bool
    ) async throws -> CloudError {
        func unavailable(_ host: String) -> CloudError {
            .badRequest("Compute service of \(host) is unavailable at this time.", kind: "ComputeServiceUnavailable")
        }
        guard try await parts.isUp(source) else { return unavailable(source) }
        let noHost = CloudError(
            .unavailable, "No valid host was found. There are not enough hosts available.", kind: "NoValidHost",
            cause: "no hypervisor of this cloud takes guests while they run")
        guard let host, isForced else { return noHost }
        guard host != source else {
            return .badRequest(
                "Unable to migrate instance (\(server.id)) to current host (\(host)).", kind: "UnableToMigrateToSelf")
        }
        return try await parts.isUp(host) ? noHost : unavailable(host)
    }

    private func recordLive(
        _ server: Server, to host: String?, _ refusal: CloudError, _ context: CallContext
    ) async throws {
        let (stores, now, id) = (stores, parts.clock.now(), parts.ids.next() as ServerMigrationID)
        let (user, request, work) = (context.principal.userID, context.requestID, ServerWork.liveMigrate)
        try await parts.database.write { transaction in
            guard let row = try stores.servers.server(server.id, transaction), !row.isDeleted else {
                throw Self.notFound(server.id)
            }
            guard row.state.after(.workRequested(work)) != nil else { throw Self.invalidState(row, "os-migrateLive") }
            var migration = ServerMigration(
                id: id, number: try stores.migrations.nextNumber(transaction), of: row, kind: .live, status: .error,
                by: user, at: now)
            migration.destinationHost = host
            try stores.migrations.insert(migration, transaction)
            try stores.actions.begin(
                row.id, action: work.rawValue, event: work.eventName, request: request, user: user,
                project: row.projectID, at: now, transaction)
            try stores.servers.setFault(row.id, ServerFault(refusal, at: now), transaction)
            try stores.actions.finish(row.id, request: request, error: refusal, host: row.host, at: now, transaction)
        }
    }

    // MARK: Evacuate

    /// `stops`: the guest stays off on its new host, whatever it was.
    package func evacuate(_ id: ServerID, to host: String?, stops: Bool, for context: CallContext) async throws {
        let server = try await server(id, for: context, as: "os_compute_api:os-evacuate")
        let stores = stores
        if let host {
            guard try await parts.database.read({ try stores.hosts.host(host, $0) }) != nil else {
                throw CloudError.notFound("Compute host \(host.prefix(255)) not found.")
            }
        }
        guard let source = server.host, source != host else {
            if server.host == nil { throw Self.invalidState(server, "evacuate") }
            throw CloudError.badRequest("The target host can't be the same one.")
        }
        guard server.state.after(.workRequested(.evacuate)) != nil else { throw Self.invalidState(server, "evacuate") }
        let reach = try await parts.reach(source)
        guard reach != .up else {
            throw CloudError.badRequest(
                "Compute service of \(source) is still in use.", kind: "ComputeServiceInUse")
        }
        let devices = try await parts.database.read { try stores.blockDevices.of(id, $0) }
        // Two guests on one volume destroy it; upstream leaves the fencing to the operator's care.
        guard reach == .lost || !devices.contains(where: \.isVolume) else {
            throw CloudError.conflict(
                "The host \(source) may still have volumes of instance \(id) open. Set its service forced_down when it "
                    + "is off.", kind: "ComputeServiceInUse")
        }
        try await beginEvacuation(
            server, from: source, to: host, stops: stops,
            isVolumeBacked: devices.contains { $0.isRoot && $0.isVolume }, context)
    }

    private func beginEvacuation(
        _ server: Server, from source: String, to host: String?, stops: Bool, isVolumeBacked: Bool,
        _ context: CallContext
    ) async throws {
        let (stores, sagas, now, work) = (stores, sagas, parts.clock.now(), ServerWork.evacuate)
        let (run, migrationID): (SagaRunID, ServerMigrationID) = (parts.ids.next(), parts.ids.next())
        let (user, requestID) = (context.principal.userID, context.requestID)
        let extraSpecs = try StoredMap.read(server.flavor.extraSpecs)
        let image = try await imageSource(of: server)
        var request = try HostRequest(
            moving: server, extraSpecs, imageProperties: image?.properties ?? [:], group: try await group(of: server),
            allowsQueries: parts.config.allowsHostQueries)
        request.host = host
        request.excludedHosts = [source]
        let (final, resources) = (
            request,
            ResourceRequest(
                server.flavor, extraSpecs, imageProperties: request.imageProperties,
                imageBytes: image?.virtualSizeBytes ?? 0, isVolumeBacked: isVolumeBacked)
        )
        try await parts.database.write { transaction in
            guard let row = try stores.servers.server(server.id, transaction), !row.isDeleted else {
                throw Self.notFound(server.id)
            }
            guard let state = row.state.after(.workRequested(work)), row.host == source,
                try stores.servers.move(row, to: state, run: run, at: now, transaction)
            else { throw Self.invalidState(row, "evacuate") }
            var migration = ServerMigration(
                id: migrationID, number: try stores.migrations.nextNumber(transaction), of: row, kind: .evacuation,
                status: .accepted, by: user, at: now)
            migration.destinationHost = host
            try stores.migrations.insert(migration, transaction)
            try stores.actions.begin(
                row.id, action: work.rawValue, event: work.eventName, request: requestID, user: user,
                project: row.projectID, at: now, transaction)
            try sagas.start(
                EvacuateServerSaga.self, id: run,
                ledger: .init(
                    server: row.id, requestID: requestID, migration: migrationID, hostRequest: final,
                    resources: resources, startsGuest: !stops && row.state.vm != .stopped,
                    source: .init(host: source, node: row.hypervisorHostname, zone: row.zone), destination: nil),
                in: transaction)
        }
    }

    // MARK: Records

    /// `query` is limited to what the caller may see by the routes, by policy.
    package func migrations(_ query: ServerMigrationQuery, for context: CallContext) async throws -> [ServerMigration] {
        context.authorizeListing()
        guard query.limit > 0 else { return [] }
        let stores = stores
        return try await parts.database.read { try stores.migrations.list(query, $0) }
    }

    /// Live migrations of one server that are under way.
    package func migrationsInProgress(
        of id: ServerID, for context: CallContext
    ) async throws -> (server: Server, migrations: [ServerMigration]) {
        let server = try await server(id, for: context)
        let stores = stores
        return (server, try await parts.database.read { try stores.migrations.inProgress(of: id, $0) })
    }

    /// Throws `.notFound` unless it is a live one that is under way (nova: server_migrations.py, `show`).
    package func migrationInProgress(
        _ number: String, of id: ServerID, for context: CallContext
    ) async throws -> ServerMigration {
        let server = try await server(id, for: context)
        guard let migration = try await migration(number, of: server) else {
            throw CloudError.notFound(
                "In-progress live migration \(number.prefix(64)) is not found for server \(id).")
        }
        guard migration.kind == .live else {
            throw CloudError.notFound("Migration \(number) for server \(id) is not live-migration.")
        }
        guard ServerMigration.Status.inProgress.contains(migration.status) else {
            throw CloudError.notFound("Live migration \(number) for server \(id) is not in progress.")
        }
        return migration
    }

    private func migration(_ number: String, of server: Server) async throws -> ServerMigration? {
        guard let number = Int64(number) else { return nil }
        let stores = stores
        return try await parts.database.read { try stores.migrations.migration(number: number, of: server.id, $0) }
    }

    /// What can be done to a live migration that is under way.
    package enum LiveMigrationCall: Sendable {
        case forceComplete
        /// `isQueuedToo`: also before the guest's memory goes (2.65).
        case abort(isQueuedToo: Bool)

        var method: String {
            switch self {
            case .forceComplete: "force complete"
            case .abort: "abort live migration"
            }
        }
        var action: String {
            switch self {
            case .forceComplete: "live_migration_force_complete"
            case .abort: "live_migration_cancel"
            }
        }
        var stateAction: String {
            switch self {
            case .forceComplete: "force_complete"
            case .abort: "abort live migration"
            }
        }
        var statuses: Set<ServerMigration.Status> {
            switch self {
            case .forceComplete, .abort(isQueuedToo: false): [.running]
            case .abort(isQueuedToo: true): [.running, .queued, .preparing]
            }
        }
    }

    package func change(
        liveMigration number: String, of id: ServerID, _ call: LiveMigrationCall, for context: CallContext
    ) async throws {
        let server = try await server(id, for: context)
        try Self.checkLock(server, context)
        guard server.state.task == .migrating else { throw Self.invalidState(server, call.stateAction) }
        if case .forceComplete = call, server.state.vm != .active {
            throw Self.invalidState(server, call.stateAction)
        }
        guard let migration = try await migration(number, of: server) else {
            let message = "Migration \(number.prefix(64)) not found for instance \(id)"
            if case .forceComplete = call {
                throw CloudError.badRequest(message, kind: "MigrationNotFoundForInstance")
            }
            throw CloudError.notFound(message, kind: "MigrationNotFoundForInstance")
        }
        guard call.statuses.contains(migration.status) else {
            throw CloudError.badRequest(
                "Migration \(number) state of instance \(id) is \(migration.status.rawValue). Cannot \(call.method) "
                    + "while the migration is in this state.", kind: "InvalidMigrationState")
        }
        let (stores, now, user, request) = (stores, parts.clock.now(), context.principal.userID, context.requestID)
        try await parts.database.write { transaction in
            try stores.actions.begin(
                id, action: call.action, event: nil, request: request, user: user, project: server.projectID, at: now,
                transaction)
            if case .abort = call {
                try stores.migrations.setStatus(migration.id, .cancelled, at: now, transaction)
            }
        }
    }
}
