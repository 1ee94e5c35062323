// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkCore
import PolicyKit

/// /v2.0/rbac-policies
struct RBACRoutes: Sendable {
    let policies: RBACEngine
    private let collection: Collection

    init(_ policies: RBACEngine, maximumPage: Int?) {
        self.policies = policies
        collection = Collection("rbac_policy", "rbac_policies", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_rbac_policy", list)
        routes.add(.post, collection.path, object: "create_rbac_policy", create)
        routes.add(.get, collection.item, object: "get_rbac_policy", show)
        routes.add(.put, collection.item, object: "update_rbac_policy", update)
        routes.add(.delete, collection.item, object: "delete_rbac_policy", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await policies.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let policy = try await policies.get(request.id("id"), for: context)
        return collection.one(policy, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request, limit: 1) { reader in
            let project = try reader.project()
            var draft = RBACDraft(
                objectType: try required("object_type", &reader), object: try required("object_id", &reader),
                action: try required("action", &reader), target: try targetProject(&reader))
            draft.project = project
            return draft
        }
        var made: [RBACPolicy] = []
        for draft in drafts { made.append(try await policies.create(draft, for: context)) }
        return collection.created(made, isBulk: isBulk, write)
    }

    private func required(_ name: String, _ reader: inout AttributeReader) throws -> String {
        try reader.require(name)
        return try reader.string(name) ?? ""
    }

    private func targetProject(_ reader: inout AttributeReader) throws -> String {
        if let target = try reader.string("target_project") { return target }
        return try required("target_tenant", &reader)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let target = try await collection.change(request) { reader in
            try reader.refuseInUpdate("object_type", "object_id", "action")
            return try targetProject(&reader)
        }
        let policy = try await policies.update(request.id("id"), target: target, for: context)
        return collection.one(policy, fields: nil, write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await policies.delete(request.id("id"), for: context)
        return .noContent()
    }

    private func write(_ policy: RBACPolicy, _ out: inout ResourceWriter) {
        out.field("id", policy.id)
        out.owner(policy.project)
        out.field("object_type", policy.objectType.rawValue)
        out.field("object_id", policy.object)
        out.field("action", policy.action.rawValue)
        out.field("target_tenant", policy.target)
    }
}
