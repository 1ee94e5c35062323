// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-hosts, until 2.42, for administrators (nova: hosts.py).
struct HostRoutes: Sendable {
    let hosts: ComputeHostEngine

    func register(on routes: inout RouteTable) {
        let (path, all) = ("/v2.1/os-hosts", versions(1, 42))
        routes.add(.get, path, policy: "os_compute_api:os-hosts:list", versions: all, index)
        routes.add(.get, path + "/{host}", policy: "os_compute_api:os-hosts:show", versions: all, show)
        routes.add(.put, path + "/{host}", policy: "os_compute_api:os-hosts:update", versions: all, update)
        for (action, policy) in [
            ("startup", "os_compute_api:os-hosts:start"), ("shutdown", "os_compute_api:os-hosts:shutdown"),
            ("reboot", "os_compute_api:os-hosts:reboot"),
        ] as [(String, PolicyName)] {
            routes.add(.get, path + "/{host}/\(action)", policy: policy, versions: all, power)
        }
    }

    private func host(_ request: APIRequest) async throws -> ComputeHost {
        let name = request.parameter("host")
        guard let host = try await hosts.hosts().first(where: { $0.host == name }) else {
            throw CloudError.notFound(
                "Host '\(name.prefix(64))' is not mapped to any cell", kind: "HostMappingNotFound")
        }
        return host
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let zones = try await hosts.zones()
        var rows = ControllerService.all.map { service in
            // Here, names are without `nova-`.
            (host: ControllerService.host, service: String(service.binary.dropFirst(5)), zone: ControllerService.zone)
        }
        for host in try await hosts.hosts() where !host.isDisabled {
            rows.append((host: host.host, service: "compute", zone: zones[host.host] ?? ""))
        }
        if let zone = request.query("zone"), !zone.isEmpty { rows.removeAll { $0.zone != zone } }
        let final = rows
        return .object { writer in
            writer.array("hosts") { writer in
                for row in final {
                    writer.beginObject()
                    writer.field("host_name", row.host)
                    writer.field("service", row.service)
                    writer.field("zone", row.zone)
                    writer.endObject()
                }
            }
        }
    }

    // MARK: Resources

    private struct Resources {
        var cpus: Int64 = 0
        var memoryMiB: Int64 = 0
        var diskGiB: Int64 = 0

        mutating func add(_ server: Server) {
            cpus += Int64(server.flavor.vcpus)
            memoryMiB += Int64(server.flavor.memoryMiB)
            diskGiB += Int64(server.flavor.rootGiB + server.flavor.ephemeralGiB)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let host = try await host(request)
        let (info, used) = (host.hypervisor, try await hosts.usage(of: host))
        var (maximum, projects) = (Resources(), [ProjectID: Resources]())
        for server in try await hosts.servers(on: host.host) {
            maximum.add(server)
            projects[server.projectID, default: Resources()].add(server)
        }
        var rows: [(String, Resources)] = [
            (
                "(total)",
                Resources(cpus: Int64(info.vcpus), memoryMiB: Int64(info.memoryMiB), diskGiB: Int64(info.diskGiB))
            ),
            (
                "(used_now)",
                Resources(
                    cpus: used["VCPU"] ?? 0, memoryMiB: used["MEMORY_MB"] ?? 0, diskGiB: used["DISK_GB"] ?? 0)
            ),
            ("(used_max)", maximum),
        ]
        rows += projects.sorted { $0.key < $1.key }.map { ($0.key.rawValue, $0.value) }
        let final = rows
        return .object { writer in
            writer.array("host") { writer in
                for (project, resources) in final {
                    writer.beginObject()
                    writer.object("resource") { writer in
                        writer.field("host", host.host)
                        writer.field("project", project)
                        writer.field("cpu", resources.cpus)
                        writer.field("memory_mb", resources.memoryMiB)
                        writer.field("disk_gb", resources.diskGiB)
                    }
                    writer.endObject()
                }
            }
        }
    }

    // MARK: Change

    /// No hypervisor that upstream runs guests on by libvirt does this, nor does this one.
    private static let unsupported = CloudError(
        .notImplemented, "The requested functionality is not supported.")

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        let words = ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]
        var isEmpty = true
        for key in ["status", "maintenance_mode"] {
            guard let value = try reader.string(key) else { continue }
            guard words.contains(value.trimmingSpaces) else {
                throw reader.invalid(key, .string(value), "is not one of \(words)")
            }
            isEmpty = false
        }
        try reader.finish()
        guard !isEmpty else {
            throw CloudError.badRequest("Invalid input for field/attribute body. It does not have enough properties")
        }
        _ = try await host(request)
        throw Self.unsupported
    }

    private func power(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        _ = try await host(request)
        throw Self.unsupported
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        let head = drop { $0 == " " }
        return String(head.reversed().drop { $0 == " " }.reversed())
    }
}
