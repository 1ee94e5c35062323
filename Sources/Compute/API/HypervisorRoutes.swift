// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-hypervisors, for administrators.
struct HypervisorRoutes: Sendable {
    private static let maximumPage = 1000
    let hosts: ComputeHostEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-hypervisors"
        routes.add(.get, path, policy: "os_compute_api:os-hypervisors:list") { try await list($0, $1, false) }
        routes.add(.get, path + "/detail", policy: "os_compute_api:os-hypervisors:list-detail") {
            try await list($0, $1, true)
        }
        routes.add(
            .get, path + "/statistics", policy: "os_compute_api:os-hypervisors:statistics", versions: versions(1, 87),
            statistics)
        routes.add(.get, path + "/{id}", policy: "os_compute_api:os-hypervisors:show", show)
        routes.add(
            .get, path + "/{id}/uptime", policy: "os_compute_api:os-hypervisors:uptime", versions: versions(1, 87),
            uptime)
        routes.add(
            .get, path + "/{id}/search", policy: "os_compute_api:os-hypervisors:search", versions: versions(1, 52)
        ) { try await search($0, $1, withServers: false) }
        routes.add(
            .get, path + "/{id}/servers", policy: "os_compute_api:os-hypervisors:servers", versions: versions(1, 52)
        ) { try await search($0, $1, withServers: true) }
    }

    // MARK: View

    /// What a view shows beside the host's row.
    private struct Facts {
        var usage: [String: Int64] = [:]
        var serverCount = 0
        /// Nil: not asked for.
        var servers: [Server]?
    }

    private func id(_ host: ComputeHost, _ context: CallContext) -> String {
        context.has(53) ? host.nodeID.rawValue : String(host.number)
    }

    private func write(
        _ writer: inout JSONWriter, _ host: ComputeHost, _ facts: Facts, _ context: CallContext, isDetailed: Bool
    ) {
        writer.beginObject()
        numericOrText(&writer, "id", host, context, host.nodeID.rawValue)
        writer.field("hypervisor_hostname", host.hypervisor.hostname)
        writer.field("state", hosts.isUp(host) ? "up" : "down")
        writer.field("status", host.isDisabled ? "disabled" : "enabled")
        if isDetailed {
            writer.field("hypervisor_type", host.hypervisor.type)
            writer.field("hypervisor_version", host.hypervisor.version)
            writer.field("host_ip", host.hypervisor.hostAddress)
            writer.object("service") { writer in
                numericOrText(&writer, "id", host, context, host.serviceID.rawValue)
                writer.field("host", host.host)
                writer.field("disabled_reason", host.disabledReason)
            }
            if context.has(88) {
                writer.field("uptime", uptimeText(host))
            } else {
                capacity(&writer, host, facts, context)
            }
        }
        if let servers = facts.servers, !servers.isEmpty || context.has(75) {
            writer.array("servers") { writer in
                for server in servers {
                    writer.beginObject()
                    writer.field("name", server.instanceName)
                    writer.field("uuid", server.id.rawValue)
                    writer.endObject()
                }
            }
        }
        writer.endObject()
    }

    /// Before 2.53 ids are numbers.
    private func numericOrText(
        _ writer: inout JSONWriter, _ key: StaticString, _ host: ComputeHost, _ context: CallContext, _ uuid: String
    ) {
        if context.has(53) { writer.field(key, uuid) } else { writer.field(key, host.number) }
    }

    private func capacity(_ writer: inout JSONWriter, _ host: ComputeHost, _ facts: Facts, _ context: CallContext) {
        let info = host.hypervisor
        let (memory, disk) = (facts.usage["MEMORY_MB"] ?? 0, facts.usage["DISK_GB"] ?? 0)
        writer.field("vcpus", info.vcpus)
        writer.field("memory_mb", info.memoryMiB)
        writer.field("local_gb", info.diskGiB)
        writer.field("vcpus_used", facts.usage["VCPU"] ?? 0)
        writer.field("memory_mb_used", memory)
        writer.field("local_gb_used", disk)
        writer.field("free_ram_mb", Int64(info.memoryMiB) - memory)
        writer.field("free_disk_gb", Int64(info.diskGiB) - disk)
        writer.field("current_workload", 0)
        writer.field("running_vms", facts.serverCount)
        writer.field("disk_available_least", max(0, Int64(info.diskGiB) - disk))
        if context.has(28) {
            writer.key("cpu_info")
            // The agent's own text: only what reads as an object is handed on as one.
            if case .object? = try? JSONReader.read(info.cpuInfo) {  // anything else counts as unknown
                writer.raw(info.cpuInfo)
            } else {
                writer.raw("{}")
            }
        } else {
            writer.field("cpu_info", info.cpuInfo)
        }
    }

    /// 0.07, as uptime(1) writes it.
    private static func twoDecimals(_ number: Double) -> String {
        let hundredths = Int((min(max(number, 0), 1_000_000) * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }

    private func uptimeText(_ host: ComputeHost) -> String? {
        guard hosts.isUp(host), let booted = host.bootedAt else { return nil }
        let seconds = max(0, (host.lastSeenAt - booted).components.seconds)
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
        let clock = host.lastSeenAt.iso8601().dropFirst(11).prefix(8)
        // The client takes this apart as what uptime(1) prints.
        let load = (host.hypervisor.loadAverage ?? [0, 0, 0]).map(Self.twoDecimals).joined(separator: ", ")
        return " \(clock) up \(days) days, \(hours):\(minutes < 10 ? "0" : "")\(minutes),  0 users,  "
            + "load average: \(load)"
    }

    private func facts(
        _ host: ComputeHost, _ context: CallContext, isDetailed: Bool, withServers: Bool, counts: [String: Int]
    ) async throws -> Facts {
        var facts = Facts(serverCount: counts[host.host] ?? 0)
        if isDetailed, !context.has(88) { facts.usage = try await hosts.usage(of: host) }
        if withServers { facts.servers = try await hosts.servers(on: host.host) }
        return facts
    }

    // MARK: Handlers

    private func list(_ request: APIRequest, _ context: CallContext, _ isDetailed: Bool) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(
            request, context, from: 53, ["limit", "marker", "hypervisor_hostname_pattern", "with_servers"])
        var all = try await hosts.hosts()
        let isSearch = context.has(53) && request.query("hypervisor_hostname_pattern") != nil
        if isSearch, let pattern = request.query("hypervisor_hostname_pattern") {
            all = all.filter { $0.hypervisor.hostname.contains(pattern) }
            guard !all.isEmpty else {
                throw CloudError.notFound("No hypervisor matching '\(pattern.prefix(255))' could be found.")
            }
        }
        let withServers = context.has(53) ? try request.queryBool("with_servers") ?? false : false
        var next: ComputeHost?
        if isSearch, request.query("limit") != nil || request.query("marker") != nil {
            throw CloudError.badRequest(
                "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.")
        }
        if context.has(33), !isSearch {
            if let marker = request.query("marker") {
                guard let index = all.firstIndex(where: { id($0, context) == marker }) else {
                    throw CloudError.badRequest("marker [\(marker.prefix(64))] not found")
                }
                all.removeFirst(index + 1)
            }
            let limit = try ComputeWire.limit(request, maximum: Self.maximumPage)
            if all.count > limit { all.removeLast(all.count - limit) }
            if all.count == limit { next = all.last }
        }
        let counts = isDetailed ? try await hosts.serverCounts() : [:]
        var page: [(ComputeHost, Facts)] = []
        for host in all {
            page.append(
                (
                    host,
                    try await facts(host, context, isDetailed: isDetailed, withServers: withServers, counts: counts)
                ))
        }
        let final = page
        return .object { writer in
            writer.array("hypervisors") { writer in
                for (host, facts) in final { write(&writer, host, facts, context, isDetailed: isDetailed) }
            }
            if let next, !isSearch {
                let path = isDetailed ? "os-hypervisors/detail" : "os-hypervisors"
                request.links.next(&writer, "hypervisors_links", path, marker: id(next, context))
            }
        }
    }

    private func find(_ request: APIRequest, _ context: CallContext) async throws -> ComputeHost {
        let wanted = request.parameter("id")
        if context.has(53), !UUIDText.isUUID(wanted) {
            throw CloudError.badRequest("Invalid uuid \(wanted.prefix(64))")
        }
        guard let host = try await hosts.hosts().first(where: { id($0, context) == wanted }) else {
            throw CloudError.notFound("Hypervisor with ID '\(wanted.prefix(64))' could not be found.")
        }
        return host
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, from: 53, ["with_servers"])
        let host = try await find(request, context)
        let withServers = context.has(53) ? try request.queryBool("with_servers") ?? false : false
        let facts = try await facts(
            host, context, isDetailed: true, withServers: withServers, counts: try await hosts.serverCounts())
        return .object { writer in
            writer.key("hypervisor")
            write(&writer, host, facts, context, isDetailed: true)
        }
    }

    private func uptime(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let host = try await find(request, context)
        guard hosts.isUp(host) else {
            throw CloudError.badRequest("Compute service of \(host.host) is unavailable at this time.")
        }
        return .object { writer in
            writer.object("hypervisor") { writer in
                numericOrText(&writer, "id", host, context, host.nodeID.rawValue)
                writer.field("hypervisor_hostname", host.hypervisor.hostname)
                writer.field("state", "up")
                writer.field("status", host.isDisabled ? "disabled" : "enabled")
                writer.field("uptime", uptimeText(host) ?? "")
            }
        }
    }

    private func search(_ request: APIRequest, _ context: CallContext, withServers: Bool) async throws -> HTTPResponse {
        let pattern = request.parameter("id")
        let found = try await hosts.hosts().filter { $0.hypervisor.hostname.contains(pattern) }
        guard !found.isEmpty else {
            throw CloudError.notFound("No hypervisor matching '\(pattern.prefix(255))' could be found.")
        }
        var page: [(ComputeHost, Facts)] = []
        for host in found {
            page.append(
                (host, try await facts(host, context, isDetailed: false, withServers: withServers, counts: [:])))
        }
        let final = page
        return .object { writer in
            writer.array("hypervisors") { writer in
                for (host, facts) in final { write(&writer, host, facts, context, isDetailed: false) }
            }
        }
    }

    private func statistics(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let all = try await hosts.hosts()
        let counts = try await hosts.serverCounts()
        var used: [String: Int64] = [:]
        for host in all { used.merge(try await hosts.usage(of: host), uniquingKeysWith: +) }
        func sum(_ path: KeyPath<ComputeHost, Int>) -> Int64 { all.reduce(0) { $0 + Int64($1[keyPath: path]) } }
        let (vcpus, memory, disk) = (sum(\.hypervisor.vcpus), sum(\.hypervisor.memoryMiB), sum(\.hypervisor.diskGiB))
        let final = used
        return .object { writer in
            writer.object("hypervisor_statistics") { writer in
                writer.field("count", all.count)
                writer.field("vcpus", vcpus)
                writer.field("vcpus_used", final["VCPU"] ?? 0)
                writer.field("memory_mb", memory)
                writer.field("memory_mb_used", final["MEMORY_MB"] ?? 0)
                writer.field("free_ram_mb", memory - (final["MEMORY_MB"] ?? 0))
                writer.field("local_gb", disk)
                writer.field("local_gb_used", final["DISK_GB"] ?? 0)
                writer.field("free_disk_gb", disk - (final["DISK_GB"] ?? 0))
                writer.field("disk_available_least", max(0, disk - (final["DISK_GB"] ?? 0)))
                writer.field("current_workload", 0)
                writer.field("running_vms", counts.values.reduce(0, +))
            }
        }
    }
}
