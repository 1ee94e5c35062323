// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import PolicyKit

/// /v2/cache
struct ImageCacheRoutes: Sendable {
    let engine: ImageEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2/cache", policy: .cacheList, list)
        routes.add(.delete, "/v2/cache", policy: .cacheDelete, clear)
        routes.add(.put, "/v2/cache/{id}", object: .cacheImage, queue)
        routes.add(.delete, "/v2/cache/{id}", object: .cacheDelete, delete)
        routes.add(.get, "/v2/cache/nodes/{id}", object: .listCachedNodes, nodes)
        routes.add(.post, "/v2/cache/clean", policy: .cacheClean, clean)
        routes.add(.post, "/v2/cache/prune", policy: .cachePrune, prune)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (cached, queued) = try await engine.cachedImages()
        return .json(
            200,
            JSONWriter.object { writer in
                writer.array("cached_images") { array in
                    for entry in cached {
                        array.beginObject()
                        array.field("image_id", entry.imageID)
                        array.field("hits", entry.hits)
                        array.field("last_accessed", Self.seconds(entry.lastAccessed))
                        array.field("last_modified", Self.seconds(entry.lastModified))
                        array.field("size", entry.sizeBytes)
                        array.endObject()
                    }
                }
                writer.field("queued_images", queued.map(\.imageID.rawValue))
            })
    }

    private static func seconds(_ time: Timestamp) -> Double { Double(time.microseconds) / 1_000_000 }

    /// By their URLs: this service, or none.
    private func nodes(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let isCached = try await engine.isCached(request.id("id"), for: context)
        var writer = JSONWriter()
        writer.beginArray()
        if isCached { writer.value(request.serviceURL) }
        writer.endArray()
        return .json(200, writer.finish())
    }

    private func queue(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.queueForCache(request.id("id"), for: context)
        return HTTPResponse(status: 202)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.removeFromCache(request.id("id"), for: context)
        return .noContent()
    }

    private func clear(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let target = request.http.headers["x-image-cache-clear-target"]?.lowercased() ?? ""
        guard ["", "cache", "queue"].contains(target) else {
            throw CloudError.badRequest(
                "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
        }
        try await engine.clearCache(cached: target != "queue", queued: target != "cache")
        return .noContent()
    }

    private func clean(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.cleanCache()
        return HTTPResponse(status: 200)
    }

    private func prune(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (count, bytes) = try await engine.pruneCache()
        return .json(
            200,
            JSONWriter.object { writer in
                writer.field("total_files_pruned", count)
                writer.field("total_bytes_pruned", bytes)
            })
    }
}
