// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/services
struct CatalogServiceRoutes: Sendable {
    let catalog: CatalogEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/services", object: "identity:list_services", list)
        routes.add(.post, "/v3/services", object: "identity:create_service", create)
        routes.add(.get, "/v3/services/{service_id}", object: "identity:get_service", show)
        routes.add(.patch, "/v3/services/{service_id}", object: "identity:update_service", update)
        routes.add(.delete, "/v3/services/{service_id}", object: "identity:delete_service", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let services = try await catalog.services(
            type: request.query("type"), name: request.query("name"), for: context)
        return try ListPage(request, services, id: \.id.rawValue, name: { $0.name ?? "" }).response("services") {
            Self.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try await request.body("service")
        guard let type = try body.string("type", 1...255) else { throw body.missing("type") }
        let name = try body.nullableString("name", 0...255).flatMap { $0 }
        let description = try body.nullableString("description", 0...65_535).flatMap { $0 }
        let isEnabled = try body.looseBool("enabled") ?? true
        _ = body.value("id")
        let service = try await catalog.createService(
            type: type, name: name, description: description, isEnabled: isEnabled, extras: try body.extras(),
            for: context)
        return IdentityReply.one("service", status: 201) { Self.write(service, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let service = try await catalog.service(request.id("service_id"), for: context)
        return IdentityReply.one("service") { Self.write(service, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: CatalogServiceID = request.id("service_id")
        var body = try await request.body("service")
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'service': at least one property is required")
        }
        var change = CatalogServiceChange()
        change.type = try body.string("type", 1...255)
        change.name = try body.nullableString("name", 0...255)
        change.description = try body.nullableString("description", 0...65_535)
        change.isEnabled = try body.looseBool("enabled")
        try body.checkID("id", is: id.rawValue, "service ID")
        change.extras = try body.extras()
        let service = try await catalog.update(id, change, for: context)
        return IdentityReply.one("service") { Self.write(service, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await catalog.delete(request.id("service_id", CatalogServiceTag.self), for: context)
        return IdentityReply.noContent()
    }

    private static func write(_ service: CatalogService, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", service.id)
        if let name = service.name { writer.field("name", name) }
        writer.field("type", service.type)
        writer.field("enabled", service.isEnabled)
        if let description = service.description { writer.field("description", description) }
        writer.extras(service.extras)
        writer.selfLink("\(base)/services/\(service.id)")
    }
}
