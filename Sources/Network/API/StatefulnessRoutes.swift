// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/security-groups-default-statefulness
struct StatefulnessRoutes: Sendable {
    let settings: StatefulnessEngine
    private let collection: Collection

    init(_ settings: StatefulnessEngine, maximumPage: Int?) {
        self.settings = settings
        let name: StaticString = "security_groups_default_statefulness"
        collection = Collection(name.description, name, maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_security_groups_default_statefulness", list)
        routes.add(.post, collection.path, object: "create_security_groups_default_statefulness", create)
        routes.add(.get, collection.item, object: "get_security_groups_default_statefulness", show)
        routes.add(.put, collection.item, object: "update_security_groups_default_statefulness", update)
        routes.add(.delete, collection.item, object: "delete_security_groups_default_statefulness") {
            request, context in
            try await settings.delete(request.id("id"), for: context)
            return .noContent()
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await settings.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let setting = try await settings.get(request.id("id"), for: context)
        return collection.one(setting, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        guard let object = body[collection.name] else {
            throw AttributeReader.bad("Unable to find '\(collection.name)' in request body")
        }
        var reader = try AttributeReader(object, isCreate: true)
        try reader.refuseReadOnly("id")
        reader.dropNull("project_id")
        let project = try reader.project()
        let isStateful = try reader.bool("stateful", default: true) ?? true
        try reader.finish()
        let setting = try await settings.create(project, isStateful: isStateful, for: context)
        return collection.one(setting, status: 201, fields: nil, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let isStateful = try await collection.change(request) { reader in
            _ = try reader.project()
            return try reader.bool("stateful", default: true)
        }
        let setting = try await settings.update(request.id("id"), isStateful: isStateful, for: context)
        return collection.one(setting, fields: nil, write)
    }

    private func write(_ setting: DefaultStatefulness, _ out: inout ResourceWriter) {
        out.field("id", setting.id)
        out.field("project_id", setting.project)
        out.field("tenant_id", setting.project)
        out.field("stateful", setting.isStateful)
    }
}
