// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/users/{user_id}/application_credentials and …/access_rules
struct ApplicationCredentialRoutes: Sendable {
    let engine: ApplicationCredentialEngine

    func register(on routes: inout RouteTable) {
        let all = "/v3/users/{user_id}/application_credentials"
        let one = all + "/{application_credential_id}"
        routes.add(.get, all, object: "identity:list_application_credentials", list)
        routes.add(.post, all, object: "identity:create_application_credential", create)
        routes.add(.get, one, object: "identity:get_application_credential", show)
        routes.add(.delete, one, object: "identity:delete_application_credential", delete)
        let rules = "/v3/users/{user_id}/access_rules"
        routes.add(.get, rules, object: "identity:list_access_rules", listRules)
        routes.add(.get, rules + "/{access_rule_id}", object: "identity:get_access_rule", showRule)
        routes.add(.delete, rules + "/{access_rule_id}", object: "identity:delete_access_rule", deleteRule)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await engine.list(of: request.id("user_id"), name: request.query("name"), for: context)
        return try ListPage(request, found, id: \.credential.id.rawValue, name: \.credential.name)
            .response("application_credentials") { ApplicationCredentialWire.write($0, nil, &$1, request.v3URL) }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try ObjectReader.envelope("application_credential", in: try await request.json())
        let (view, secret) = try await engine.create(
            try ApplicationCredentialWire.draft(body, for: context), of: request.id("user_id"), for: context)
        return IdentityReply.one("application_credential", status: 201) {
            ApplicationCredentialWire.write(view, secret, &$0, request.v3URL)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let view = try await engine.show(
            request.id("application_credential_id"), of: request.id("user_id"), for: context)
        return IdentityReply.one("application_credential") {
            ApplicationCredentialWire.write(view, nil, &$0, request.v3URL)
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.delete(request.id("application_credential_id"), of: request.id("user_id"), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Access rules

    private func listRules(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let user: UserID = request.id("user_id")
        let wanted = (request.query("service"), request.query("path"), request.query("method"))
        let rules = try await engine.accessRules(of: user, for: context).filter { stored in
            (wanted.0 == nil || stored.rule.service == wanted.0) && (wanted.1 == nil || stored.rule.path == wanted.1)
                && (wanted.2 == nil || stored.rule.method == wanted.2)
        }
        return try ListPage(request, rules, id: \.id.rawValue, name: nil).response("access_rules") {
            AccessRuleWire.write($0, &$1)
            $1.selfLink("\(request.v3URL)/users/\(user)/access_rules/\($0.id)")
        }
    }

    private func showRule(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let user: UserID = request.id("user_id")
        let rule = try await engine.accessRule(request.id("access_rule_id"), of: user, for: context)
        return IdentityReply.one("access_rule") {
            AccessRuleWire.write(rule, &$0)
            $0.selfLink("\(request.v3URL)/users/\(user)/access_rules/\(rule.id)")
        }
    }

    private func deleteRule(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deleteAccessRule(request.id("access_rule_id"), of: request.id("user_id"), for: context)
        return IdentityReply.noContent()
    }
}

enum AccessRuleWire {
    private static let methods: Set<String> = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]

    static func write(_ stored: StoredAccessRule, _ writer: inout JSONWriter) {
        writer.field("id", stored.id)
        writer.field("service", stored.rule.service)
        writer.field("path", stored.rule.path)
        writer.field("method", stored.rule.method)
    }

    /// An id alone refers to a rule that is there.
    static func read(_ json: JSON) throws -> ApplicationCredentialDraft.AccessRuleReference {
        var body = try ObjectReader(json, path: "application_credential.access_rules")
        if let id = try body.string("id", 1...64) {
            _ = (body.value("service"), body.value("method"), body.value("path"))
            try body.finish()
            return .existing(ID(id))
        }
        guard let service = try body.string("service", 1...64) else { throw body.missing("service") }
        guard let path = try body.string("path", 0...225) else { throw body.missing("path") }
        guard let method = try body.string("method") else { throw body.missing("method") }
        try body.finish()
        guard path.hasPrefix("/") else { throw body.invalid("path", .string(path), "does not match '^/\\.*'") }
        guard methods.contains(method) else {
            throw body.invalid("method", .string(method), "is not one of \(methods.sorted())")
        }
        return .new(AccessRule(service: service, method: method, path: path))
    }
}

enum ApplicationCredentialWire {
    static func write(
        _ view: ApplicationCredentialView, _ secret: Secret?, _ writer: inout JSONWriter, _ base: String
    ) {
        let credential = view.credential
        writer.field("id", credential.id)
        writer.field("name", credential.name)
        writer.field("description", credential.description)
        writer.field("project_id", credential.projectID)
        // keystone shows this one without a zone.
        writer.field("expires_at", credential.expiresAt?.iso8601(fraction: true, zone: false))
        writer.field("unrestricted", credential.isUnrestricted)
        if let secret { writer.field("secret", secret.reveal()) }
        writer.array("roles") { writer in
            for role in view.roles {
                writer.beginObject()
                writer.field("id", role.id)
                writer.field("name", role.name)
                writer.field("domain_id", role.domainID)
                writer.field("description", role.description)
                writer.options(role.options)
                writer.endObject()
            }
        }
        if !credential.accessRules.isEmpty {
            writer.array("access_rules") { writer in
                for rule in credential.accessRules {
                    writer.beginObject()
                    AccessRuleWire.write(rule, &writer)
                    writer.endObject()
                }
            }
        }
        writer.selfLink("\(base)/users/\(credential.userID)/application_credentials/\(credential.id)")
    }

    static func draft(_ body: ObjectReader, for context: CallContext) throws -> ApplicationCredentialDraft {
        var body = body
        var draft = ApplicationCredentialDraft(
            name: try body.requiredName(maximum: ApplicationCredential.maximumNameLength))
        draft.secret = try body.nullableString("secret", 1...4096).flatMap { $0 }.map { Secret($0) }
        draft.description = try body.nullableString("description", 0...65_535).flatMap { $0 }
        if let text = try body.nullableString("expires_at", 0...64).flatMap({ $0 }) {
            guard let time = Timestamp(iso8601: text) else {
                throw CloudError.badRequest(
                    "Timestamp not in expected format. The server could not comply with the request since it is either "
                        + "malformed or otherwise incorrect. The client is assumed to be in error.")
            }
            draft.expiresAt = time
        }
        if body.isNull("unrestricted") { _ = body.value("unrestricted") }
        draft.isUnrestricted = try body.bool("unrestricted") ?? false
        draft.roles = try (body.array("roles", 0...1000) ?? []).map { try role($0) }
        draft.accessRules = try (body.array("access_rules", 0...ApplicationCredential.maximumAccessRules) ?? []).map {
            try AccessRuleWire.read($0)
        }
        _ = (body.value("id"), body.value("system"))
        if let project = try body.string("project_id"), project != context.projectID?.rawValue {
            throw CloudError.badRequest("An application credential is for the project of the token that makes it.")
        }
        try body.finish()
        return draft
    }

    private static func role(_ json: JSON) throws -> ApplicationCredentialDraft.RoleReference {
        var body = try ObjectReader(json, path: "application_credential.roles")
        let (id, name) = (try body.string("id", 1...64), try body.string("name", 1...Role.maximumNameLength))
        try body.finish()
        switch (id, name) {
        case (let id?, nil): return .id(ID(id))
        case (nil, let name?): return .name(name)
        default: throw CloudError.badRequest("Invalid input for field 'roles': a role needs either an id or a name")
        }
    }
}
