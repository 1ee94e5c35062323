// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/OS-FEDERATION: identity providers, their protocols, and mappings
struct FederationRoutes: Sendable {
    let federation: FederationEngine

    func register(on routes: inout RouteTable) {
        let providers = "/v3/OS-FEDERATION/identity_providers"
        let provider = providers + "/{idp_id}"
        routes.add(.get, providers, object: "identity:list_identity_providers", listProviders)
        routes.add(.put, provider, object: "identity:create_identity_provider", createProvider)
        routes.add(.get, provider, object: "identity:get_identity_provider", showProvider)
        routes.add(.patch, provider, object: "identity:update_identity_provider", updateProvider)
        routes.add(.delete, provider, object: "identity:delete_identity_provider", deleteProvider)
        let protocols = provider + "/protocols"
        let one = protocols + "/{protocol_id}"
        routes.add(.get, protocols, object: "identity:list_protocols", listProtocols)
        routes.add(.put, one, object: "identity:create_protocol", createProtocol)
        routes.add(.get, one, object: "identity:get_protocol", showProtocol)
        routes.add(.patch, one, object: "identity:update_protocol", updateProtocol)
        routes.add(.delete, one, object: "identity:delete_protocol", deleteProtocol)
        let mappings = "/v3/OS-FEDERATION/mappings"
        let mapping = mappings + "/{mapping_id}"
        routes.add(.get, mappings, object: "identity:list_mappings", listMappings)
        routes.add(.put, mapping, object: "identity:create_mapping", createMapping)
        routes.add(.get, mapping, object: "identity:get_mapping", showMapping)
        routes.add(.patch, mapping, object: "identity:update_mapping", updateMapping)
        routes.add(.delete, mapping, object: "identity:delete_mapping", deleteMapping)
    }

    // MARK: Identity providers

    private func listProviders(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (id, isEnabled) = (request.query("id"), try request.queryBool("enabled"))
        let found = try await federation.providers(for: context).filter { provider in
            (id == nil || provider.id.rawValue == id) && (isEnabled == nil || provider.isEnabled == isEnabled)
        }
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("identity_providers") {
            FederationWire.write($0, &$1, request.v3URL)
        }
    }

