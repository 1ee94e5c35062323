// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/servers/{id}/os-instance-actions: who did what to a server, and what came of it.
struct ServerTimelineRoutes: Sendable {
    private static let maximumPage = 1000
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/servers/{server_id}/os-instance-actions"
        routes.add(.get, path, object: "os_compute_api:os-instance-actions:list", index)
        routes.add(.get, path + "/{request_id}", object: "os_compute_api:os-instance-actions:show", show)
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let isPaged = context.has(58)
        let known: Set<String> = ["changes-since", "limit", "marker"]
        try ComputeWire.checkQuery(
            request, context, from: 58, context.has(66) ? known.union(["changes-before"]) : known)
        let limit = isPaged ? try ComputeWire.limit(request, maximum: Self.maximumPage) : Self.maximumPage
        let actions = try await servers.actions(
            of: request.id("server_id"), since: isPaged ? try ComputeWire.time(request, "changes-since") : nil,
            before: context.has(66) ? try ComputeWire.time(request, "changes-before") : nil,
            marker: isPaged ? request.query("marker") : nil, limit: limit, for: context)
        return .object { writer in
            writer.array("instanceActions") { writer in
                for action in actions {
                    writer.beginObject()
                    Self.action(&writer, action, context)
                    writer.endObject()
                }
            }
            if isPaged, let last = actions.last, actions.count == limit {
                let path = "servers/\(request.parameter("server_id"))/os-instance-actions"
                request.links.next(&writer, "links", path, marker: last.requestID)
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (server, action) = try await servers.action(
            of: request.id("server_id"), request.parameter("request_id"), for: context)
        let target = PolicyTarget(project: server.projectID)
        let showsHosts = context.allows("os_compute_api:os-instance-actions:events", target)
        let showsDetails = context.allows("os_compute_api:os-instance-actions:events:details", target)
        return .object { writer in
            writer.object("instanceAction") { writer in
                Self.action(&writer, action, context)
                // Before 2.51 only administrators see events.
                guard showsHosts || context.has(51) else { return }
                writer.array("events") { writer in
                    for event in action.events {
                        writer.beginObject()
                        writer.field("event", event.name)
                        writer.field("start_time", event.startedAt.iso8601(fraction: true, zone: false))
                        writer.field("finish_time", event.finishedAt?.iso8601(fraction: true, zone: false))
                        writer.field("result", event.result)
                        if showsHosts { writer.field("traceback", event.traceback) }
                        if context.has(62) {
                            if showsHosts { writer.field("host", event.host) }
                            writer.field("hostId", event.host.map { ServerIdentity.hostID($0, server.projectID) } ?? "")
                        }
                        if context.has(84), showsDetails { writer.field("details", event.details) }
                        writer.endObject()
                    }
                }
            }
        }
    }

    private static func action(_ writer: inout JSONWriter, _ action: ServerAction, _ context: CallContext) {
        writer.field("action", action.action)
        writer.field("instance_uuid", action.serverID.rawValue)
        writer.field("request_id", action.requestID)
        writer.field("user_id", action.userID.rawValue)
        writer.field("project_id", action.projectID.rawValue)
        writer.field("start_time", action.startedAt.iso8601(fraction: true, zone: false))
        writer.field("message", action.message)
        if context.has(58) { writer.field("updated_at", action.updatedAt.iso8601(fraction: true, zone: false)) }
    }
}
