// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-security-groups and /v2.1/os-security-group-rules, until 2.35: Network's security groups with their rules
/// for what comes in (nova: api/openstack/compute/security_groups.py, network/security_group_api.py).
struct SecurityGroupProxyRoutes: Sendable {
    private static let maximumPage = 1000
    /// Groups that one question names.
    private static let maximumNamed = 100
    private static let groups = "/network/v2.0/security-groups"
    private static let rules = "/network/v2.0/security-group-rules"
    let servers: ServerEngine
    let neighbours: Neighbours

    func register(on routes: inout RouteTable) {
        let (path, one, all) = ("/v2.1/os-security-groups", "/v2.1/os-security-groups/{group_id}", versions(1, 35))
        routes.add(.get, path, policy: "os_compute_api:os-security-groups:get", versions: all, index)
        routes.add(.post, path, policy: "os_compute_api:os-security-groups:create", versions: all, create)
        routes.add(.get, one, policy: "os_compute_api:os-security-groups:show", versions: all, show)
        routes.add(.put, one, policy: "os_compute_api:os-security-groups:update", versions: all, update)
        routes.add(.delete, one, policy: "os_compute_api:os-security-groups:delete", versions: all, delete)
        let rule = "/v2.1/os-security-group-rules"
        routes.add(
            .post, rule, policy: "os_compute_api:os-security-groups:rule:create", versions: all, createRule)
        routes.add(
            .delete, rule + "/{rule_id}", policy: "os_compute_api:os-security-groups:rule:delete", versions: all,
            deleteRule)
        routes.add(
            .get, "/v2.1/servers/{server_id}/os-security-groups", object: "os_compute_api:os-security-groups:list",
            ofServer)
    }

    // MARK: View

    /// The group that a rule names as its source: name and project.
    private typealias Sources = [String: (name: String, project: String)]

    private static func write(_ writer: inout JSONWriter, group: JSON, _ sources: Sources) {
        writer.beginObject()
        writer.field("id", group[shown: "id"])
        writer.field("description", group[shown: "description"])
        writer.field("name", group[shown: "name"])
        writer.field("tenant_id", group["tenant_id"] ?? group[shown: "project_id"])
        writer.array("rules") { writer in
            for rule in ingress(group) {
                // Its source went away in this moment, and so will the rule.
                if let source = rule["remote_group_id"]?.string, sources[source] == nil { continue }
                write(&writer, rule: rule, sources)
            }
        }
        writer.endObject()
    }

    private static func ingress(_ group: JSON) -> [JSON] {
        (group["security_group_rules"]?.array ?? []).filter { $0["direction"] == "ingress" }
    }

    private static func write(_ writer: inout JSONWriter, rule: JSON, _ sources: Sources) {
        writer.beginObject()
        writer.field("id", rule[shown: "id"])
        writer.field("parent_group_id", rule[shown: "security_group_id"])
        writer.field("ip_protocol", rule[shown: "protocol"])
        let (low, high) = ports(rule)
        writer.field("from_port", low)
        writer.field("to_port", high)
        if let source = rule["remote_group_id"]?.string {
            writer.object("group") { writer in
                writer.field("name", sources[source]?.name)
                writer.field("tenant_id", sources[source]?.project)
            }
            writer.object("ip_range") { _ in }
        } else {
            writer.object("group") { _ in }
            let cidr = rule["remote_ip_prefix"]?.string ?? (rule["ethertype"] == "IPv6" ? "::/0" : "0.0.0.0/0")
            writer.object("ip_range") { $0.field("cidr", cidr) }
        }
        writer.endObject()
    }

    /// All ports of a protocol have numbers here.
    private static func ports(_ rule: JSON) -> (JSON, JSON) {
        let (low, high) = (rule[shown: "port_range_min"], rule[shown: "port_range_max"])
        guard let name = rule["protocol"]?.string, low.isNull, high.isNull else { return (low, high) }
        return ["tcp", "udp"].contains(name.lowercased()) ? (1, 65_535) : (-1, -1)
    }

    private func sources(of groups: [JSON], _ request: APIRequest) async throws -> Sources {
        var sources: Sources = [:]
        func note(_ group: JSON) {
            guard let id = group["id"]?.string else { return }
            let project = group["tenant_id"]?.string ?? group["project_id"]?.string ?? ""
            sources[id] = (group["name"]?.string ?? "", project)
        }
        groups.forEach(note)
        let named = Set(groups.flatMap { Self.ingress($0).compactMap { $0["remote_group_id"]?.string } })
        let missing = named.filter { sources[$0] == nil }.sorted()
        for start in stride(from: 0, to: missing.count, by: Self.maximumNamed) {
            let query = missing[start..<min(start + Self.maximumNamed, missing.count)].map { (name: "id", value: $0) }
            let found = try await neighbours.call(.get, Self.groups, query: query, for: request)
            for group in found["security_groups"]?.array ?? [] { note(group) }
        }
        return sources
    }

    private func group(_ id: String, _ request: APIRequest) async throws -> JSON? {
        try await neighbours.find("\(Self.groups)/\(Neighbours.segment(id))", for: request)?["security_group"]
    }

    private func answer(_ group: JSON, _ request: APIRequest) async throws -> HTTPResponse {
        let sources = try await sources(of: [group], request)
        return .object { writer in
            writer.key("security_group")
            Self.write(&writer, group: group, sources)
        }
    }