    private func createProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try ObjectReader.envelope("identity_provider", in: try await request.json())
        let provider = try await federation.create(
            try FederationWire.newID("idp_id", request), try FederationWire.provider(body, isNew: true), for: context)
        return IdentityReply.one("identity_provider", status: 201) {
            FederationWire.write(provider, &$0, request.v3URL)
        }
    }

    private func showProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let provider = try await federation.provider(request.id("idp_id"), for: context)
        return IdentityReply.one("identity_provider") { FederationWire.write(provider, &$0, request.v3URL) }
    }

    private func updateProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try ObjectReader.envelope("identity_provider", in: try await request.json())
        let provider = try await federation.update(
            request.id("idp_id"), try FederationWire.provider(body, isNew: false), for: context)
        return IdentityReply.one("identity_provider") { FederationWire.write(provider, &$0, request.v3URL) }
    }

    private func deleteProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await federation.delete(request.id("idp_id", IdentityProviderTag.self), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Protocols

    private func listProtocols(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await federation.protocols(of: request.id("idp_id"), for: context)
        return try ListPage(request, found, id: \.id, name: nil).response("protocols") {
            FederationWire.write($0, &$1, request.v3URL)
        }
    }

    private func createProtocol(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader.envelope("protocol", in: try await request.json())
        let mapping = try body.requiredString("mapping_id", 1...64)
        let attribute = try body.nullableString("remote_id_attribute", 0...64).flatMap { $0 }
        try body.finish()
        let made = try await federation.create(
            FederationProtocol(
                id: try FederationWire.newID("protocol_id", request, IdentityProviderTag.self).rawValue,
                providerID: request.id("idp_id"), mappingID: ID(mapping),
                remoteIDAttribute: attribute), for: context)
        return IdentityReply.one("protocol", status: 201) { FederationWire.write(made, &$0, request.v3URL) }
    }

    private func showProtocol(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await federation.show(
            protocol: request.parameter("protocol_id"), of: request.id("idp_id"), for: context)
        return IdentityReply.one("protocol") { FederationWire.write(found, &$0, request.v3URL) }
    }

    private func updateProtocol(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader.envelope("protocol", in: try await request.json())
        let mapping: FederationMappingID? = try body.string("mapping_id", 1...64).map { ID($0) }
        let attribute = try body.nullableString("remote_id_attribute", 0...64)
        try body.finish()
        let changed = try await federation.update(
            protocol: request.parameter("protocol_id"), of: request.id("idp_id"), mapping: mapping,
            remoteIDAttribute: attribute, for: context)
        return IdentityReply.one("protocol") { FederationWire.write(changed, &$0, request.v3URL) }
    }

    private func deleteProtocol(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await federation.delete(
            protocol: request.parameter("protocol_id"), of: request.id("idp_id"), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Mappings

    private func listMappings(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await federation.mappings(for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("mappings") {
            FederationWire.write($0, &$1, request.v3URL)
        }
    }

    private func createMapping(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let mapping = try await federation.create(try await FederationWire.mapping(request), for: context)
        return IdentityReply.one("mapping", status: 201) { FederationWire.write(mapping, &$0, request.v3URL) }
    }

    private func showMapping(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let mapping = try await federation.mapping(request.id("mapping_id"), for: context)
        return IdentityReply.one("mapping") { FederationWire.write(mapping, &$0, request.v3URL) }
    }

    private func updateMapping(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let mapping = try await federation.replace(try await FederationWire.mapping(request), for: context)
        return IdentityReply.one("mapping") { FederationWire.write(mapping, &$0, request.v3URL) }
    }

    private func deleteMapping(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await federation.delete(request.id("mapping_id", FederationMappingTag.self), for: context)
        return IdentityReply.noContent()
    }
}

enum FederationWire {
    private static let maximumRemoteIDs = 1000
    private static let maximumIDLength = 64

    /// The id of something new, which its maker chooses by the path.
    static func newID<Tag>(_ name: String, _ request: APIRequest, _: Tag.Type = Tag.self) throws -> ID<Tag> {
        let text = request.parameter(name)
        guard (1...maximumIDLength).contains(text.unicodeScalars.count) else {
            throw CloudError.badRequest("Invalid input for field 'id': it has 1 to \(maximumIDLength) characters")
        }
        return ID(text)
    }

    static func write(_ provider: IdentityProvider, _ writer: inout JSONWriter, _ base: String) {
        let url = "\(base)/OS-FEDERATION/identity_providers/\(Percent.encode(provider.id.rawValue))"
        writer.field("id", provider.id)
        writer.field("domain_id", provider.domainID)
        writer.field("enabled", provider.isEnabled)
        writer.field("description", provider.description)
        writer.field("authorization_ttl", provider.authorizationTTL)
        writer.field("remote_ids", provider.remoteIDs)
        writer.object("links") { writer in
            writer.field("self", url)
            writer.field("protocols", url + "/protocols")
        }
    }

    static func write(_ found: FederationProtocol, _ writer: inout JSONWriter, _ base: String) {
        let provider = "\(base)/OS-FEDERATION/identity_providers/\(Percent.encode(found.providerID.rawValue))"
        writer.field("id", found.id)
        writer.field("mapping_id", found.mappingID)
        writer.object("links") { writer in
            writer.field("self", provider + "/protocols/" + Percent.encode(found.id))
            writer.field("identity_provider", provider)
        }
    }

    static func write(_ mapping: FederationMapping, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", mapping.id)
        writer.field("rules", mapping.source)
        writer.field("schema_version", mapping.version.rawValue)
        writer.selfLink("\(base)/OS-FEDERATION/mappings/\(Percent.encode(mapping.id.rawValue))")
    }

    static func provider(_ body: ObjectReader, isNew: Bool) throws -> IdentityProviderChange {
        var body = body
        var change = IdentityProviderChange()
        if isNew { change.domainID = try body.optionalID("domain_id") }
        change.isEnabled = try body.looseBool("enabled")
        change.description = try body.nullableString("description", 0...65_535)
        if body.isNull("authorization_ttl") {
            _ = body.value("authorization_ttl")
            change.authorizationTTL = .some(nil)
        } else if let ttl = try body.int("authorization_ttl", 0...Int64(Int32.max)) {
            change.authorizationTTL = Int(ttl)
        }
        if body.isNull("remote_ids") {
            _ = body.value("remote_ids")
            change.remoteIDs = []
        } else if let ids = try body.strings("remote_ids", 0...maximumRemoteIDs) {
            guard Set(ids).count == ids.count else {
                throw body.invalid("remote_ids", "[…]", "has non-unique elements")
            }
            guard ids.allSatisfy({ $0.utf8.count <= IdentityProvider.maximumRemoteIDLength }) else {
                throw body.invalid("remote_ids", "[…]", "has an element that is too long")
            }
            change.remoteIDs = ids
        }
        try body.finish()
        return change
    }

    static func mapping(_ request: APIRequest) async throws -> FederationMapping {
        var body = try ObjectReader.envelope("mapping", in: try await request.json(), allowsUnknown: true)
        let text = try body.nullableString("schema_version", 0...16).flatMap { $0 } ?? "1.0"
        guard let version = FederationMapping.Version(rawValue: text) else {
            throw CloudError.badRequest("Invalid mapping: schema version '\(text)' is not supported")
        }
        guard let rules = body.value("rules") else { throw body.missing("rules") }
        return try FederationMapping(id: try newID("mapping_id", request), rules: rules, version: version)
    }
}
