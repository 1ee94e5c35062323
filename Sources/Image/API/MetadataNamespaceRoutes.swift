// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageCore
import PolicyKit

/// /v2/metadefs/namespaces and /v2/metadefs/resource_types
struct MetadataNamespaceRoutes: Sendable {
    let engine: MetadataEngine

    func register(on routes: inout RouteTable) {
        let one = "/v2/metadefs/namespaces/{namespace}"
        routes.add(.post, "/v2/metadefs/namespaces", policy: .addMetadataNamespace, create)
        routes.add(.get, "/v2/metadefs/namespaces", policy: .getMetadataNamespaces, list)
        routes.add(.get, one, object: .getMetadataNamespace, show)
        routes.add(.put, one, object: .modifyMetadataNamespace, update)
        routes.add(.delete, one, object: .deleteMetadataNamespace, delete)
        routes.add(.get, "/v2/metadefs/resource_types", policy: .listMetadataResourceTypes, resourceTypes)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try MetadataSchema.namespace(try await request.json())
        let content = try await engine.create(draft, for: context)
        return .json(
            201, headers: ["Location": MetadataWire.path(content.namespace.name)], MetadataWire.body(content))
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try MetadataQueryReader.read(request.http.query, engine.config, isPaged: true)
        let page = try await engine.namespaces(query, for: context)
        let pairs = request.http.query.filter { $0.name != "marker" }
        return .json(
            200,
            JSONWriter.object { writer in
                writer.array("namespaces") { array in
                    for content in page {
                        array.beginObject()
                        MetadataWire.write(content.namespace, &array)
                        MetadataWire.writeResourceTypes(content.definitions[.resourceType] ?? [], &array)
                        array.endObject()
                    }
                }
                writer.field("first", ImageRoutes.link(MetadataWire.path, pairs))
                if let last = page.last, page.count == query.limit {
                    writer.field(
                        "next", ImageRoutes.link(MetadataWire.path, pairs + [("marker", last.namespace.name)]))
                }
                writer.field("schema", "/v2/schemas/metadefs/namespaces")
            })
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let content = try await engine.namespace(request.parameter("namespace"), for: context)
        return .json(200, MetadataWire.body(content, for: request.query("resource_type")))
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try MetadataSchema.namespace(try await request.json())
        let namespace = try await engine.update(request.parameter("namespace"), draft, for: context)
        return .json(200, JSONWriter.object { MetadataWire.write(namespace, &$0) })
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.delete(request.parameter("namespace"), for: context)
        return .noContent()
    }

    private func resourceTypes(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let types = try await engine.resourceTypes()
        return .json(
            200,
            JSONWriter.object { writer in
                writer.array("resource_types") { array in
                    for type in types {
                        array.beginObject()
                        array.field("name", type.name)
                        array.field("created_at", type.createdAt.iso8601())
                        array.field("updated_at", type.updatedAt.iso8601())
                        array.endObject()
                    }
                }
            })
    }
}

/// Reads the query of a list of namespaces or of definitions.
enum MetadataQueryReader {
    static func read(_ pairs: [(name: String, value: String)], _ config: ImageConfig, isPaged: Bool) throws
        -> MetadataQuery
    {
        var query = MetadataQuery()
        if isPaged { query.limit = config.defaultPageSize }
        for (name, value) in pairs {
            switch name {
            case "limit": query.limit = try ImageListReader.limit(value)
            case "marker": query.marker = value
            case "sort_dir": query.isAscending = try ImageListReader.isAscending(value)
            case "sort_key":
                guard let key = MetadataQuery.SortKey(rawValue: value) else {
                    throw CloudError.badRequest("Sort key supplied was not valid.")
                }
                query.sortKey = key
            case "visibility":
                guard let visibility = MetadataNamespace.Visibility(rawValue: value) else {
                    throw CloudError.badRequest("Invalid visibility value: \(value)")
                }
                query.visibility = visibility
            case "resource_types": query.resourceTypes = value.split(separator: ",").map(String.init)
            default: break
            }
        }
        query.limit = query.limit.map { min($0, config.maximumPageSize) }
        return query
    }
}
