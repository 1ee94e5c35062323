// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-simple-tenant-usage: hours of servers in a period, by project.
struct TenantUsageRoutes: Sendable {
    private static let maximumPage = 1000
    /// Before 2.40 a report is whole.
    private static let maximumServers = 100_000
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2.1/os-simple-tenant-usage", policy: "os_compute_api:os-simple-tenant-usage:list", index)
        routes.add(
            .get, "/v2.1/os-simple-tenant-usage/{project}", object: "os_compute_api:os-simple-tenant-usage:show", show)
    }

    private struct Period {
        var start: Timestamp
        var stop: Timestamp
    }

    private struct Use {
        var server: Server
        var hours: Double
    }

    /// One of three forms of a time (nova: simple_tenant_usage.py, `_parse_datetime`).
    private static func time(_ request: APIRequest, _ name: String) throws -> Timestamp? {
        guard let text = request.query(name), !text.isEmpty else { return nil }
        let hasForm = text.utf8.count >= 19 && !text.hasSuffix("Z") && !text.dropFirst(10).contains("+")
        guard hasForm, let time = Timestamp(iso8601: text) else {
            throw CloudError.badRequest("Invalid datetime string: Datetime is in invalid format")
        }
        return time
    }

    private static func period(_ request: APIRequest, _ now: Timestamp) throws -> Period {
        // Without a time it is now: upstream's period has then next to no length.
        let period = Period(
            start: try time(request, "start") ?? now - .microseconds(1), stop: try time(request, "end") ?? now)
        guard period.start < period.stop else {
            throw CloudError.badRequest("Invalid start time. The start time cannot occur after the end time.")
        }
        return Period(start: period.start, stop: min(period.stop, now))
    }

    /// A page of uses, and the server after which the next one begins.
    private func uses(
        _ period: Period, of project: ProjectID?, _ request: APIRequest, _ context: CallContext
    ) async throws -> (uses: [Use], next: String?) {
        let isPaged = context.has(40)
        let limit = isPaged ? try ComputeWire.limit(request, maximum: Self.maximumPage) : Self.maximumServers
        let marker: ServerID? = isPaged ? request.query("marker").map { ID($0) } : nil
        let found = try await servers.servers(
            livingFrom: period.start, to: period.stop, of: project, after: marker, limit: limit)
        let uses = found.map { server in
            // What was never launched costs nothing.
            let from = max(server.launchedAt ?? period.stop, period.start)
            let to = min(server.terminatedAt ?? period.stop, period.stop)
            let hours = from < to ? Double((to - from).microseconds) / 3_600_000_000 : 0
            return Use(server: server, hours: hours)
        }
        return (uses, isPaged && found.count == limit ? found.last?.id.rawValue : nil)
    }

    private func write(
        _ writer: inout JSONWriter, _ project: ProjectID, _ uses: [Use], _ period: Period, isDetailed: Bool,
        at now: Timestamp
    ) {
        writer.field("tenant_id", project.rawValue)
        writer.field("start", period.start.iso8601(fraction: true, zone: false))
        writer.field("stop", period.stop.iso8601(fraction: true, zone: false))
        writer.field("total_hours", uses.reduce(0) { $0 + $1.hours })
        writer.field("total_vcpus_usage", uses.reduce(0) { $0 + $1.hours * Double($1.server.flavor.vcpus) })
        writer.field("total_memory_mb_usage", uses.reduce(0) { $0 + $1.hours * Double($1.server.flavor.memoryMiB) })
        writer.field(
            "total_local_gb_usage",
            uses.reduce(0) { sum, use in
                sum + use.hours * Double(use.server.flavor.rootGiB + use.server.flavor.ephemeralGiB)
            })
        guard isDetailed else { return }
        writer.array("server_usages") { writer in
            for use in uses {
                let server = use.server
                let started = server.launchedAt ?? server.createdAt
                writer.beginObject()
                writer.field("instance_id", server.id.rawValue)
                writer.field("name", server.name)
                writer.field("tenant_id", server.projectID.rawValue)
                writer.field("flavor", server.flavor.name)
                writer.field("hours", use.hours)
                writer.field("vcpus", server.flavor.vcpus)
                writer.field("memory_mb", server.flavor.memoryMiB)
                writer.field("local_gb", server.flavor.rootGiB + server.flavor.ephemeralGiB)
                writer.field("started_at", started.iso8601(fraction: true, zone: false))
                writer.field("ended_at", server.terminatedAt?.iso8601(fraction: true, zone: false))
                writer.field("state", server.isDeleted ? "terminated" : server.state.vm.rawValue)
                let end = server.terminatedAt ?? now
                writer.field("uptime", max(0, (end - started).components.seconds))
                writer.endObject()
            }
        }
    }

    private static let query: Set<String> = ["start", "end", "detailed", "limit", "marker"]

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, Self.query)
        let now = servers.parts.clock.now()
        let period = try Self.period(request, now)
        let isDetailed = request.query("detailed") == "1"
        let (uses, next) = try await uses(period, of: nil, request, context)
        let projects = Dictionary(grouping: uses) { $0.server.projectID }
        return .object { writer in
            writer.array("tenant_usages") { writer in
                for (project, own) in projects.sorted(by: { $0.key < $1.key }) {
                    writer.beginObject()
                    write(&writer, project, own, period, isDetailed: isDetailed, at: now)
                    writer.endObject()
                }
            }
            if let next { request.links.next(&writer, "tenant_usages_links", "os-simple-tenant-usage", marker: next) }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project: ProjectID = request.id("project")
        try context.authorize(PolicyTarget(project: project))
        guard !project.rawValue.isEmpty else { throw CloudError.notFound("The resource could not be found.") }
        try ComputeWire.checkQuery(request, context, Self.query.subtracting(["detailed"]))
        let now = servers.parts.clock.now()
        let period = try Self.period(request, now)
        let (own, next) = try await uses(period, of: project, request, context)
        return .object { writer in
            writer.object("tenant_usage") { writer in
                if !own.isEmpty { write(&writer, project, own, period, isDetailed: true, at: now) }
            }
            if let next {
                let path = "os-simple-tenant-usage/\(Percent.encode(project.rawValue))"
                request.links.next(&writer, "tenant_usage_links", path, marker: next)
            }
        }
    }
}
