// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageCore
import PolicyKit

/// /v2/metadefs/namespaces/{namespace}: objects, properties, tags and resource_types
struct MetadataDefinitionRoutes: Sendable {
    let engine: MetadataEngine

    private static let root = "/v2/metadefs/namespaces/{namespace}"

    func register(on routes: inout RouteTable) {
        for (kind, noun, parameter) in [
            (MetadataDefinition.Kind.object, "objects", "object"), (.property, "properties", "property"),
            (.tag, "tags", "tag"), (.resourceType, "resource_types", "resource_type"),
        ] {
            let all = "\(Self.root)/\(noun)"
            let one = "\(all)/{\(parameter)}"
            routes.add(.get, all, object: MetadataRules.list(kind)) { try await list(kind, $0, $1) }
            routes.add(.delete, one, object: MetadataRules.delete(kind)) { request, context in
                try await engine.delete(
                    kind, request.parameter(parameter), from: request.parameter("namespace"), for: context)
                return .noContent()
            }
            guard kind != .resourceType else { continue }
            routes.add(.delete, all, object: .deleteMetadataNamespace) { request, context in
                try await engine.deleteAll(kind, from: request.parameter("namespace"), for: context)
                return .noContent()
            }
            routes.add(.get, one, object: MetadataRules.get(kind)) { request, context in
                let definition = try await engine.definition(
                    kind, request.parameter(parameter), in: request.parameter("namespace"),
                    resourceType: kind == .property ? request.query("resource_type") : nil, for: context)
                return .json(200, Self.body(definition, request))
            }
            routes.add(.put, one, object: MetadataRules.modify(kind)) { request, context in
                let draft = try Self.draft(kind, try await request.json())
                let definition = try await engine.update(
                    request.parameter(parameter), in: request.parameter("namespace"), to: draft, for: context)
                return .json(200, Self.body(definition, request))
            }
        }
        for (kind, noun) in [
            (MetadataDefinition.Kind.object, "objects"), (.property, "properties"), (.resourceType, "resource_types"),
        ] {
            routes.add(.post, "\(Self.root)/\(noun)", object: MetadataRules.add(kind)) { request, context in
                let draft = try Self.draft(kind, try await request.json())
                return try await add(draft, request, context)
            }
        }
        routes.add(.post, "\(Self.root)/tags", object: .addMetadataTags, addTags)
        routes.add(.post, "\(Self.root)/tags/{tag}", object: .addMetadataTag) { request, context in
            let draft = try MetadataSchema.tag(["name": .string(request.parameter("tag"))])
            return try await add(draft, request, context)
        }
    }

    private static func draft(_ kind: MetadataDefinition.Kind, _ body: JSON) throws -> MetadataDefinitionDraft {
        switch kind {
        case .object: try MetadataSchema.object(body)
        case .property: try MetadataSchema.property(body)
        case .tag: try MetadataSchema.tag(body)
        case .resourceType: try MetadataSchema.resourceType(body)
        }
    }

    private static func body(_ definition: MetadataDefinition, _ request: APIRequest) -> [UInt8] {
        switch definition.kind {
        case .object:
            var writer = JSONWriter()
            MetadataWire.write(definition, of: request.parameter("namespace"), &writer)
            return writer.finish()
        case .property: return JSONWriter.object { MetadataWire.writeProperty(definition, &$0) }
        case .tag, .resourceType: return JSONWriter.object { MetadataWire.writeDated(definition, &$0) }
        }
    }

    private func add(_ draft: MetadataDefinitionDraft, _ request: APIRequest, _ context: CallContext) async throws
        -> HTTPResponse
    {
        let added = try await engine.add(
            [draft], to: request.parameter("namespace"), rule: MetadataRules.add(draft.kind), for: context)
        guard let definition = added.first else { throw CloudError(.bug, "The definition was not made.") }
        return .json(201, Self.body(definition, request))
    }

    /// In place of those there are, unless the caller says that they stay.
    private func addTags(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let drafts = try MetadataSchema.tags(try await request.json())
        let appends = ["true", "1", "yes", "on", "t", "y"]
            .contains(request.http.headers["X-Openstack-Append"]?.lowercased() ?? "")
        let tags = try await engine.add(
            drafts, to: request.parameter("namespace"), rule: .addMetadataTags, replacing: !appends, for: context)
        return .json(201, Self.tags(tags))
    }

    private static func tags(_ tags: [MetadataDefinition]) -> [UInt8] {
        JSONWriter.object { writer in
            writer.array("tags") { array in
                for tag in tags {
                    array.beginObject()
                    array.field("name", tag.name)
                    array.endObject()
                }
            }
        }
    }

    private func list(_ kind: MetadataDefinition.Kind, _ request: APIRequest, _ context: CallContext) async throws
        -> HTTPResponse
    {
        let name = request.parameter("namespace")
        let isPaged = kind == .object || kind == .tag
        var query = MetadataQuery()
        if isPaged { query = try MetadataQueryReader.read(request.http.query, engine.config, isPaged: false) }
        let found = try await engine.definitions(kind, in: name, query, for: context)
        switch kind {
        case .tag: return .json(200, Self.tags(found))
        case .property:
            return .json(
                200,
                JSONWriter.object { writer in
                    writer.object("properties") { MetadataWire.writeProperties(found, &$0) }
                })
        case .resourceType:
            return .json(
                200,
                JSONWriter.object { writer in
                    writer.array("resource_type_associations") { array in
                        for type in found {
                            array.beginObject()
                            MetadataWire.writeDated(type, &array)
                            array.endObject()
                        }
                    }
                })
        case .object:
            return .json(
                200,
                JSONWriter.object { writer in
                    writer.array("objects") { array in
                        for object in found { MetadataWire.write(object, of: name, &array) }
                    }
                    writer.field("first", "\(MetadataWire.path(name))/objects")
                    writer.field("schema", "/v2/schemas/metadefs/objects")
                })
        }
    }
}
