// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/log/logs and /v2.0/log/loggable-resources
struct NetworkLogRoutes: Sendable {
    let logs: NetworkLogEngine
    private let collection: Collection

    init(_ logs: NetworkLogEngine, maximumPage: Int?) {
        self.logs = logs
        collection = Collection("log", "logs", path: "/v2.0/log/logs", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_log", list)
        routes.add(.post, collection.path, object: "create_log", create)
        routes.add(.get, collection.item, object: "get_log") { request, context in
            let log = try await logs.get(request.id("id"), for: context)
            return collection.one(log, fields: Collection.fields(request), Self.write)
        }
        routes.add(.put, collection.item, object: "update_log", update)
        routes.add(.delete, collection.item, object: "delete_log") { request, context in
            try await logs.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
            return .noContent()
        }
        routes.add(.get, "/v2.0/log/loggable-resources", object: "get_loggable_resource", types)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await logs.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, Self.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("resource_type")
            var draft = NetworkLogDraft()
            draft.project = try reader.project()
            draft.name = try reader.string("name")
            draft.description = try reader.string("description")
            draft.resourceType = try reader.string("resource_type")
            draft.group = try reader.nullableID("resource_id").flatMap { $0 }
            draft.port = try reader.nullableID("target_id").flatMap { $0 }
            draft.event = try reader.string("event").map { text in
                guard let event = NetworkLog.Event(rawValue: text) else {
                    throw AttributeReader.invalid(
                        "event", "'\(text.prefix(32))' is not in \(NetworkLog.Event.allCases.map(\.rawValue))")
                }
                return event
            }
            draft.isEnabled = try reader.bool("enabled", default: true)
            return draft
        }
        return collection.created(try await logs.create(drafts, for: context), isBulk: isBulk, Self.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { reader in
            try reader.refuseInUpdate("resource_type", "resource_id", "target_id", "event")
            _ = try reader.project()
            var draft = NetworkLogDraft()
            draft.name = try reader.string("name")
            draft.description = try reader.string("description")
            draft.isEnabled = try reader.bool("enabled", default: true)
            return draft
        }
        let log = try await logs.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(log, fields: nil, Self.write)
    }

    private func types(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let types = logs.resourceTypes(for: context)
        return .json(
            200,
            JSONWriter.object { json in
                json.array("loggable_resources") { json in
                    for type in types {
                        json.beginObject()
                        json.field("type", type)
                        json.endObject()
                    }
                }
            })
    }

    private static func write(_ log: NetworkLog, _ out: inout ResourceWriter) {
        out.field("id", log.id)
        out.field("name", log.name)
        out.owner(log.project)
        out.field("resource_type", NetworkLog.resourceType)
        out.field("resource_id", log.group)
        out.field("target_id", log.port)
        out.field("event", log.event.rawValue)
        out.field("enabled", log.isEnabled)
        out.standardWithoutTags(log.standard)
    }
}
