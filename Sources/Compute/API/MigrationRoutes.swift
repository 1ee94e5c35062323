// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-migrations: every move of every server, newest first.
struct MigrationRoutes: Sendable {
    let servers: ServerEngine

    private static let filters: Set<String> = [
        "hidden", "host", "instance_uuid", "source_compute", "status", "migration_type",
    ]

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2.1/os-migrations", policy: "os_compute_api:os-migrations:index", index)
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try query(request, context)
        // nova shows no hidden one, whatever is asked for.
        let isEmpty = try request.query("hidden") != nil && request.queryBool("hidden") == true
        let target = PolicyTarget(project: context.projectID)
        let view = MigrationView(
            context, showsHosts: context.allows("os_compute_api:os-migrations:index:host", target))
        let found = isEmpty ? [] : try await servers.migrations(query, for: context)
        return .object(capacity: found.count * 700 + 256) { writer in
            writer.array("migrations") { writer in
                for migration in found { view.listed(&writer, migration, request) }
            }
            guard context.has(59) else { return }
            request.links.next(&writer, "migrations_links", "os-migrations", after: found, limit: query.limit) { $0.id }
        }
    }

    private func query(_ request: APIRequest, _ context: CallContext) throws -> ServerMigrationQuery {
        var known = Self.filters.union(["limit", "marker", "changes-since"])
        if context.has(66) { known.insert("changes-before") }
        if context.has(80) { known.formUnion(["user_id", "project_id"]) }
        try ComputeWire.checkQuery(request, context, from: 59, known)
        let maximum = servers.parts.config.maximumPage
        var query = ServerMigrationQuery(
            limit: context.has(59) ? try ComputeWire.limit(request, maximum: maximum) : maximum)
        query.server = request.query("instance_uuid").map { ID($0) }
        query.status = request.query("status")
        query.kind = request.query("migration_type")
        query.host = request.query("host")
        query.sourceHost = request.query("source_compute")
        query.user = request.query("user_id").map { ID($0) }
        query.project = request.query("project_id").flatMap { $0.isEmpty ? nil : ID($0) }
        if context.has(59) {
            query.marker = request.query("marker").map { ID($0) }
            query.changedSince = try ComputeWire.time(request, "changes-since")
        }
        if context.has(66) {
            query.changedBefore = try ComputeWire.time(request, "changes-before")
            if let since = query.changedSince, let before = query.changedBefore, before < since {
                throw CloudError.badRequest(
                    "The value of changes-since must be less than or equal to changes-before.")
            }
        }
        if query.project == nil || query.project != context.projectID {
            try context.authorize([:], as: "os_compute_api:os-migrations:index:all_projects")
        }
        return query
    }
}

/// /v2.1/servers/{id}/migrations: live ones that are under way.
struct ServerMigrationRoutes: Sendable {
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/servers/{server_id}/migrations"
        routes.add(.get, path, object: "os_compute_api:servers:migrations:index", versions: versions(23), index)
        routes.add(.get, path + "/{id}", object: "os_compute_api:servers:migrations:show", versions: versions(23), show)
        routes.add(
            .delete, path + "/{id}", object: "os_compute_api:servers:migrations:delete", versions: versions(24), abort)
        routes.add(
            .post, path + "/{id}/action", object: "os_compute_api:servers:migrations:force_complete",
            versions: versions(22), act)
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, from: 102, [])
        let (server, found) = try await servers.migrationsInProgress(of: request.id("server_id"), for: context)
        let showsHosts = context.allows(
            "os_compute_api:servers:migrations:index:host", PolicyTarget(project: server.projectID))
        let view = MigrationView(context, showsHosts: showsHosts)
        return .object { writer in
            writer.array("migrations") { writer in
                for migration in found { view.detailed(&writer, migration) }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, from: 102, [])
        let migration = try await servers.migrationInProgress(
            request.parameter("id"), of: request.id("server_id"), for: context)
        return .object { writer in
            writer.key("migration")
            MigrationView(context, showsHosts: true).detailed(&writer, migration)
        }
    }

    private func abort(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await servers.change(
            liveMigration: request.parameter("id"), of: request.id("server_id"), .abort(isQueuedToo: context.has(65)),
            for: context)
        return HTTPResponse(status: 202)
    }

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (name, value) = try await request.action()
        guard name == "force_complete" else { throw APIRequest.noSuchAction(name) }
        guard value.isNull else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute force_complete. \(value.text().prefix(64)) is not of type 'null'")
        }
        try await servers.change(
            liveMigration: request.parameter("id"), of: request.id("server_id"), .forceComplete, for: context)
        return HTTPResponse(status: 202)
    }
}

/// Writes moves as one call shall see them (nova: migrations.py, server_migrations.py).
struct MigrationView {
    private let context: CallContext
    private let showsHosts: Bool

    init(_ context: CallContext, showsHosts: Bool) {
        self.context = context
        self.showsHosts = showsHosts
    }

    func listed(_ writer: inout JSONWriter, _ migration: ServerMigration, _ request: APIRequest) {
        writer.beginObject()
        common(&writer, migration)
        writer.field("instance_uuid", migration.server.rawValue)
        writer.field("old_instance_type_id", Self.number(migration.oldFlavor))
        writer.field("new_instance_type_id", Self.number(migration.newFlavor))
        if context.has(23) {
            writer.field("migration_type", migration.kind.rawValue)
            if migration.kind == .live, ServerMigration.Status.inProgress.contains(migration.status) {
                request.links.write(&writer, "servers/\(migration.server)/migrations/\(migration.number)")
            }
        }
        writer.endObject()
    }

    func detailed(_ writer: inout JSONWriter, _ migration: ServerMigration) {
        writer.beginObject()
        common(&writer, migration)
        writer.field("server_uuid", migration.server.rawValue)
        for key in [
            "memory_total_bytes", "memory_processed_bytes", "memory_remaining_bytes", "disk_total_bytes",
            "disk_processed_bytes", "disk_remaining_bytes",
        ] as [StaticString] {
            writer.nullField(key)
        }
        writer.endObject()
    }

    private func common(_ writer: inout JSONWriter, _ migration: ServerMigration) {
        writer.field("id", migration.number)
        if context.has(59) { writer.field("uuid", migration.id.rawValue) }
        writer.field("status", migration.status.rawValue)
        writer.field("source_compute", showsHosts ? migration.sourceHost : nil)
        writer.field("source_node", showsHosts ? migration.sourceNode : nil)
        writer.field("dest_compute", showsHosts ? migration.destinationHost : nil)
        writer.field("dest_node", showsHosts ? migration.destinationNode : nil)
        writer.field("dest_host", showsHosts ? migration.destinationAddress : nil)
        writer.field("created_at", migration.createdAt.iso8601(fraction: true, zone: false))
        writer.field("updated_at", migration.updatedAt?.iso8601(fraction: true, zone: false))
        if context.has(80) {
            writer.field("user_id", migration.userID.rawValue)
            writer.field("project_id", migration.projectID.rawValue)
        }
    }

    /// Flavors have no number here; ids that users chose to be numbers stand in for it.
    private static func number(_ flavor: FlavorSnapshot) -> Int? { Int(flavor.id) }
}
