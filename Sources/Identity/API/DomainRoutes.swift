// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/domains
struct DomainRoutes: Sendable {
    let domains: DomainEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/domains", object: "identity:list_domains", list)
        routes.add(.post, "/v3/domains", object: "identity:create_domain", create)
        routes.add(.get, "/v3/domains/{domain_id}", object: "identity:get_domain", show)
        routes.add(.patch, "/v3/domains/{domain_id}", object: "identity:update_domain", update)
        routes.add(.delete, "/v3/domains/{domain_id}", object: "identity:delete_domain", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await domains.list(
            name: request.query("name"), isEnabled: try request.queryBool("enabled"), for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: \.name).response("domains") {
            DomainWire.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let domain = try await domains.create(try DomainWire.draft(try await request.body("domain")), for: context)
        return IdentityReply.one("domain", status: 201) { DomainWire.write(domain, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let domain = try await domains.show(request.id("domain_id"), for: context)
        return IdentityReply.one("domain") { DomainWire.write(domain, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: DomainID = request.id("domain_id")
        let old = try await domains.show(id, for: context)
        let change = try DomainWire.change(try await request.body("domain"), of: old)
        let domain = try await domains.update(id, change, for: context)
        return IdentityReply.one("domain") { DomainWire.write(domain, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await domains.delete(request.id("domain_id"), for: context)
        return IdentityReply.noContent()
    }
}

enum DomainWire {
    static func write(_ domain: Project, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", domain.id)
        writer.field("name", domain.name)
        writer.field("description", domain.description)
        writer.field("enabled", domain.isEnabled)
        writer.field("tags", domain.tags)
        writer.options(domain.options)
        writer.extras(domain.extras)
        writer.selfLink("\(base)/domains/\(domain.id)")
    }

    static func draft(_ body: ObjectReader) throws -> ProjectDraft {
        var body = body
        var draft = ProjectDraft(domainID: nil, name: try body.requiredName(maximum: Project.maximumNameLength))
        draft.isEnabled = try body.looseBool("enabled") ?? true
        draft.description = (try body.nullableString("description", 0...65_535) ?? nil) ?? ""
        draft.tags = try body.strings("tags") ?? []
        draft.options = draft.options.changed(by: try body.flags(["immutable"]) ?? [:])
        _ = body.value("id")
        if let id = try body.string("explicit_domain_id", 0...255) {
            guard UUIDText.isUUID(id) else {
                throw CloudError.badRequest("Domain ID does not conform to required UUID format.")
            }
            draft.explicitID = id.filter { $0 != "-" }.lowercased()
        }
        draft.extras = try body.extras()
        return draft
    }

    static func change(_ body: ObjectReader, of domain: Project) throws -> ProjectChange {
        var body = body
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'domain': at least one property is required")
        }
        var change = ProjectChange()
        change.name = try body.name(maximum: Project.maximumNameLength)
        change.isEnabled = try body.looseBool("enabled")
        if let description = try body.nullableString("description", 0...65_535) {
            change.description = description ?? ""
        }
        change.tags = try body.strings("tags")
        change.options = try body.flags(["immutable"])
        try body.checkID("id", is: domain.id.rawValue, "domain ID")
        change.extras = try body.extras()
        return change
    }
}
