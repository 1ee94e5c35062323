// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkCore
import PolicyKit

/// /v2.0/{collection}/{id}/tags, for every collection whose objects have tags.
struct TagRoutes: Sendable {
    let tags: TagEngine

    private static let collections: [(path: String, resource: String)] = [
        ("networks", "network"), ("subnets", "subnet"), ("ports", "port"), ("routers", "router"),
        ("floatingips", "floatingip"), ("security-groups", "security_group"),
        ("subnetpools", "subnetpool"), ("policies", "policy"), ("qos/policies", "policy"), ("trunks", "trunk"),
    ]

    init(_ tags: TagEngine) { self.tags = tags }

    func register(on routes: inout RouteTable) {
        for (collection, resource) in Self.collections {
            let path = "/v2.0/\(collection)/{id}/tags"
            let (get, update, delete) = (
                PolicyName("get_\(resource):tags"), PolicyName("update_\(resource):tags"),
                PolicyName("delete_\(resource):tags")
            )
            routes.add(.get, path, object: get) { request, context in
                answer(try await tags.tags(of: request.parameter("id"), in: collection, for: context))
            }
            routes.add(.put, path, object: update) { request, context in
                let new = try await list(request)
                return answer(
                    try await tags.edit(.replace(new), of: request.parameter("id"), in: collection, for: context))
            }
            routes.add(.post, path, object: update) { request, context in
                let new = try await list(request)
                _ = try await tags.edit(.addAll(new), of: request.parameter("id"), in: collection, for: context)
                // neutron answers with what was asked for, not with all that there is.
                return .json(201, JSONWriter.object { $0.field("tags", new) })
            }
            routes.add(.delete, path, object: delete) { request, context in
                _ = try await tags.edit(.removeAll, of: request.parameter("id"), in: collection, for: context)
                return .noContent()
            }
            routes.add(.get, path + "/{tag}", object: get) { request, context in
                try await tags.has(
                    request.parameter("tag"), on: request.parameter("id"), in: collection, for: context)
                return .noContent()
            }
            routes.add(.put, path + "/{tag}", object: update) { request, context in
                let tag = request.parameter("tag")
                try AttributeReader.checkTag(tag)
                _ = try await tags.edit(.add(tag), of: request.parameter("id"), in: collection, for: context)
                return HTTPResponse(status: 201)
            }
            routes.add(.delete, path + "/{tag}", object: delete) { request, context in
                _ = try await tags.edit(
                    .remove(request.parameter("tag")), of: request.parameter("id"), in: collection, for: context)
                return .noContent()
            }
        }
    }

    private func list(_ request: APIRequest) async throws -> [String] {
        var reader = try AttributeReader(try await request.json(), isCreate: true)
        try reader.require("tags")
        let tags = try reader.tags() ?? []
        try reader.finish()
        return tags
    }

    private func answer(_ tags: [String]) -> HTTPResponse { .json(200, JSONWriter.object { $0.field("tags", tags) }) }
}
