// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import NetworkContract
import PolicyKit

/// Actions of servers that are about addresses. Until 2.43 floating and fixed ones could be given here: Network does it
/// (nova: floating_ips.py, multinic.py).
struct AddressActions: Sendable {
    let servers: ServerEngine
    let neighbours: Neighbours

    private static let names: Set<String> = ["addFloatingIp", "removeFloatingIp", "addFixedIp", "removeFixedIp"]

    private var network: FloatingIPNeighbour { FloatingIPNeighbour(neighbours: neighbours) }

    /// Nil: the action is none of these.
    func act(
        _ name: String, _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws -> HTTPResponse? {
        switch name {
        case "injectNetworkInfo":
            // Guests hear of their addresses from Network at all times: nothing is left to be told.
            _ = try await servers.server(id, for: context, as: "os_compute_api:os-admin-actions:inject_network_info")
            return HTTPResponse(status: 202)
        case "resetNetwork":
            _ = try await servers.server(id, for: context)
            return RemovedRoutes.gone
        default: break
        }
        guard Self.names.contains(name) else { return nil }
        guard !context.has(44) else {
            _ = try await servers.server(id, for: context)
            throw CloudError.notFound("The resource could not be found.")
        }
        switch name {
        case "addFloatingIp": try await addFloatingIP(id, value, request, context)
        case "removeFloatingIp": try await removeFloatingIP(id, value, request, context)
        case "addFixedIp": try await addFixedIP(id, value, request, context)
        default: try await removeFixedIP(id, value, request, context)
        }
        return HTTPResponse(status: 202)
    }

    private func ports(of server: Server) async throws -> [ServerPort] {
        try await servers.ports(of: server)[server.id.rawValue] ?? []
    }

    // MARK: Floating addresses

    private static func address(_ reader: inout ObjectReader, _ key: String) throws -> String {
        let text = try reader.requiredString(key, 1...64)
        guard let address = IPAddress(text), !address.isIPv6 else {
            throw reader.invalid(key, .string(text), "is not a 'ipv4'")
        }
        return text
    }

    private func floatingIP(_ address: String, _ request: APIRequest) async throws -> JSON {
        let found = try await network.list([(name: "floating_ip_address", value: address)], request)
        guard let first = found.first else { throw CloudError.notFound("floating IP not found") }
        return first
    }

    private func addFloatingIP(
        _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws {
        let server = try await servers.server(id, for: context, as: "os_compute_api:os-floating-ips:add")
        var reader = try ObjectReader(value, path: "addFloatingIp")
        let address = try Self.address(&reader, "address")
        let wanted = reader.has("fixed_address") ? try Self.address(&reader, "fixed_address") : nil
        try reader.finish()
        let ports = try await ports(of: server)
        let fixed = ports.flatMap { port in port.fixedAddresses.map { (port: port.id, address: $0.address) } }
        guard !fixed.isEmpty else { throw CloudError.badRequest("No fixed IPs associated to instance") }
        let target = fixed.first { entry in wanted.map { $0 == entry.address } ?? !entry.address.contains(":") }
        guard let target else {
            throw CloudError.badRequest(
                wanted != nil
                    ? "Specified fixed address not assigned to instance"
                    : "Unable to associate floating IP \(address) to any fixed IPs for instance \(server.id). Instance "
                        + "has no fixed IPv4 addresses to associate.")
        }
        let floatingIP = try await floatingIP(address, request)
        do {
            try await network.point(
                floatingIP, to: .string(target.port.rawValue), fixedAddress: .string(target.address), request)
        } catch let error as CloudError where error.code == .conflict {
            throw CloudError.badRequest("floating IP is already associated")
        }
    }

    private func removeFloatingIP(
        _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws {
        let server = try await servers.server(id, for: context, as: "os_compute_api:os-floating-ips:remove")
        var reader = try ObjectReader(value, path: "removeFloatingIp")
        let address = try Self.address(&reader, "address")
        try reader.finish()
        let floatingIP = try await floatingIP(address, request)
        let port = floatingIP["port_id"]?.string
        guard let port, try await ports(of: server).contains(where: { $0.id.rawValue == port }) else {
            throw CloudError.conflict(
                "Floating IP \(address) is not associated with instance \(server.id).")
        }
        try await network.point(floatingIP, to: .null, request)
    }

    // MARK: Fixed addresses

    private func addFixedIP(
        _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws {
        let server = try await servers.server(id, for: context, as: "os_compute_api:os-multinic:add")
        var reader = try ObjectReader(value, path: "addFixedIp")
        let network = try reader.requiredString("networkId", 1...255)
        try reader.finish()
        guard let port = try await ports(of: server).first(where: { $0.network.rawValue == network }) else {
            throw CloudError.badRequest("Network not found for id \(network.prefix(64))")
        }
        // Where it has an address already, as upstream.
        guard let subnet = port.fixedAddresses.first?.subnet else {
            throw CloudError.badRequest("No fixed IP addresses available for network: \(network.prefix(64))")
        }
        try await setAddresses(
            of: port, port.fixedAddresses.map(Self.fixed) + [["subnet_id": .string(subnet.rawValue)]], request)
    }

    private func removeFixedIP(
        _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws {
        let server = try await servers.server(id, for: context, as: "os_compute_api:os-multinic:remove")
        var reader = try ObjectReader(value, path: "removeFixedIp")
        let text = try reader.requiredString("address", 1...64)
        try reader.finish()
        guard let address = IPAddress(text)?.description else {
            throw reader.invalid("address", .string(text), "is not a valid IP address")
        }
        let ports = try await ports(of: server)
        guard let port = ports.first(where: { $0.fixedAddresses.contains { $0.address == address } }) else {
            throw CloudError.badRequest(
                "Fixed IP \(address) is not associated with instance \(server.id).",
                kind: "FixedIpNotFoundForInstance")
        }
        try await setAddresses(
            of: port, port.fixedAddresses.filter { $0.address != address }.map(Self.fixed), request)
    }

    private static func fixed(_ address: ServerPort.FixedAddress) -> JSON {
        ["subnet_id": .string(address.subnet.rawValue), "ip_address": .string(address.address)]
    }

    private func setAddresses(of port: ServerPort, _ addresses: [JSON], _ request: APIRequest) async throws {
        do {
            try await neighbours.call(
                .put, "/network/v2.0/ports/\(Neighbours.segment(port.id.rawValue))",
                ["port": ["fixed_ips": .array(addresses)]], for: request)
        } catch let error as CloudError where error.code == .conflict {
            throw CloudError.badRequest(error.message)
        }
    }
}
