// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/servers/{id}/metadata
struct ServerMetadataRoutes: Sendable {
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/servers/{server_id}/metadata"
        routes.add(.get, path, object: "os_compute_api:server-metadata:index", index)
        routes.add(.post, path, object: "os_compute_api:server-metadata:create", merge)
        routes.add(.put, path, object: "os_compute_api:server-metadata:update_all", replace)
        routes.add(.get, path + "/{key}", object: "os_compute_api:server-metadata:show", show)
        routes.add(.put, path + "/{key}", object: "os_compute_api:server-metadata:update", set)
        routes.add(.delete, path + "/{key}", object: "os_compute_api:server-metadata:delete", remove)
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        return .object { writer in
            writer.key("metadata")
            writer.raw(server.metadata)
        }
    }

    private func merge(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await metadata(request)
        let result = try await servers.editMetadata(request.id("server_id"), for: context) {
            $0.merge(sent) { _, new in new }
        }
        return .object { $0.field("metadata", result) }
    }

    private func replace(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await metadata(request)
        let result = try await servers.editMetadata(request.id("server_id"), for: context) { $0 = sent }
        return .object { $0.field("metadata", result) }
    }

    private func metadata(_ request: APIRequest) async throws -> [String: String] {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let metadata = try ServerDraftReader.metadata(&reader) else { throw reader.missing("metadata") }
        try reader.finish()
        return metadata
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        let key = request.parameter("key")
        guard let value = try ServerEngine.metadata(of: server)[key] else { throw Self.missing }
        return Self.item(key, value)
    }

    private func set(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let key = request.parameter("key")
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let sent = try ServerDraftReader.metadata(&reader, "meta") else { throw reader.missing("meta") }
        try reader.finish()
        guard sent.count == 1 else { throw CloudError.badRequest("Request body contains too many items") }
        guard let value = sent[key] else { throw CloudError.badRequest("Request body and URI mismatch") }
        _ = try await servers.editMetadata(request.id("server_id"), for: context) { $0[key] = value }
        return Self.item(key, value)
    }

    private func remove(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let key = request.parameter("key")
        _ = try await servers.editMetadata(request.id("server_id"), for: context) { metadata in
            guard metadata.removeValue(forKey: key) != nil else { throw Self.missing }
        }
        return .noContent()
    }

    private static let missing = CloudError.notFound("Metadata item was not found")

    private static func item(_ key: String, _ value: String) -> HTTPResponse {
        .object { $0.field("meta", [key: value]) }
    }
}
