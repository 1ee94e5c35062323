// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/registered_limits and /v3/limits
struct LimitRoutes: Sendable {
    let limits: LimitEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/registered_limits", object: "identity:list_registered_limits", listRegistered)
        routes.add(.post, "/v3/registered_limits", object: "identity:create_registered_limits", createRegistered)
        let registered = "/v3/registered_limits/{registered_limit_id}"
        routes.add(.get, registered, object: "identity:get_registered_limit", showRegistered)
        routes.add(.patch, registered, object: "identity:update_registered_limit", updateRegistered)
        routes.add(.delete, registered, object: "identity:delete_registered_limit", deleteRegistered)
        routes.add(.get, "/v3/limits/model", policy: "identity:get_limit_model", showModel)
        routes.add(.get, "/v3/limits", object: "identity:list_limits", list)
        routes.add(.post, "/v3/limits", object: "identity:create_limits", create)
        routes.add(.get, "/v3/limits/{limit_id}", object: "identity:get_limit", show)
        routes.add(.patch, "/v3/limits/{limit_id}", object: "identity:update_limit", update)
        routes.add(.delete, "/v3/limits/{limit_id}", object: "identity:delete_limit", delete)
    }

    private static func filter(_ request: APIRequest) -> LimitFilter {
        var filter = LimitFilter()
        filter.serviceID = request.queryID("service_id")
        filter.regionID = request.queryID("region_id")
        filter.resourceName = request.query("resource_name")
        filter.projectID = request.queryID("project_id")
        filter.domainID = request.queryID("domain_id")
        return filter
    }

    // MARK: Registered limits

    private func listRegistered(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await limits.registered(Self.filter(request), for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("registered_limits") {
            LimitWire.write($0, &$1, request.v3URL)
        }
    }

    private func createRegistered(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let drafts = try LimitWire.elements("registered_limits", try await request.json()).map {
            try LimitWire.registeredDraft($0)
        }
        let made = try await limits.register(drafts, for: context)
        return LimitWire.created("registered_limits", made) { LimitWire.write($0, &$1, request.v3URL) }
    }

    private func showRegistered(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let limit = try await limits.registered(request.id("registered_limit_id"), for: context)
        return IdentityReply.one("registered_limit") { LimitWire.write(limit, &$0, request.v3URL) }
    }

    private func updateRegistered(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader.envelope("registered_limit", in: try await request.json())
        var change = RegisteredLimitChange()
        change.serviceID = try body.string("service_id", 1...64).map { ID($0) }
        change.regionID = try body.nullableID("region_id")
        change.resourceName = try body.name("resource_name", maximum: 255)
        change.defaultLimit = try body.int("default_limit", RegisteredLimit.range).map { Int($0) }
        change.description = try body.nullableString("description", 0...255)
        try body.finish()
        let limit = try await limits.update(request.id("registered_limit_id"), change, for: context)
        return IdentityReply.one("registered_limit") { LimitWire.write(limit, &$0, request.v3URL) }
    }

    private func deleteRegistered(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await limits.delete(request.id("registered_limit_id", RegisteredLimitTag.self), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Limits

    private func showModel(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        IdentityReply.one("model") { writer in
            writer.field("name", limits.model.rawValue)
            writer.field("description", limits.model.help)
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await limits.list(Self.filter(request), for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("limits") {
            LimitWire.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let drafts = try LimitWire.elements("limits", try await request.json()).map { try LimitWire.draft($0) }
        let made = try await limits.create(drafts, for: context)
        return LimitWire.created("limits", made) { LimitWire.write($0, &$1, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let limit = try await limits.show(request.id("limit_id"), for: context)
        return IdentityReply.one("limit") { LimitWire.write(limit, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader.envelope("limit", in: try await request.json())
        let value = try body.int("resource_limit", RegisteredLimit.range).map { Int($0) }
        let description = try body.nullableString("description", 0...255)
        try body.finish()
        let limit = try await limits.update(
            request.id("limit_id"), resourceLimit: value, description: description, for: context)
        return IdentityReply.one("limit") { LimitWire.write(limit, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await limits.delete(request.id("limit_id", LimitTag.self), for: context)
        return IdentityReply.noContent()
    }
}

enum LimitWire {
    private static let maximumPerRequest = 1000

    static func write(_ limit: RegisteredLimit, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", limit.id)
        writer.field("service_id", limit.serviceID)
        writer.field("region_id", limit.regionID)
        writer.field("resource_name", limit.resourceName)
        writer.field("default_limit", limit.defaultLimit)
        writer.field("description", limit.description)
        writer.selfLink("\(base)/registered_limits/\(limit.id)")
    }

    static func write(_ limit: Limit, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", limit.id)
        switch limit.owner {
        case .project(let id):
            writer.field("project_id", id)
            writer.nullField("domain_id")
        case .domain(let id):
            writer.nullField("project_id")
            writer.field("domain_id", id)
        }
        writer.field("service_id", limit.serviceID)
        writer.field("region_id", limit.regionID)
        writer.field("resource_name", limit.resourceName)
        writer.field("resource_limit", limit.resourceLimit)
        writer.field("description", limit.description)
        writer.selfLink("\(base)/limits/\(limit.id)")
    }

    static func created<Element>(
        _ key: StaticString, _ elements: [Element], _ write: (Element, inout JSONWriter) -> Void
    ) -> HTTPResponse {
        IdentityReply.json(
            status: 201,
            JSONWriter.object { writer in
                writer.array(key) { writer in
                    for element in elements {
                        writer.beginObject()
                        write(element, &writer)
                        writer.endObject()
                    }
                }
            })
    }

    static func elements(_ key: String, _ body: JSON) throws -> [ObjectReader] {
        var reader = try ObjectReader(body)
        guard let elements = try reader.array(key, 1...maximumPerRequest) else { throw reader.missing(key) }
        try reader.finish()
        return try elements.map { try ObjectReader($0, path: key) }
    }

    static func registeredDraft(_ body: ObjectReader) throws -> RegisteredLimitDraft {
        var body = body
        guard let service = try body.string("service_id", 1...64) else { throw body.missing("service_id") }
        var draft = RegisteredLimitDraft(
            serviceID: ID(service), regionID: try body.nullableID("region_id").flatMap { $0 },
            resourceName: try body.requiredName("resource_name", maximum: 255),
            defaultLimit: Int(try body.requiredInt("default_limit", RegisteredLimit.range)))
        draft.description = try body.nullableString("description", 0...255).flatMap { $0 }
        try body.finish()
        return draft
    }

    static func draft(_ body: ObjectReader) throws -> LimitDraft {
        var body = body
        let project: ProjectID? = try body.optionalID("project_id")
        let domain: DomainID? = try body.optionalID("domain_id")
        let owner: Limit.Owner
        switch (project, domain) {
        case (let project?, nil): owner = .project(project)
        case (nil, let domain?): owner = .domain(domain)
        default:
            throw CloudError.badRequest("Invalid input for field 'limits': either project_id or domain_id is required")
        }
        guard let service = try body.string("service_id", 1...64) else { throw body.missing("service_id") }
        var draft = LimitDraft(
            owner: owner, serviceID: ID(service), regionID: try body.nullableID("region_id").flatMap { $0 },
            resourceName: try body.requiredName("resource_name", maximum: 255),
            resourceLimit: Int(try body.requiredInt("resource_limit", RegisteredLimit.range)))
        draft.description = try body.nullableString("description", 0...255).flatMap { $0 }
        try body.finish()
        return draft
    }
}
