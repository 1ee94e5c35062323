// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/OS-FEDERATION/service_providers
struct ServiceProviderRoutes: Sendable {
    let federation: FederationEngine

    func register(on routes: inout RouteTable) {
        let all = "/v3/OS-FEDERATION/service_providers"
        let one = all + "/{service_provider_id}"
        routes.add(.get, all, object: "identity:list_service_providers", list)
        routes.add(.put, one, object: "identity:create_service_provider", create)
        routes.add(.get, one, object: "identity:get_service_provider", show)
        routes.add(.patch, one, object: "identity:update_service_provider", update)
        routes.add(.delete, one, object: "identity:delete_service_provider", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (id, isEnabled) = (request.query("id"), try request.queryBool("enabled"))
        let found = try await federation.serviceProviders(for: context).filter { provider in
            (id == nil || provider.id.rawValue == id) && (isEnabled == nil || provider.isEnabled == isEnabled)
        }
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("service_providers") {
            Self.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try ObjectReader.envelope("service_provider", in: try await request.json())
        let fields = try Self.read(body)
        guard let authURL = fields.authURL else { throw body.missing("auth_url") }
        guard let url = fields.url else { throw body.missing("sp_url") }
        var provider = ServiceProvider(
            id: try FederationWire.newID("service_provider_id", request), authURL: authURL, url: url,
            isEnabled: fields.isEnabled ?? false)
        provider.description = fields.description ?? nil
        provider.relayStatePrefix = fields.relayStatePrefix ?? ServiceProvider.defaultRelayStatePrefix
        let made = try await federation.create(provider, for: context)
        return IdentityReply.one("service_provider", status: 201) { Self.write(made, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let provider = try await federation.serviceProvider(request.id("service_provider_id"), for: context)
        return IdentityReply.one("service_provider") { Self.write(provider, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try ObjectReader.envelope("service_provider", in: try await request.json())
        let provider = try await federation.update(
            request.id("service_provider_id"), try Self.read(body), for: context)
        return IdentityReply.one("service_provider") { Self.write(provider, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await federation.delete(request.id("service_provider_id", ServiceProviderTag.self), for: context)
        return IdentityReply.noContent()
    }

    private static func read(_ body: ObjectReader) throws -> ServiceProviderChange {
        var body = body
        var change = ServiceProviderChange()
        change.authURL = try url("auth_url", &body)
        change.url = try url("sp_url", &body)
        change.isEnabled = try body.looseBool("enabled")
        change.description = try body.nullableString("description", 0...65_535)
        change.relayStatePrefix = try body.nullableString("relay_state_prefix", 0...255)
        try body.finish()
        return change
    }

    private static func url(_ key: String, _ body: inout ObjectReader) throws -> String? {
        guard let text = try body.string(key, 0...ServiceProvider.maximumURLLength) else { return nil }
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            throw body.invalid(key, .string(text), "does not match '^[a-zA-Z0-9+.-]+:.+'")
        }
        return text
    }

    private static func write(_ provider: ServiceProvider, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", provider.id)
        writer.field("auth_url", provider.authURL)
        writer.field("sp_url", provider.url)
        writer.field("enabled", provider.isEnabled)
        writer.field("description", provider.description)
        writer.field("relay_state_prefix", provider.relayStatePrefix)
        writer.selfLink("\(base)/OS-FEDERATION/service_providers/\(Percent.encode(provider.id.rawValue))")
    }
}
