// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-server-groups
struct ServerGroupRoutes: Sendable {
    private static let maximumPage = 1000
    let groups: ServerGroupEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-server-groups"
        routes.add(.get, path, policy: "os_compute_api:os-server-groups:index", index)
        routes.add(.post, path, policy: "os_compute_api:os-server-groups:create", create)
        routes.add(.get, path + "/{id}", object: "os_compute_api:os-server-groups:show", show)
        routes.add(.delete, path + "/{id}", object: "os_compute_api:os-server-groups:delete", delete)
    }

    private func write(_ writer: inout JSONWriter, _ group: ServerGroup, _ context: CallContext) {
        writer.beginObject()
        writer.field("id", group.id.rawValue)
        writer.field("name", group.name)
        writer.field("members", group.members.map(\.rawValue))
        if context.has(64) {
            writer.field("policy", group.policy.rawValue)
            writer.object("rules") { writer in
                if let maximum = group.maximumPerHost { writer.field("max_server_per_host", maximum) }
            }
        } else {
            writer.field("policies", [group.policy.rawValue])
            writer.object("metadata") { _ in }
        }
        if context.has(13) {
            writer.field("project_id", group.projectID.rawValue)
            writer.field("user_id", group.userID.rawValue)
        }
        writer.endObject()
    }

    private func answer(_ group: ServerGroup, _ context: CallContext) -> HTTPResponse {
        .object { writer in
            writer.key("server_group")
            write(&writer, group, context)
        }
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["all_projects", "limit", "offset"])
        // Others are shown their own, as upstream has it.
        let isForAll = request.query("all_projects") != nil && context.isAdmin
        if isForAll { try context.authorize([:], as: "os_compute_api:os-server-groups:index:all_projects") }
        let page = try await groups.list(
            allProjects: isForAll, offset: try request.queryInt("offset", 0...Int(Int32.max)) ?? 0,
            limit: try ComputeWire.limit(request, maximum: Self.maximumPage), for: context)
        return .object { writer in
            writer.array("server_groups") { writer in
                for group in page { write(&writer, group, context) }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        answer(try await groups.group(request.id("id"), for: context), context)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("server_group", in: try await request.json())
        let name = try reader.requiredString("name", 1...255)
        try ComputeWire.checkName(name, "name")
        let text: String
        var maximum: Int64?
        var hasRules = false
        if context.has(64) {
            text = try reader.requiredString("policy")
            if var rules = try reader.object("rules") {
                hasRules = !rules.remainingKeys.isEmpty
                maximum = try rules.looseInt("max_server_per_host", 1...Int64(Int32.max))
                try rules.finish()
            }
        } else {
            guard let policies = try reader.strings("policies", 1...1) else { throw reader.missing("policies") }
            text = policies[0]
        }
        try reader.finish()
        guard let policy = ServerGroup.Policy(rawValue: text),
            context.has(15) || policy == .affinity || policy == .antiAffinity
        else { throw reader.invalid("policy", .string(text), "is not a policy of server groups") }
        guard !hasRules || policy == .antiAffinity else {
            throw CloudError.badRequest("Only anti-affinity policy supports rules.")
        }
        return answer(
            try await groups.create(name: name, policy: policy, maximumPerHost: maximum.map(Int.init), for: context),
            context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.delete(request.id("id"), for: context)
        return .noContent()
    }
}