    // MARK: Groups

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var query: [(name: String, value: String)] = []
        if !context.isAdmin || request.query("all_tenants") == nil {
            query.append((name: "project_id", value: try context.requireProject().rawValue))
        }
        let limit = try ComputeWire.limit(request, maximum: Self.maximumPage)
        let offset = try request.queryInt("offset", 0...Int(Int32.max)) ?? 0
        let answer = try await neighbours.call(.get, Self.groups, query: query, for: request)
        return try await list(
            (answer["security_groups"]?.array ?? []).dropFirst(offset).prefix(limit).sorted {
                Self.order($0) < Self.order($1)
            }, request)
    }

    private func list(_ groups: [JSON], _ request: APIRequest) async throws -> HTTPResponse {
        let sources = try await sources(of: groups, request)
        return .object { writer in
            writer.array("security_groups") { writer in
                for group in groups { Self.write(&writer, group: group, sources) }
            }
        }
    }

    /// The groups of a server's ports, once each (nova: `get_instance_security_groups`).
    private func ofServer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        let ports = try await neighbours.call(
            .get, "/network/v2.0/ports",
            query: [(name: "device_id", value: server.id.rawValue), (name: "fields", value: "security_groups")],
            for: request)
        var ids: Set<String> = []
        for port in ports["ports"]?.array ?? [] {
            ids.formUnion((port["security_groups"]?.array ?? []).compactMap(\.string))
        }
        guard !ids.isEmpty else { return try await list([], request) }
        let groups = try await neighbours.call(
            .get, Self.groups, query: ids.sorted().map { (name: "id", value: $0) }, for: request)
        return try await list(
            (groups["security_groups"]?.array ?? []).sorted { Self.order($0) < Self.order($1) }, request)
    }

    private static func order(_ group: JSON) -> (String, String) {
        (group["tenant_id"]?.string ?? group["project_id"]?.string ?? "", group["name"]?.string ?? "")
    }

    private func find(_ request: APIRequest) async throws -> JSON {
        let id = request.parameter("group_id")
        guard !id.isEmpty else { throw Self.missing(id) }
        guard UUIDText.isUUID(id) else { throw CloudError.badRequest("Security group id should be uuid") }
        guard let group = try await group(id, request) else { throw Self.missing(id) }
        return group
    }

    private static func missing(_ id: String) -> CloudError {
        .notFound("Security group \(id.prefix(64)) not found.", kind: "SecurityGroupNotFound")
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await answer(try await find(request), request)
    }

    private static func draft(_ request: APIRequest) async throws -> JSON {
        var reader = try ObjectReader.envelope("security_group", in: try await request.json())
        let name = try reader.requiredString("name", 0...255)
        guard let description = try reader.nullableString("description", 0...255) else {
            throw reader.missing("description")
        }
        try reader.finish()
        return ["security_group": ["name": .string(name), "description": .string(description ?? "")]]
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await Self.draft(request)
        do {
            let made = try await neighbours.call(.post, Self.groups, draft, for: request)
            return try await answer(made["security_group"] ?? .null, request)
        } catch let error as CloudError where error.code == .conflict {
            throw CloudError(.overQuota, error.message, kind: "SecurityGroupLimitExceeded")
        }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await Self.draft(request)
        let id = try await find(request)["id"]?.string ?? ""
        let changed = try await neighbours.call(
            .put, "\(Self.groups)/\(Neighbours.segment(id))", draft, for: request)
        return try await answer(changed["security_group"] ?? .null, request)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = try await find(request)["id"]?.string ?? ""
        do {
            try await neighbours.call(.delete, "\(Self.groups)/\(Neighbours.segment(id))", for: request)
        } catch let error as CloudError where error.code == .conflict {
            throw CloudError.badRequest(error.message)
        }
        return HTTPResponse(status: 202)
    }

    // MARK: Rules

    private func createRule(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("security_group_rule", in: try await request.json())
        let parent = try reader.requiredString("parent_group_id", 1...255)
        let source = try reader.nullableString("group_id").flatMap { $0 }
        let draft = try SecurityGroupRuleDraft(&reader, parent: parent, source: source)
        try reader.finish()
        guard UUIDText.isUUID(parent) else { throw CloudError.badRequest("Security group id should be uuid") }
        guard try await group(parent, request) != nil else { throw Self.missing(parent) }
        var sources: Sources = [:]
        if let source {
            guard let group = try await group(source, request) else { throw Self.missing(source) }
            sources = try await self.sources(of: [group], request)
        }
        do {
            let made = try await neighbours.call(
                .post, Self.rules, ["security_group_rule": draft.body], for: request)
            return .object { writer in
                writer.key("security_group_rule")
                Self.write(&writer, rule: made["security_group_rule"] ?? .null, sources)
            }
        } catch let error as CloudError where error.code == .conflict {
            // The same rule again is a mistake; too many rules are a matter of quota.
            guard error.kind == "OverQuota" else {
                throw CloudError.badRequest("This rule already exists in group \(parent)")
            }
            throw CloudError(.overQuota, error.message, kind: "SecurityGroupLimitExceeded")
        }
    }

    private func deleteRule(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = request.parameter("rule_id")
        guard !id.isEmpty else { throw CloudError.notFound("Rule not found.") }
        guard UUIDText.isUUID(id) else { throw CloudError.badRequest("Security group id should be uuid") }
        try await neighbours.call(.delete, "\(Self.rules)/\(Neighbours.segment(id))", for: request)
        return HTTPResponse(status: 202)
    }
}
