// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit
import SecurityKit

/// /v2.1/servers
struct ServerRoutes: Sendable {
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        register(on: &routes, "/v2.1/servers", RouteTable.anyVersion)
        // Another name of the same, until 2.102.
        register(on: &routes, "/v2.1/os-volumes_boot", versions(1, 102))
    }

    private func register(on routes: inout RouteTable, _ path: String, _ all: ClosedRange<Microversion>) {
        routes.add(.get, path, policy: "os_compute_api:servers:index", versions: all, index)
        routes.add(.get, path + "/detail", policy: "os_compute_api:servers:detail", versions: all, detail)
        routes.add(.post, path, policy: "os_compute_api:servers:create", versions: all, create)
        routes.add(.get, path + "/{server_id}", object: "os_compute_api:servers:show", versions: all, show)
        routes.add(.put, path + "/{server_id}", object: "os_compute_api:servers:update", versions: all, update)
        routes.add(.delete, path + "/{server_id}", object: "os_compute_api:servers:delete", versions: all, delete)
    }

    // MARK: List

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: false)
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: true)
    }

    private func list(_ request: APIRequest, _ context: CallContext, isDetailed: Bool) async throws -> HTTPResponse {
        let policy: PolicyName =
            isDetailed
            ? "os_compute_api:servers:detail:get_all_tenants" : "os_compute_api:servers:index:get_all_tenants"
        let wanted = try ServerListReader(request: request, context: context)
            .read(maximum: servers.parts.config.maximumPage, allTenantsPolicy: policy)
        guard !wanted.isEmpty else { return .object { writer in writer.array("servers") { _ in } } }
        let page = try await servers.list(
            wanted.query, isDetailed: isDetailed, ip: wanted.ip, ip6: wanted.ip6, for: context)
        var view = ServerView(request, context, hosts: page.hosts, servers.parts)
        let size = page.servers.count * (isDetailed ? 2300 : 400) + 512
        return .object(capacity: size) { writer in
            writer.key("servers")
            writer.beginArray()
            for server in page.servers {
                if isDetailed {
                    view.detail(
                        &writer, server, page.ports[server.id.rawValue] ?? [], page.disks[server.id] ?? [])
                } else {
                    view.basic(&writer, server)
                }
            }
            writer.endArray()
            if let last = page.servers.last, page.servers.count == wanted.query.limit {
                let path = isDetailed ? "servers/detail" : "servers"
                request.links.next(&writer, "servers_links", path, marker: last.id.rawValue)
            }
        }
    }

    // MARK: One

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        return try await answer(server, request, context)
    }

    private func answer(
        _ server: Server, _ request: APIRequest, _ context: CallContext, isBrief: Bool = false
    ) async throws -> HTTPResponse {
        let page = try await servers.page(of: server)
        let group: ServerGroupID?? = context.has(71) ? .some(try await servers.group(of: server)) : .none
        var view = ServerView(request, context, hosts: page.hosts, servers.parts, project: server.projectID)
        return .object(capacity: 3072) { writer in
            writer.key("server")
            view.detail(
                &writer, server, page.ports[server.id.rawValue] ?? [], page.disks[server.id] ?? [], group: group,
                isBrief: isBrief)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let wanted = try ServerDraftReader(context).read(try await request.json())
        var draft = wanted.draft
        let password = draft.adminPassword ?? Self.password()
        draft.adminPassword = password
        let created = try await servers.create(draft, for: context)
        if wanted.returnsReservation {
            return .object(202) { $0.field("reservation_id", created.reservationID) }
        }
        let id = created.servers[0].rawValue
        var response = HTTPResponse.object(202) { writer in
            writer.object("server") { writer in
                writer.field("id", id)
                request.links.write(&writer, "servers/\(id)")
                writer.field("OS-DCF:diskConfig", draft.diskConfig)
                writer.field("security_groups", wanted.securityGroups ?? .array([.object(["name": "default"])]))
                writer.field("adminPass", password)
            }
        }
        response.headers.set("Location", "\(request.versionURL)/servers/\(id)")
        return response
    }

    /// Twelve letters and digits that are hard to confuse, one of each kind at least (nova: utils.generate_password).
    static func password() -> String {
        let kinds = [Array("23456789"), Array("ABCDEFGHJKLMNPQRSTUVWXYZ"), Array("abcdefghijkmnopqrstuvwxyz")]
        let all = kinds.flatMap { $0 }
        var generator = SystemRandomNumberGenerator()
        var letters = kinds.compactMap { $0.randomElement(using: &generator) }
        while letters.count < 12 { letters.append(all[Int.random(in: 0..<all.count, using: &generator)]) }
        return String(letters.shuffled(using: &generator))
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("server", in: try await request.json())
        var changes = ServerStore.Changes()
        if let name = try reader.string("name", 1...255) {
            try ComputeWire.checkName(name, "name")
            changes.name = name
        }
        if context.has(19), let description = try reader.nullableString("description") {
            if let description { try ComputeWire.checkPrintable(description, "description") }
            changes.description = .some(description)
        }
        if context.has(90), let hostname = try reader.string("hostname", 1...255) {
            guard Hostname.isValid(hostname, allowsDomain: context.has(94)) else {
                throw reader.invalid("hostname", .string(hostname), "is not a valid host name")
            }
            changes.hostname = hostname
        }
        changes.accessIPv4 = try ServerDraftReader.address(&reader, "accessIPv4", isIPv6: false)
        changes.accessIPv6 = try ServerDraftReader.address(&reader, "accessIPv6", isIPv6: true)
        changes.diskConfig = try ServerDraftReader.diskConfig(&reader)
        if context.has(104), let zone = try reader.nullableString("pinned_availability_zone", 1...255) {
            changes.pinnedZone = .some(zone)
        }
        try reader.finish()
        let server = try await servers.update(request.id("server_id"), changes, for: context)
        return try await answer(server, request, context, isBrief: !context.has(75))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await servers.delete(request.id("server_id"), for: context)
        return .noContent()
    }
}
