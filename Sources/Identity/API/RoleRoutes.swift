// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/roles and /v3/role_inferences
struct RoleRoutes: Sendable {
    private typealias Rules = RoleEngine.Rules

    let roles: RoleEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/roles", object: "identity:list_roles", list)
        routes.add(.post, "/v3/roles", object: "identity:create_role", create)
        routes.add(.get, "/v3/roles/{role_id}", object: "identity:get_role", show)
        routes.add(.patch, "/v3/roles/{role_id}", object: "identity:update_role", update)
        routes.add(.delete, "/v3/roles/{role_id}", object: "identity:delete_role", delete)
        routes.add(.get, "/v3/role_inferences", object: "identity:list_role_inference_rules", listInferences)
        routes.add(.get, "/v3/roles/{role_id}/implies", object: "identity:list_implied_roles", listImplied)
        let implied = "/v3/roles/{role_id}/implies/{implied_role_id}"
        routes.add(.get, implied, object: "identity:get_implied_role", showImplied)
        routes.add(.head, implied, object: "identity:check_implied_role", checkImplied)
        routes.add(.put, implied, object: "identity:create_implied_role", addImplied)
        routes.add(.delete, implied, object: "identity:delete_implied_role", removeImplied)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await roles.list(
            domain: request.query("domain_id").flatMap { $0.isEmpty ? nil : ID($0) }, name: request.query("name"),
            Rules(role: "identity:list_roles", domainRole: "identity:list_domain_roles"), for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: \.name).response("roles") {
            RoleWire.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let role = try await roles.create(
            try RoleWire.draft(try await request.body("role")),
            Rules(role: "identity:create_role", domainRole: "identity:create_domain_role"), for: context)
        return IdentityReply.one("role", status: 201) { RoleWire.write(role, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let role = try await roles.show(
            request.id("role_id"), Rules(role: "identity:get_role", domainRole: "identity:get_domain_role"),
            for: context)
        return IdentityReply.one("role") { RoleWire.write(role, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let rules = Rules(role: "identity:update_role", domainRole: "identity:update_domain_role")
        let id: RoleID = request.id("role_id")
        let old = try await roles.show(id, rules, for: context)
        let change = try RoleWire.change(try await request.body("role"), of: old)
        let role = try await roles.update(id, change, rules, for: context)
        return IdentityReply.one("role") { RoleWire.write(role, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await roles.delete(
            request.id("role_id"), Rules(role: "identity:delete_role", domainRole: "identity:delete_domain_role"),
            for: context)
        return IdentityReply.noContent()
    }

    // MARK: Implications

    private func listInferences(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let inferences = try await roles.inferences(for: context)
        return IdentityReply.json(
            JSONWriter.object { writer in
                writer.array("role_inferences") { writer in
                    for inference in inferences {
                        writer.beginObject()
                        RoleWire.write(inference, asList: true, &writer, request.v3URL)
                        writer.endObject()
                    }
                }
                writer.selfLink(request.selfURL())
            })
    }

    private func listImplied(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let inference = try await roles.implied(by: request.id("role_id"), for: context)
        return Self.response(200, inference, asList: true, request)
    }

    private func showImplied(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let inference = try await roles.implication(
            of: request.id("implied_role_id"), by: request.id("role_id"), for: context)
        return Self.response(200, inference, asList: false, request)
    }

    private func checkImplied(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        _ = try await roles.implication(of: request.id("implied_role_id"), by: request.id("role_id"), for: context)
        return IdentityReply.noContent()
    }

    private func addImplied(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let inference = try await roles.addImplication(
            of: request.id("implied_role_id"), by: request.id("role_id"), for: context)
        return Self.response(201, inference, asList: false, request)
    }

    private func removeImplied(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await roles.removeImplication(of: request.id("implied_role_id"), by: request.id("role_id"), for: context)
        return IdentityReply.noContent()
    }

    private static func response(
        _ status: Int, _ inference: RoleEngine.Inference, asList: Bool, _ request: APIRequest
    ) -> HTTPResponse {
        IdentityReply.json(
            status: status,
            JSONWriter.object { writer in
                writer.object("role_inference") { RoleWire.write(inference, asList: asList, &$0, request.v3URL) }
                writer.selfLink(request.selfURL())
            })
    }
}

enum RoleWire {
    static func write(_ role: Role, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", role.id)
        writer.field("name", role.name)
        writer.field("domain_id", role.domainID)
        writer.field("description", role.description)
        writer.options(role.options)
        writer.extras(role.extras)
        writer.selfLink("\(base)/roles/\(role.id)")
    }

    /// One role as an object, or all of them as a list.
    static func write(
        _ inference: RoleEngine.Inference, asList: Bool, _ writer: inout JSONWriter, _ base: String
    ) {
        writer.object("prior_role") { short(inference.prior, &$0, base) }
        if asList {
            writer.array("implies") { writer in
                for role in inference.implied {
                    writer.beginObject()
                    short(role, &writer, base)
                    writer.endObject()
                }
            }
        } else if let role = inference.implied.first {
            writer.object("implies") { short(role, &$0, base) }
        }
    }

    private static func short(_ role: Role, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", role.id)
        writer.field("name", role.name)
        writer.selfLink("\(base)/roles/\(role.id)")
    }

    static func draft(_ body: ObjectReader) throws -> RoleDraft {
        var body = body
        var draft = RoleDraft(
            name: try body.requiredName(maximum: Role.maximumNameLength), domainID: try body.optionalID("domain_id"))
        draft.description = try body.nullableString("description", 0...255) ?? nil
        draft.options = draft.options.changed(by: try body.flags(["immutable"]) ?? [:])
        _ = body.value("id")
        draft.extras = try body.extras()
        return draft
    }

    static func change(_ body: ObjectReader, of role: Role) throws -> RoleChange {
        var body = body
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'role': at least one property is required")
        }
        var change = RoleChange()
        change.name = try body.name(maximum: Role.maximumNameLength)
        change.description = try body.nullableString("description", 0...255)
        change.options = try body.flags(["immutable"])
        try body.checkID("id", is: role.id.rawValue, "role ID")
        try body.checkID("domain_id", is: role.domainID?.rawValue ?? "", "Domain ID")
        change.extras = try body.extras()
        return change
    }
}
