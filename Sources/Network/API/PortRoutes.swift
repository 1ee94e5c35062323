// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/ports
struct PortRoutes: Sendable {
    let ports: PortEngine
    private let collection: Collection

    init(_ ports: PortEngine, maximumPage: Int?) {
        self.ports = ports
        collection = Collection("port", "ports", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_port", list)
        routes.add(.post, collection.path, object: "create_port", create)
        routes.add(.get, collection.item, object: "get_port", show)
        routes.add(.put, collection.item, object: "update_port", update)
        routes.add(.delete, collection.item, object: "delete_port", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await ports.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, writer(context))
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let port = try await ports.get(request.id("id"), for: context)
        return collection.one(port, fields: Collection.fields(request), writer(context))
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("network_id")
            return try PortWire.draft(&reader, isCreate: true, hasDHCPOptions: ports.hasExtraDHCPOptions)
        }
        let made = try await ports.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, writer(context))
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) {
            try PortWire.draft(&$0, isCreate: false, hasDHCPOptions: ports.hasExtraDHCPOptions)
        }
        let port = try await ports.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(port, fields: nil, writer(context))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await ports.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    private func writer(_ context: CallContext) -> (Port, inout ResourceWriter) -> Void {
        let showsBinding = context.allows("get_port:binding:host_id", [:])
        let view = PortWire.View(
            showsBinding: showsBinding, showsResourceRequest: context.allows("get_port:resource_request", [:]),
            showsDHCPOptions: ports.hasExtraDHCPOptions, dnsDomain: ports.dnsDomain)
        return { PortWire.write($0, view, &$1) }
    }
}
