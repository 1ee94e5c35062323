// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkCore
import PolicyKit

/// /v2.0/quotas
struct QuotaRoutes: Sendable {
    let quotas: NetworkQuotaEngine

    init(_ quotas: NetworkQuotaEngine) { self.quotas = quotas }

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2.0/quotas", object: "get_quota", list)
        routes.add(.get, "/v2.0/quotas/tenant", object: "get_quota") { try own($0, $1, key: "tenant") }
        routes.add(.get, "/v2.0/quotas/project", object: "get_quota") { try own($0, $1, key: "project") }
        routes.add(.get, "/v2.0/quotas/{project}", object: "get_quota", show)
        routes.add(.put, "/v2.0/quotas/{project}", object: "update_quota", update)
        routes.add(.delete, "/v2.0/quotas/{project}", object: "delete_quota", delete)
        routes.add(.get, "/v2.0/quotas/{project}/default", object: "get_quota", defaults)
        for name in ["details", "details.json"] {
            routes.add(.get, "/v2.0/quotas/{project}/\(name)", object: "get_quota", details)
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let all = try await quotas.all(for: context)
        return .json(
            200,
            JSONWriter.object { json in
                json.array("quotas") { json in
                    for (project, limits) in all {
                        json.beginObject()
                        json.field("project_id", project)
                        json.field("tenant_id", project)
                        Self.write(limits, &json)
                        json.endObject()
                    }
                }
            })
    }

    private func own(_ request: APIRequest, _ context: CallContext, key: StaticString) throws -> HTTPResponse {
        let project = try context.requireProject()
        context.authorizeListing()
        return .json(
            200,
            JSONWriter.object { json in
                json.object(key) {
                    $0.field("tenant_id", project)
                    $0.field("project_id", project)
                }
            })
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        answer(try await quotas.limits(of: request.id("project"), for: context))
    }

    private func defaults(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        answer(try await quotas.defaults(of: request.id("project"), for: context))
    }

    private func details(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let usage = try await quotas.usage(of: request.id("project"), for: context)
        return .json(
            200,
            JSONWriter.object { json in
                json.object("quota") { json in
                    for (resource, part) in usage.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                        json.key(dynamic: resource.rawValue)
                        json.beginObject()
                        json.field("limit", part.limit)
                        json.field("used", part.used)
                        json.field("reserved", 0)
                        json.endObject()
                    }
                }
            })
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        guard let body = try await request.json()["quota"] else {
            throw AttributeReader.bad("Unable to find 'quota' in request body")
        }
        var reader = try AttributeReader(body, isCreate: true)
        let isForced = try reader.bool("force", default: false) ?? false
        _ = try reader.bool("check_limit", default: false)
        _ = try reader.project()
        var limits: [NetworkQuota: Int] = [:]
        for resource in NetworkQuota.allCases {
            if let limit = try reader.int(resource.rawValue, -1...Int(Int32.max)) { limits[resource] = limit }
        }
        try reader.finish()
        return answer(try await quotas.set(limits, isForced: isForced, for: request.id("project"), context))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await quotas.delete(request.id("project"), for: context)
        return .noContent()
    }

    private func answer(_ limits: [NetworkQuota: Int]) -> HTTPResponse {
        .json(200, JSONWriter.object { json in json.object("quota") { Self.write(limits, &$0) } })
    }

    private static func write(_ limits: [NetworkQuota: Int], _ json: inout JSONWriter) {
        for (resource, limit) in limits.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            json.key(dynamic: resource.rawValue)
            json.value(limit)
        }
    }
}
