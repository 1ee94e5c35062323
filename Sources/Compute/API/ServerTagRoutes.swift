// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/servers/{id}/tags, from 2.26 on.
struct ServerTagRoutes: Sendable {
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/servers/{server_id}/tags"
        let all = versions(26)
        routes.add(.get, path, object: "os_compute_api:os-server-tags:index", versions: all, index)
        routes.add(.put, path, object: "os_compute_api:os-server-tags:update_all", versions: all, replace)
        routes.add(.delete, path, object: "os_compute_api:os-server-tags:delete_all", versions: all, clear)
        routes.add(.get, path + "/{tag}", object: "os_compute_api:os-server-tags:show", versions: all, show)
        routes.add(.put, path + "/{tag}", object: "os_compute_api:os-server-tags:update", versions: all, add)
        routes.add(.delete, path + "/{tag}", object: "os_compute_api:os-server-tags:delete", versions: all, remove)
    }

    /// Throws `.badRequest` for a tag that no filter could name. Drops repeats.
    static func checked(_ tags: [String]) throws -> [String] {
        var result: [String] = []
        for tag in tags where !result.contains(tag) {
            guard (1...60).contains(tag.count), !tag.contains("/"), !tag.contains(",") else {
                throw CloudError.badRequest(
                    "Invalid input for field/attribute tags. Value: \(tag.prefix(64)). A tag has 1 to 60 characters "
                        + "and neither '/' nor ','.")
            }
            result.append(tag)
        }
        return result
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        return .object { writer in
            writer.key("tags")
            writer.raw(server.tags)
        }
    }

    private func replace(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let sent = try reader.strings("tags", 0...ServerEngine.maximumTags) else { throw reader.missing("tags") }
        try reader.finish()
        let tags = try Self.checked(sent)
        let result = try await servers.editTags(request.id("server_id"), for: context) { $0 = tags }
        return .object { $0.field("tags", result) }
    }

    private func clear(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        _ = try await servers.editTags(request.id("server_id"), for: context) { $0 = [] }
        return .noContent()
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        let tag = request.parameter("tag")
        guard try ServerEngine.tags(of: server).contains(tag) else { throw Self.missing(server.id.rawValue, tag) }
        return .noContent()
    }

    private func add(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let tag = try Self.checked([request.parameter("tag")])[0]
        let before = try await servers.server(request.id("server_id"), for: context)
        guard try !ServerEngine.tags(of: before).contains(tag) else { return .noContent() }
        _ = try await servers.editTags(before.id, for: context) { tags in
            if !tags.contains(tag) { tags.append(tag) }
        }
        var response = HTTPResponse(status: 201)
        response.headers.set("Location", "\(request.versionURL)/servers/\(before.id)/tags/\(Percent.encode(tag))")
        return response
    }

    private func remove(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (tag, id) = (request.parameter("tag"), request.parameter("server_id"))
        _ = try await servers.editTags(ID(id), for: context) { tags in
            guard let index = tags.firstIndex(of: tag) else { throw Self.missing(id, tag) }
            tags.remove(at: index)
        }
        return .noContent()
    }

    private static func missing(_ id: String, _ tag: String) -> CloudError {
        .notFound("Server \(id) has no tag '\(tag.prefix(60))'")
    }
}
