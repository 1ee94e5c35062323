// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkCore
import PolicyKit

/// /v2.0/address-scopes
struct AddressScopeRoutes: Sendable {
    let scopes: AddressScopeEngine
    private let collection: Collection

    init(_ scopes: AddressScopeEngine, maximumPage: Int?) {
        self.scopes = scopes
        collection = Collection("address_scope", "address_scopes", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_address_scope", list)
        routes.add(.post, collection.path, object: "create_address_scope", create)
        routes.add(.get, collection.item, object: "get_address_scope", show)
        routes.add(.put, collection.item, object: "update_address_scope", update)
        routes.add(.delete, collection.item, object: "delete_address_scope", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await scopes.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let scope = try await scopes.get(request.id("id"), for: context)
        return collection.one(scope, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("ip_version")
            return try read(&reader)
        }
        return collection.created(try await scopes.create(drafts, for: context), isBulk: isBulk, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { reader in
            try reader.refuseInUpdate("ip_version")
            return try read(&reader)
        }
        return collection.one(try await scopes.update(request.id("id"), draft, for: context), fields: nil, write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await scopes.delete(request.id("id"), for: context)
        return .noContent()
    }

    private func read(_ reader: inout AttributeReader) throws -> AddressScopeDraft {
        var draft = AddressScopeDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.ipVersion = try reader.int("ip_version", 4...6)
        guard draft.ipVersion != 5 else { throw AttributeReader.invalid("ip_version", "'5' is not in [4, 6]") }
        draft.isShared = try reader.bool("shared", default: false)
        draft.given = reader.given
        return draft
    }

    private func write(_ scope: AddressScope, _ out: inout ResourceWriter) {
        out.field("id", scope.id)
        out.field("name", scope.name)
        out.owner(scope.project)
        out.field("ip_version", scope.ipVersion)
        out.field("shared", scope.isShared)
    }
}
