// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/OS-TRUST/trusts
struct TrustRoutes: Sendable {
    let trusts: TrustEngine

    func register(on routes: inout RouteTable) {
        let all = "/v3/OS-TRUST/trusts"
        let one = all + "/{trust_id}"
        routes.add(.get, all, object: "identity:list_trusts", list)
        routes.add(.post, all, object: "identity:create_trust", create)
        routes.add(.get, one, object: "identity:get_trust", show)
        routes.add(.delete, one, object: "identity:delete_trust", delete)
        routes.add(.get, one + "/roles", object: "identity:list_roles_for_trust", listRoles)
        routes.add(.get, one + "/roles/{role_id}", object: "identity:get_role_for_trust", showRole)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await trusts.list(
            trustor: request.queryID("trustor_user_id"), trustee: request.queryID("trustee_user_id"), for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("trusts") {
            TrustWire.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let view = try await trusts.create(try TrustWire.draft(try await request.body("trust")), for: context)
        return IdentityReply.one("trust", status: 201) { TrustWire.write(view, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let view = try await trusts.show(request.id("trust_id"), for: context)
        return IdentityReply.one("trust") { TrustWire.write(view, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await trusts.delete(request.id("trust_id"), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Roles

    private func listRoles(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let view = try await trusts.show(request.id("trust_id"), for: context)
        return try ListPage(request, view.roles, id: \.id.rawValue, name: \.name).response("roles") {
            RoleWire.write($0, &$1, request.v3URL)
        }
    }

    private func showRole(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: RoleID = request.id("role_id")
        let view = try await trusts.show(request.id("trust_id"), for: context)
        guard let role = view.roles.first(where: { $0.id == id }) else {
            throw CloudError.notFound("Could not find role: \(id).")
        }
        return IdentityReply.one("role") { RoleWire.write(role, &$0, request.v3URL) }
    }
}

enum TrustWire {
    private static let length = 1...255
    private static let maximumRoles = 1000

    static func write(_ view: TrustView, _ writer: inout JSONWriter, _ base: String) {
        writer.array("roles") { writer in
            for role in view.roles {
                writer.beginObject()
                RoleWire.write(role, &writer, base)
                writer.endObject()
            }
        }
        writer.object("roles_links") { writer in
            writer.field("self", "\(base)/OS-TRUST/trusts/\(view.trust.id)/roles")
            writer.nullField("next")
            writer.nullField("previous")
        }
        write(view.trust, &writer, base)
    }

    static func write(_ trust: Trust, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", trust.id)
        writer.field("trustor_user_id", trust.trustorID)
        writer.field("trustee_user_id", trust.trusteeID)
        writer.field("project_id", trust.projectID)
        writer.field("impersonation", trust.impersonates)
        writer.field("expires_at", trust.expiresAt?.iso8601(fraction: true))
        writer.field("remaining_uses", trust.remainingUses)
        writer.nullField("deleted_at")
        writer.field("redelegation_count", trust.redelegationCount)
        writer.field("redelegated_trust_id", trust.redelegatedFrom)
        writer.selfLink("\(base)/OS-TRUST/trusts/\(trust.id)")
    }

    static func draft(_ body: ObjectReader) throws -> TrustDraft {
        var body = body
        let trustor = try body.requiredString("trustor_user_id", length)
        let trustee = try body.requiredString("trustee_user_id", length)
        guard let impersonates = try body.bool("impersonation") else { throw body.missing("impersonation") }
        var draft = TrustDraft(trustorID: ID(trustor), trusteeID: ID(trustee), impersonates: impersonates)
        draft.projectID = try body.nullableID("project_id").flatMap { $0 }
        draft.expiresAt = try body.timestamp("expires_at")
        draft.remainingUses = try nullableInt("remaining_uses", 1...Int64(Int32.max), &body)
        draft.redelegationCount = try nullableInt("redelegation_count", 0...Int64(Int32.max), &body)
        if body.isNull("allow_redelegation") { _ = body.value("allow_redelegation") }
        draft.allowsRedelegation = try body.bool("allow_redelegation") ?? false
        draft.roles = try RoleReferenceWire.read(try body.array("roles", 0...maximumRoles) ?? [], in: "trust.roles")
        return draft
    }

    private static func nullableInt(_ key: String, _ range: ClosedRange<Int64>, _ body: inout ObjectReader) throws
        -> Int?
    {
        if body.isNull(key) {
            _ = body.value(key)
            return nil
        }
        return try body.int(key, range).map { Int($0) }
    }
}

/// `[{"id": …}, {"name": …}]`.
enum RoleReferenceWire {
    static func read(_ roles: [JSON], in path: String) throws -> [RoleReference] {
        try roles.map { json in
            var body = try ObjectReader(json, path: path, allowsUnknown: true)
            if let id = try body.string("id", 1...64) { return .id(ID(id)) }
            if let name = try body.string("name", 1...Role.maximumNameLength) { return .name(name) }
            throw CloudError.badRequest("Invalid input for field '\(path)': a role needs either an id or a name")
        }
    }
}

extension ObjectReader {
    /// Nil when absent or null.
    mutating func timestamp(_ key: String) throws -> Timestamp? {
        guard let text = try nullableString(key, 0...64).flatMap({ $0 }) else { return nil }
        guard let time = Timestamp(iso8601: text) else {
            throw CloudError.badRequest(
                "Timestamp not in expected format. The server could not comply with the request since it is either "
                    + "malformed or otherwise incorrect. The client is assumed to be in error.")
        }
        return time
    }
}
