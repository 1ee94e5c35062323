// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/ports/{id}/bindings
struct PortBindingRoutes: Sendable {
    let bindings: PortBindingEngine
    private let collection: Collection

    init(_ bindings: PortBindingEngine, maximumPage: Int?) {
        self.bindings = bindings
        collection = Collection("binding", "bindings", path: "/v2.0/ports/{id}/bindings", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        let item = collection.path + "/{host}"
        routes.add(.get, collection.path, object: "get_port_binding", list)
        routes.add(.post, collection.path, object: "create_port_binding", create)
        routes.add(.get, item, object: "get_port_binding") { request, context in
            let binding = try await bindings.get(request.id("id"), on: request.parameter("host"), for: context)
            return collection.one(binding, fields: Collection.fields(request), Self.write)
        }
        routes.add(.put, item, object: "update_port_binding", update)
        routes.add(.put, item + "/activate", object: "activate", activate)
        routes.add(.delete, item, object: "delete_port_binding") { request, context in
            try await bindings.delete(request.id("id"), on: request.parameter("host"), for: context)
            return .noContent()
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await bindings.list(of: request.id("id"), for: context).filter { binding in
            try query.filters.allSatisfy { filter in
                switch filter.name {
                case "host": filter.values.contains(binding.host)
                case "status": filter.values.contains(Self.status(of: binding))
                case "vnic_type": filter.values.contains(binding.vnicType)
                case "vif_type": filter.values.contains(PortWire.boundType)
                default: throw AttributeReader.bad("['\(filter.name.prefix(64))'] is invalid attribute for filtering")
                }
            }
        }
        return collection.list(request, query, query.page(of: found, id: \.host), id: \.host, Self.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, _) = try await collection.drafts(request, limit: 1) { reader in
            try reader.require("host")
            return try Self.draft(&reader)
        }
        guard let draft = drafts.first, draft.host?.isEmpty == false else {
            throw AttributeReader.invalid("host", "'' is no host")
        }
        let binding = try await bindings.create(draft, of: request.id("id"), for: context)
        return collection.one(binding, status: 201, fields: nil, Self.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try Self.draft(&$0) }
        let binding = try await bindings.update(
            request.id("id"), on: request.parameter("host"), draft, for: context)
        return collection.one(binding, fields: nil, Self.write)
    }

    /// neutron answers an action with the object alone, without its name.
    private func activate(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let binding = try await bindings.activate(request.id("id"), on: request.parameter("host"), for: context)
        var writer = ResourceWriter(fields: nil, capacity: 512)
        writer.beginObject()
        Self.write(binding, &writer)
        writer.endObject()
        return .json(200, writer.finish())
    }

    private static func draft(_ reader: inout AttributeReader) throws -> PortBindingDraft {
        try reader.refuseReadOnly("vif_type", "vif_details")
        _ = try reader.project()
        var draft = PortBindingDraft()
        draft.host = try reader.string("host")
        draft.vnicType = try PortWire.vnicType(&reader, "vnic_type")
        draft.profile = try PortWire.profile(&reader, "profile")
        return draft
    }

    private static func status(of binding: PortBinding) -> String { binding.isActive ? "ACTIVE" : "INACTIVE" }

    private static func write(_ binding: PortBinding, _ out: inout ResourceWriter) {
        out.field("host", binding.host)
        out.field("vif_type", PortWire.boundType)
        out.raw("vif_details", PortWire.boundDetails)
        out.field("vnic_type", binding.vnicType)
        out.raw("profile", binding.profile)
        out.field("status", status(of: binding))
    }
}
