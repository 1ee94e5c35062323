// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/routers/{id}/conntrack_helpers
struct ConntrackHelperRoutes: Sendable {
    let helpers: ConntrackHelperEngine
    private let collection: Collection

    init(_ helpers: ConntrackHelperEngine, maximumPage: Int?) {
        self.helpers = helpers
        collection = Collection(
            "conntrack_helper", "conntrack_helpers", path: "/v2.0/routers/{id}/conntrack_helpers",
            maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        let item = collection.path + "/{helper}"
        routes.add(.get, collection.path, object: "get_router_conntrack_helper", list)
        routes.add(.post, collection.path, object: "create_router_conntrack_helper", create)
        routes.add(.get, item, object: "get_router_conntrack_helper", show)
        routes.add(.put, item, object: "update_router_conntrack_helper", update)
        routes.add(.delete, item, object: "delete_router_conntrack_helper") { request, context in
            try await helpers.delete(request.id("helper"), of: request.id("id"), for: context)
            return .noContent()
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await helpers.list(query, of: request.id("id"), for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let helper = try await helpers.get(request.id("helper"), of: request.id("id"), for: context)
        return collection.one(helper, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            for name in ["helper", "protocol", "port"] { try reader.require(name) }
            let draft = try read(&reader)
            guard draft.port != nil else { throw AttributeReader.invalid("port", "'null' is not an integer") }
            return draft
        }
        let made = try await helpers.create(drafts, of: request.id("id"), for: context)
        return collection.created(made, isBulk: isBulk, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request, read)
        let helper = try await helpers.update(request.id("helper"), draft, of: request.id("id"), for: context)
        return collection.one(helper, fields: nil, write)
    }

    private func read(_ reader: inout AttributeReader) throws -> ConntrackHelperDraft {
        _ = try reader.project()
        var draft = ConntrackHelperDraft()
        draft.helper = try reader.string("helper", maximum: 64)
        draft.protocolName = try reader.string("protocol").map { text in
            guard ConntrackHelper.protocols.contains(text.lowercased()) else {
                throw AttributeReader.invalid(
                    "protocol", "'\(text.prefix(32))' is not in \(ConntrackHelper.protocols)")
            }
            return text.lowercased()
        }
        draft.port = try reader.int("port", 1...65535)
        return draft
    }

    private func write(_ helper: ConntrackHelper, _ out: inout ResourceWriter) {
        out.field("id", helper.id)
        out.field("helper", helper.helper)
        out.field("protocol", helper.protocolName)
        out.field("port", helper.port)
    }
}
