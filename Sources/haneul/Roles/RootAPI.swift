// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import LogKit
import PolicyKit

/// What stands beside the services on the one origin: a list of them, health, metrics.
struct RootAPI: ServiceAPI {
    /// How one part of the cloud is.
    struct PartHealth: Sendable {
        var name: String
        var isHealthy: Bool
        var detail: String
    }

    let serviceType = "root"
    let prefix = ""
    let enforcer: PolicyEnforcer
    let versioning: Versioning? = nil
    private let mounted: [(type: String, prefix: String)]
    private let health: @Sendable () async -> [PartHealth]

    init(services: [any ServiceAPI], health: @escaping @Sendable () async -> [PartHealth]) throws {
        enforcer = try PolicyEnforcer([])
        mounted = services.map { ($0.serviceType, $0.prefix) }
        self.health = health
    }

    var routes: RouteTable {
        var routes = RouteTable()
        routes.open(.get, "/", index)
        routes.open(.get, "/healthz", healthz)
        routes.open(.get, "/metrics", metrics)
        return routes
    }

    private func index(_ request: APIRequest) async throws -> HTTPResponse {
        .json(
            200,
            JSONWriter.object { writer in
                writer.array("services") { writer in
                    for (type, prefix) in mounted {
                        writer.beginObject()
                        writer.field("type", type)
                        writer.field("url", request.originURL + prefix)
                        writer.endObject()
                    }
                }
            })
    }

    private func healthz(_ request: APIRequest) async throws -> HTTPResponse {
        let parts = await health()
        let isHealthy = parts.allSatisfy(\.isHealthy)
        return HTTPResponse.json(
            isHealthy ? 200 : 503,
            JSONWriter.object { writer in
                writer.field("healthy", isHealthy)
                writer.array("parts") { writer in
                    for part in parts {
                        writer.beginObject()
                        writer.field("name", part.name)
                        writer.field("healthy", part.isHealthy)
                        writer.field("detail", part.detail)
                        writer.endObject()
                    }
                }
            })
    }

    private func metrics(_ request: APIRequest) async throws -> HTTPResponse {
        HTTPResponse(
            status: 200, headers: ["Content-Type": "text/plain; version=0.0.4"],
            body: .bytes(Array(MetricsRegistry.shared.render().utf8)))
    }

    func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        .json(
            status,
            JSONWriter.object { writer in
                writer.object("error") { writer in
                    writer.field("code", status)
                    writer.field("message", error.message)
                }
            })
    }
}
