// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-simple-tenant-usage: hours of servers in a period, by project.
struct TenantUsageRoutes: Sendable {
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

    private func period(_ request: APIRequest, _ now: Timestamp) throws -> Period {
        func time(_ name: String) throws -> Timestamp? {
            guard let text = request.query(name), !text.isEmpty else { return nil }
            guard let time = Timestamp(iso8601: text) else {
                throw CloudError.badRequest("Datetime is in invalid format")
            }
            return time
        }
        let stop = try time("end") ?? now
        let period = Period(start: try time("start") ?? stop - .seconds(28 * 86_400), stop: stop)
        guard period.start < period.stop else {
            throw CloudError.badRequest("Invalid start time. The start time cannot occur after the end time.")
        }
        return period
    }

    private func uses(_ period: Period, of project: ProjectID?, at now: Timestamp) async throws -> [ProjectID: [Use]] {
        var uses: [ProjectID: [Use]] = [:]
        for server in try await servers.servers(livingFrom: period.start, to: period.stop, of: project) {
            let from = max(server.launchedAt ?? server.createdAt, period.start)
            let to = min(server.terminatedAt ?? now, period.stop)
            let hours = from < to ? Double((to - from).microseconds) / 3_600_000_000 : 0
            uses[server.projectID, default: []].append(Use(server: server, hours: hours))
        }
        return uses
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

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["start", "end", "detailed", "limit", "marker"])
        let now = servers.parts.clock.now()
        let period = try period(request, now)
        let isDetailed = request.query("detailed") == "1"
        let uses = try await uses(period, of: nil, at: now)
        return .object { writer in
            writer.array("tenant_usages") { writer in
                for (project, own) in uses.sorted(by: { $0.key < $1.key }) {
                    writer.beginObject()
                    write(&writer, project, own, period, isDetailed: isDetailed, at: now)
                    writer.endObject()
                }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project: ProjectID = request.id("project")
        try context.authorize(PolicyTarget(project: project))
        try ComputeWire.checkQuery(request, context, ["start", "end", "limit", "marker"])
        let now = servers.parts.clock.now()
        let period = try period(request, now)
        let own = try await uses(period, of: project, at: now)[project] ?? []
        return .object { writer in
            writer.object("tenant_usage") { writer in
                if !own.isEmpty { write(&writer, project, own, period, isDetailed: true, at: now) }
            }
        }
    }
}
