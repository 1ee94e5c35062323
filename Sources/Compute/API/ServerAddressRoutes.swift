// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import NetworkContract
import PolicyKit

/// What a server has of networks: /v2.1/servers/{id}/ips and /os-interface.
struct ServerAddressRoutes: Sendable {
    let servers: ServerEngine
    private var cards: ServerInterfaceEngine { ServerInterfaceEngine(servers) }

    init(servers: ServerEngine) { self.servers = servers }

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/servers/{server_id}"
        routes.add(.get, path + "/ips", object: "os_compute_api:ips:index", index)
        routes.add(.get, path + "/ips/{network}", object: "os_compute_api:ips:show", show)
        routes.add(.get, path + "/os-interface", object: "os_compute_api:os-attach-interfaces:list", interfaces)
        routes.add(
            .get, path + "/os-interface/{port_id}", object: "os_compute_api:os-attach-interfaces:show", interface)
        routes.add(.post, path + "/os-interface", object: "os_compute_api:os-attach-interfaces:create", attach)
        routes.add(
            .delete, path + "/os-interface/{port_id}", object: "os_compute_api:os-attach-interfaces:delete", detach)
        routes.add(.get, path + "/os-server-password", object: "os_compute_api:os-server-password:show", password)
        routes.add(
            .delete, path + "/os-server-password", object: "os_compute_api:os-server-password:clear", clearPassword)
    }

    private func ports(_ request: APIRequest, _ context: CallContext) async throws -> (Server, [ServerPort]) {
        let server = try await servers.server(request.id("server_id"), for: context)
        return (server, try await servers.ports(of: server)[server.id.rawValue] ?? [])
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (_, ports) = try await ports(request, context)
        return .object { writer in
            writer.object("addresses") { ServerView.networks(&$0, ports, isExtended: false) }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (_, ports) = try await ports(request, context)
        let name = request.parameter("network")
        let own = ports.filter { $0.networkName == name }
        guard !own.isEmpty else { throw CloudError.notFound("Instance is not a member of specified network") }
        return .object { ServerView.networks(&$0, own, isExtended: false) }
    }

    private func interfaces(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (server, ports) = try await ports(request, context)
        let tags = try await tags(of: server, context)
        return .object { writer in
            writer.array("interfaceAttachments") { writer in
                for port in ports { Self.interface(&writer, port, tags) }
            }
        }
    }

    private func interface(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (server, ports) = try await ports(request, context)
        let id = request.parameter("port_id")
        guard let port = ports.first(where: { $0.id.rawValue == id }) else {
            throw CloudError.notFound("Instance \(server.id) does not have a port with id \(id.prefix(64))")
        }
        let tags = try await tags(of: server, context)
        return .object { writer in
            writer.key("interfaceAttachment")
            Self.interface(&writer, port, tags)
        }
    }

    private func attach(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let wanted = try Self.wanted(try await request.json(), context)
        let port = try await cards.attach(request.id("server_id"), wanted, for: context)
        let tags: JSON? = context.has(70) ? .object(wanted.tag.map { [port.id.rawValue: .string($0)] } ?? [:]) : nil
        return .object { writer in
            writer.key("interfaceAttachment")
            Self.interface(&writer, port, tags)
        }
    }

    /// The body may be empty of all: the caller's one network is meant (nova: attach_interfaces.py).
    private static func wanted(_ body: JSON, _ context: CallContext) throws -> ServerInterfaceEngine.AttachRequest {
        var wanted = ServerInterfaceEngine.AttachRequest()
        var outer = try ObjectReader(body, path: "body")
        let inner = try outer.object("interfaceAttachment")
        try outer.finish()
        guard var reader = inner else { return wanted }
        wanted.network = try reader.string("net_id").map { ID(try ComputeWire.uuid($0, "net_id")) }
        wanted.port = try reader.nullableString("port_id").flatMap { $0 }.map {
            ID(try ComputeWire.uuid($0, "port_id"))
        }
        if let list = try reader.array("fixed_ips", 1...1), let first = list.first {
            var entry = try ObjectReader(first, path: "fixed_ips")
            let text = try entry.requiredString("ip_address")
            try entry.finish()
            guard let address = IPAddress(text) else {
                throw entry.invalid("ip_address", .string(text), "is not valid under any of the given schemas")
            }
            wanted.fixedAddress = address.description
        }
        if context.has(49) { wanted.tag = try ServerVolumeRoutes.tag(&reader) }
        try reader.finish()
        guard wanted.network == nil || wanted.port == nil else {
            throw CloudError.badRequest("Must not input both network_id and port_id")
        }
        guard wanted.fixedAddress == nil || wanted.network != nil else {
            throw CloudError.badRequest("Must input network_id when request IP address")
        }
        return wanted
    }

    private func detach(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await cards.detach(request.id("server_id"), request.id("port_id"), for: context)
        return HTTPResponse(status: 202)
    }

    /// By port id; nil before 2.70, which shows none.
    private func tags(of server: Server, _ context: CallContext) async throws -> JSON? {
        guard context.has(70), let extras = try await servers.extras(of: server) else { return nil }
        return try JSONReader.read(extras.networkTags)
    }

    private static func interface(_ writer: inout JSONWriter, _ port: ServerPort, _ tags: JSON?) {
        writer.beginObject()
        writer.field("net_id", port.network.rawValue)
        writer.field("port_id", port.id.rawValue)
        writer.field("mac_addr", port.macAddress)
        writer.field("port_state", port.isUp ? "ACTIVE" : "DOWN")
        writer.array("fixed_ips") { writer in
            for fixed in port.fixedAddresses {
                writer.beginObject()
                writer.field("subnet_id", fixed.subnet.rawValue)
                writer.field("ip_address", fixed.address)
                writer.endObject()
            }
        }
        if let tags { writer.field("tag", tags[port.id.rawValue]?.string) }
        writer.endObject()
    }

    private func password(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        let extras = try await servers.extras(of: server)
        return .object { $0.field("password", extras?.guestPassword ?? "") }
    }

    private func clearPassword(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await servers.clearPassword(request.id("server_id"), for: context)
        return .noContent()
    }
}
