// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementCore
import PolicyKit

/// /resource_classes
struct ResourceClassRoutes: Sendable {
    let engine: PlacementEngine
    let clock: WallClock

    private static let idempotentSince = 7

    func register(on routing: inout PlacementRouting) {
        let rule = "placement:resource_classes:"
        routing.add(.get, "/resource_classes", PolicyName(rule + "list"), since: 2, list)
        routing.add(
            .post, "/resource_classes", PolicyName(rule + "create"), since: 2, takesBody: true, answersJSON: false,
            create)
        routing.add(.get, "/resource_classes/{name}", PolicyName(rule + "show"), since: 2, show)
        routing.add(.put, "/resource_classes/{name}", PolicyName(rule + "update"), since: 2, answersJSON: false, update)
        routing.add(
            .delete, "/resource_classes/{name}", PolicyName(rule + "delete"), since: 2, answersJSON: false, delete)
    }

    private static func path(_ name: String) -> String { "/placement/resource_classes/\(name)" }

    private static func write(_ name: String, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", name)
        writer.array("links") { Links.write(&$0, "self", path(name)) }
        writer.endObject()
    }

    private static func body(_ name: String) -> [UInt8] {
        var writer = JSONWriter()
        write(name, to: &writer)
        return writer.finish()
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await engine.resourceClasses()
        let bytes = JSONWriter.object(capacity: 4096) { writer in
            writer.array("resource_classes") { classes in
                for name in found.names { Self.write(name, to: &classes) }
            }
        }
        return PlacementRouting.json(200, bytes, modified: found.lastModified ?? clock.now(), context)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.placementJSON(PlacementSchemas.resourceClass)
        let name = body["name"]?.string ?? ""
        guard try await engine.ensureResourceClass(name) else {
            throw CloudError.conflict("Conflicting resource class already exists: \(name)")
        }
        return PlacementRouting.empty(201, location: "\(request.serviceURL)/resource_classes/\(name)", context)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let name = request.parameter("name")
        let created = try await engine.resourceClass(name)
        return PlacementRouting.json(200, Self.body(name), modified: created ?? clock.now(), context)
    }

    /// Until 1.6 a new name for a class, since 1.7 the wish that a class exist.
    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let name = request.parameter("name")
        guard context.microversion.minor >= Self.idempotentSince else {
            let body = try await request.placementJSON(PlacementSchemas.resourceClass)
            let other = body["name"]?.string ?? ""
            try await engine.renameResourceClass(name, to: other)
            return .json(200, Self.body(other))
        }
        try PlacementSchemas.resourceClass.validate(["name": .string(name)])
        let isNew = try await engine.ensureResourceClass(name)
        return PlacementRouting.empty(
            isNew ? 201 : 204, location: "\(request.serviceURL)/resource_classes/\(name)", context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deleteResourceClass(request.parameter("name"))
        return PlacementRouting.empty(204, context)
    }
}
