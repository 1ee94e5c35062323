// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/auto-allocated-topology/{project}
struct AutoTopologyRoutes: Sendable {
    /// Asked for as a field: says whether it would work, and makes nothing.
    private static let dryRun = "dry-run"

    let topologies: AutoTopologyEngine

    init(_ topologies: AutoTopologyEngine) { self.topologies = topologies }

    func register(on routes: inout RouteTable) {
        let path = "/v2.0/auto-allocated-topology/{project}"
        routes.add(.get, path, object: "get_auto_allocated_topology", show)
        routes.add(.delete, path, object: "delete_auto_allocated_topology") { request, context in
            try await topologies.delete(for: Self.project(request), context)
            return .noContent()
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let fields = request.queryAll("fields")
        if fields.contains(Self.dryRun) {
            let project = try await topologies.check(for: Self.project(request), context)
            return answer("dry-run=pass", project)
        }
        guard fields.isEmpty else { throw NetworkFault.badRequest("auto_allocate", "Unrecognized field") }
        let topology = try await topologies.ensure(for: Self.project(request), context)
        return answer(topology.network.rawValue, topology.project)
    }

    /// `None`, as clients say it that name no project: the caller's own.
    private static func project(_ request: APIRequest) -> ProjectID? {
        let text = request.parameter("project")
        return text == "None" ? nil : ProjectID(text)
    }

    private func answer(_ id: String, _ project: ProjectID) -> HTTPResponse {
        .json(
            200,
            JSONWriter.object { json in
                json.object("auto_allocated_topology") {
                    $0.field("id", id)
                    $0.field("project_id", project)
                    $0.field("tenant_id", project)
                }
            })
    }
}
