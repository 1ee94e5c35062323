// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// /v2.1/os-floating-ips and /v2.1/os-floating-ip-pools, until 2.35: Network's floating addresses, with external
/// networks as pools (nova: api/openstack/compute/floating_ips.py).
struct FloatingIPProxyRoutes: Sendable {
    private let network: FloatingIPNeighbour

    init(neighbours: Neighbours) { network = FloatingIPNeighbour(neighbours: neighbours) }

    func register(on routes: inout RouteTable) {
        let (path, one, all) = ("/v2.1/os-floating-ips", "/v2.1/os-floating-ips/{floating_ip_id}", versions(1, 35))
        routes.add(.get, path, policy: "os_compute_api:os-floating-ips:list", versions: all, index)
        routes.add(.post, path, policy: "os_compute_api:os-floating-ips:create", versions: all, create)
        routes.add(.get, one, policy: "os_compute_api:os-floating-ips:show", versions: all, show)
        routes.add(.delete, one, policy: "os_compute_api:os-floating-ips:delete", versions: all, delete)
        routes.add(
            .get, "/v2.1/os-floating-ip-pools", policy: "os_compute_api:os-floating-ip-pools", versions: all, pools)
    }

    // MARK: View

    private static func write(
        _ writer: inout JSONWriter, _ floatingIP: JSON, _ pools: [JSON], _ servers: [String: String]
    ) {
        let pool = pools.first { $0["id"] == floatingIP["floating_network_id"] }
        writer.beginObject()
        writer.field("fixed_ip", floatingIP[shown: "fixed_ip_address"])
        writer.field("id", floatingIP[shown: "id"])
        writer.field("instance_id", floatingIP["port_id"]?.string.flatMap { servers[$0] })
        writer.field("ip", floatingIP[shown: "floating_ip_address"])
        let name = pool?["name"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        writer.field("pool", name ?? floatingIP["floating_network_id"]?.string)
        writer.endObject()
    }

    private func answer(_ floatingIP: JSON, _ request: APIRequest) async throws -> HTTPResponse {
        let pools = try await network.pools(request)
        let servers = try await network.servers(of: [floatingIP], request)
        return .object { writer in
            writer.key("floating_ip")
            Self.write(&writer, floatingIP, pools, servers)
        }
    }

    // MARK: Handlers

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try context.requireProject()
        let floatingIPs = try await network.list([(name: "project_id", value: project.rawValue)], request)
        let pools = try await network.pools(request)
        let servers = try await network.servers(of: floatingIPs, request)
        return .object { writer in
            writer.array("floating_ips") { writer in
                for floatingIP in floatingIPs { Self.write(&writer, floatingIP, pools, servers) }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await answer(try await network.one(request.parameter("floating_ip_id"), request), request)
    }

    /// A body is not needed.
    private static func pool(_ bytes: [UInt8]) throws -> String? {
        guard !bytes.isEmpty else { return nil }
        let body: JSON
        do {
            body = try JSONReader.read(bytes)
        } catch {
            throw CloudError.badRequest("The server could not comply with the request: malformed JSON: \(error).")
        }
        if body.isNull { return nil }
        var reader = try ObjectReader(body, path: "body")
        let pool = try reader.nullableString("pool").flatMap { $0 }
        try reader.finish()
        return pool
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let wanted = try Self.pool(try await request.http.body.collect(limit: APIRequest.maximumBodyBytes))
        let pools = try await network.pools(request)
        let found = pools.filter { pool in
            wanted.map { pool["id"]?.string == $0 || pool["name"]?.string == $0 } ?? true
        }
        guard let pool = found.first, wanted != nil || found.count == 1 else {
            throw CloudError.notFound("Floating IP pool not found.", kind: "FloatingIpPoolNotFound")
        }
        do {
            let made = try await network.create(on: pool[shown: "id"], request)
            return try await answer(made, request)
        } catch let error as CloudError where error.code == .conflict {
            let place = wanted.map { " in pool \($0.prefix(64))" }
            guard error.kind == "OverQuota" else {
                throw CloudError.notFound("No more floating IPs\(place ?? " available").")
            }
            throw CloudError(.overQuota, "IP allocation over quota\(place ?? "").", kind: "FloatingIpLimitExceeded")
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let floatingIP = try await network.one(request.parameter("floating_ip_id"), request)
        try await network.delete(floatingIP, request)
        return HTTPResponse(status: 202)
    }

    private func pools(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        _ = try context.requireProject()
        let pools = try await network.pools(request)
        return .object { writer in
            writer.array("floating_ip_pools") { writer in
                for pool in pools {
                    writer.beginObject()
                    let name = pool["name"]?.string.flatMap { $0.isEmpty ? nil : $0 }
                    writer.field("name", name ?? pool["id"]?.string)
                    writer.endObject()
                }
            }
        }
    }
}

/// What the proxies ask Network of floating addresses.
struct FloatingIPNeighbour: Sendable {
    private static let path = "/network/v2.0/floatingips"
    let neighbours: Neighbours

    func list(_ query: [(name: String, value: String)], _ request: APIRequest) async throws -> [JSON] {
        try await neighbours.call(.get, Self.path, query: query, for: request)["floatingips"]?.array ?? []
    }

    func one(_ id: String, _ request: APIRequest) async throws -> JSON {
        let path = "\(Self.path)/\(Neighbours.segment(id))"
        guard !id.isEmpty, let found = try await neighbours.find(path, for: request)?["floatingip"] else {
            throw CloudError.notFound("Floating IP not found for ID \(id.prefix(64))")
        }
        return found
    }

    /// External networks.
    func pools(_ request: APIRequest) async throws -> [JSON] {
        try await neighbours.call(
            .get, "/network/v2.0/networks", query: [(name: "router:external", value: "True")], for: request)[
                "networks"]?.array ?? []
    }

    /// The server of each port.
    func servers(of floatingIPs: [JSON], _ request: APIRequest) async throws -> [String: String] {
        let ports = Set(floatingIPs.compactMap { $0["port_id"]?.string })
        guard !ports.isEmpty else { return [:] }
        let found = try await neighbours.call(
            .get, "/network/v2.0/ports", query: ports.sorted().map { (name: "id", value: $0) }, for: request)
        var servers: [String: String] = [:]
        for port in found["ports"]?.array ?? [] {
            guard let id = port["id"]?.string, let server = port["device_id"]?.string, !server.isEmpty else { continue }
            servers[id] = server
        }
        return servers
    }

    func create(on pool: JSON, _ request: APIRequest) async throws -> JSON {
        let made = try await neighbours.call(
            .post, Self.path, ["floatingip": ["floating_network_id": pool]], for: request)
        return made["floatingip"] ?? .null
    }

    func delete(_ floatingIP: JSON, _ request: APIRequest) async throws {
        try await neighbours.call(.delete, Self.path(of: floatingIP), for: request)
    }

    /// `port` null: to nowhere.
    func point(
        _ floatingIP: JSON, to port: JSON, fixedAddress: JSON? = nil, _ request: APIRequest
    ) async throws {
        var change: [String: JSON] = ["port_id": port]
        if let fixedAddress { change["fixed_ip_address"] = fixedAddress }
        try await neighbours.call(
            .put, Self.path(of: floatingIP), ["floatingip": .object(change)], for: request)
    }

    private static func path(of floatingIP: JSON) -> String {
        "\(path)/\(Neighbours.segment(floatingIP["id"]?.string ?? ""))"
    }
}
