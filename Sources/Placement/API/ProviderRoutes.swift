// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementContract
import PlacementCore
import PolicyKit

/// /resource_providers and /resource_providers/{uuid}/aggregates
struct ProviderRoutes: Sendable {
    let engine: PlacementEngine
    let clock: WallClock

    func register(on routing: inout PlacementRouting) {
        let providers = "/resource_providers"
        routing.add(.get, providers, "placement:resource_providers:list", list)
        routing.add(
            .post, providers, "placement:resource_providers:create", takesBody: true, answersJSON: false, create)
        routing.add(.get, providers + "/{uuid}", "placement:resource_providers:show", show)
        routing.add(
            .put, providers + "/{uuid}", "placement:resource_providers:update", takesBody: true, answersJSON: false,
            update)
        routing.add(.delete, providers + "/{uuid}", "placement:resource_providers:delete", answersJSON: false, delete)
        routing.add(
            .get, providers + "/{uuid}/aggregates", "placement:resource_providers:aggregates:list", since: 1,
            showAggregates)
        routing.add(
            .put, providers + "/{uuid}/aggregates", "placement:resource_providers:aggregates:update", since: 1,
            takesBody: true, answersJSON: false, setAggregates)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        var allowed: Set<String> = ["name", "uuid"]
        if minor >= 3 { allowed.insert("member_of") }
        if minor >= 4 { allowed.insert("resources") }
        if minor >= 14 { allowed.insert("in_tree") }
        if minor >= 18 { allowed.insert("required") }
        try PlacementQuery.checkNames(request, allowed)
        var filter = ProviderFilter()
        filter.name = request.queryAll("name").last
        filter.id = try request.queryAll("uuid").last.map { try PlacementQuery.uuid("uuid", $0) }
        let inTree = try request.queryAll("in_tree").last.map {
            ResourceProviderID(try PlacementQuery.uuid("in_tree", $0))
        }
        let aggregates = try PlacementQuery.memberOf(request.queryAll("member_of"), suffix: "", minor: minor)
        filter.memberOf = aggregates.required
        filter.forbiddenAggregates = aggregates.forbidden
        let traits = try PlacementQuery.traits(request.queryAll("required"), minor: minor)
        filter.requiredTraits = traits.required
        filter.forbiddenTraits = traits.forbidden
        if let resources = request.queryAll("resources").last {
            filter.resources = try PlacementQuery.resources(resources)
        }
        let found = try await engine.listProviders(filter, inTree: inTree)
        let wire = ProviderWire(context: context)
        let bytes = JSONWriter.object(capacity: 64 + 900 * found.count) { writer in
            writer.array("resource_providers") { providers in
                for provider in found { wire.write(provider, to: &providers) }
            }
        }
        return PlacementRouting.json(200, bytes, modified: found.map(\.updatedAt).max() ?? clock.now(), context)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        let body = try await request.placementJSON(PlacementSchemas.provider(isUpdate: false, hasParent: minor >= 14))
        let provider = try await engine.createProvider(
            body["uuid"]?.string.map { ResourceProviderID(ProviderWire.dashed($0)) }, name: body["name"]?.string ?? "",
            parent: body["parent_provider_uuid"]?.string.map { ResourceProviderID(ProviderWire.dashed($0)) })
        let location = "\(request.serviceURL)/resource_providers/\(provider.id)"
        guard minor >= 20 else { return PlacementRouting.empty(201, location: location, context) }
        var response = PlacementRouting.json(
            200, ProviderWire(context: context).body(provider), modified: provider.updatedAt, context)
        response.headers.set("Location", location)
        return response
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let provider = try await engine.provider(request.id("uuid"))
        return PlacementRouting.json(
            200, ProviderWire(context: context).body(provider), modified: provider.updatedAt, context)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        _ = try await engine.provider(request.id("uuid"))
        let body = try await request.placementJSON(PlacementSchemas.provider(isUpdate: true, hasParent: minor >= 14))
        var parent: ResourceProviderID??
        if let value = body["parent_provider_uuid"] {
            parent = .some(value.string.map { ResourceProviderID(ProviderWire.dashed($0)) })
        }
        let provider = try await engine.updateProvider(
            request.id("uuid"), name: body["name"]?.string ?? "", parent: parent, mayReparent: minor >= 37)
        return PlacementRouting.json(
            200, ProviderWire(context: context).body(provider), modified: provider.updatedAt, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deleteProvider(request.id("uuid"))
        return PlacementRouting.empty(204, context)
    }

    // MARK: Aggregates

    private func showAggregates(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (provider, aggregates) = try await engine.aggregates(of: request.id("uuid"))
        return answer(provider, aggregates, context)
    }

    private func setAggregates(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let hasGeneration = context.microversion.minor >= 19
        _ = try await engine.provider(request.id("uuid"))
        let body = try await request.placementJSON(PlacementSchemas.aggregates(hasGeneration: hasGeneration))
        let list = hasGeneration ? body["aggregates"]?.array : body.array
        let aggregates = (list ?? []).compactMap(\.string)
        let provider = try await engine.setAggregates(
            aggregates, of: request.id("uuid"), generation: body["resource_provider_generation"]?.int)
        return answer(provider, aggregates, context)
    }

    private func answer(_ provider: ResourceProvider, _ aggregates: [String], _ context: CallContext) -> HTTPResponse {
        let bytes = JSONWriter.object { writer in
            writer.field("aggregates", aggregates)
            if context.microversion.minor >= 19 { writer.field("resource_provider_generation", provider.generation) }
        }
        return PlacementRouting.json(200, bytes, modified: clock.now(), context)
    }
}

/// How a provider looks on the wire.
struct ProviderWire {
    let context: CallContext

    /// The mount point is part of upstream's links, too.
    static func path(_ id: ResourceProviderID) -> String { "/placement/resource_providers/\(id)" }

    /// The canonical form of a UUID that may have come without dashes.
    static func dashed(_ text: String) -> String {
        let digits = Array(text.lowercased().utf8.filter { $0 != UInt8(ascii: "-") })
        var result: [UInt8] = []
        for (index, digit) in digits.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { result.append(UInt8(ascii: "-")) }
            result.append(digit)
        }
        return String(decoding: result, as: UTF8.self)
    }

    func body(_ provider: ResourceProvider) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        write(provider, to: &writer)
        return writer.finish()
    }

    func write(_ provider: ResourceProvider, to writer: inout JSONWriter) {
        let minor = context.microversion.minor
        let path = Self.path(provider.id)
        writer.beginObject()
        writer.field("uuid", provider.id)
        writer.field("name", provider.name)
        writer.field("generation", provider.generation)
        writer.array("links") { links in
            Links.write(&links, "self", path)
            for (rel, since) in [
                ("inventories", 0), ("usages", 0), ("aggregates", 1), ("traits", 6), ("allocations", 11),
            ]
            where minor >= since {
                Links.write(&links, rel, "\(path)/\(rel)")
            }
        }
        if minor >= 14 {
            writer.field("parent_provider_uuid", provider.parent)
            writer.field("root_provider_uuid", provider.root)
        }
        writer.endObject()
    }
}

extension APIRequest {
    /// The body as JSON that fits `schema`, with upstream's words when it does not.
    func placementJSON(_ schema: PlacementSchema) async throws -> JSON {
        // A reshape of a large cloud names many consumers.
        let bytes = try await http.body.collect(limit: 16 << 20)
        let body: JSON
        do {
            body = try JSONReader.read(bytes)
        } catch {
            throw CloudError.badRequest("Malformed JSON: \(error)")
        }
        try schema.validate(body)
        return body
    }
}
