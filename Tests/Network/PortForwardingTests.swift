// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: ports of a floating IP lead to several places, none of them to two, and the router knows.
/// Method: a router with a gateway and two guests; the API, and what the fake data plane holds.
@Suite("Port forwarding")
struct PortForwardingTests {
    private struct Cloud {
        var world: NetworkWorld
        var external: String
        var subnet: String
        var router: String
        var ports: [JSON]
        var floating: String

        var path: String { "floatingips/\(floating)/port_forwardings" }
    }

    private func makeCloud() async throws -> Cloud {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal().network
        let (network, subnet) = try await world.makeNetwork()
        let router = try await world.make(
            "router", ["external_gateway_info": ["network_id": .string(external)]]
        ).id
        _ = try await world.call(.put, "routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
        var ports: [JSON] = []
        for _ in 0..<2 { ports.append(try await world.make("port", ["network_id": .string(network)])) }
        let floating = try await world.make("floatingip", ["floating_network_id": .string(external)]).id
        return Cloud(
            world: world, external: external, subnet: subnet, router: router, ports: ports, floating: floating)
    }

    private func forward(
        _ cloud: Cloud, _ external: JSON, to internalPort: JSON, of port: Int = 0, _ more: [String: JSON] = [:]
    ) async throws -> NetworkWorld.Answer {
        var body: [String: JSON] = [
            "internal_port_id": .string(cloud.ports[port].id), "external_port": external, "protocol": "tcp",
            "internal_port": internalPort, "internal_ip_address": .string(cloud.ports[port].firstAddress),
        ]
        for (key, value) in more { body[key] = value == .null ? nil : value }
        return try await cloud.world.call(.post, cloud.path, ["port_forwarding": .object(body)])
    }

    @Test("a floating IP forwards a bounded number of ports of each protocol")
    func bound() async throws {
        let cloud = try await makeCloud()
        func range(_ first: Int, _ name: String) async throws -> NetworkWorld.Answer {
            let ports = JSON.string("\(first):\(first + 4095)")
            return try await forward(
                cloud, .null, to: .null,
                ["external_port_range": ports, "internal_port_range": ports, "protocol": .string(name)])
        }
        #expect(try await range(1, "tcp").status == 201)
        #expect(try await range(5001, "tcp").status == 201)
        #expect(try await range(10_001, "tcp").status == 400)
        #expect(try await range(10_001, "udp").status == 201)
    }

    @Test("made, shown, changed, removed; the floating IP tells of it and stays")
    func life() async throws {
        let cloud = try await makeCloud()
        let world = cloud.world
        let made = try await forward(cloud, 2222, to: 22)
        #expect(made.status == 201)
        #expect(made["port_forwarding", "external_port_range"] == "2222:2222")
        let id = try made.string("port_forwarding", "id")
        #expect(try await world.get("\(cloud.path)/\(id)")["port_forwarding"] == made["port_forwarding"])
        #expect(
            try await world.get(cloud.path)["port_forwardings"]?.array == [made["port_forwarding"]].compactMap { $0 })
        #expect(try await world.get("\(cloud.path)/\(id)", as: .other).status == 404)
        let shown = try await world.get("floatingips/\(cloud.floating)")["floatingip"]
        #expect(shown?["status"] == "ACTIVE" && shown?["router_id"] == .string(cloud.router))
        #expect(
            shown?["port_forwardings"]?.array == [
                [
                    "id": .string(id), "protocol": "tcp", "internal_port": 22, "external_port": 2222,
                    "internal_ip_address": .string(cloud.ports[0].firstAddress),
                    "internal_port_id": .string(cloud.ports[0].id),
                ]
            ])
        try await world.project()
        let address = shown?["floating_ip_address"]?.string ?? ""
        #expect(
            world.logicalRouter(cloud.router)?.portForwardings == [
                .init(
                    floatingIP: FloatingIPID(cloud.floating), address: address, protocolName: "tcp",
                    targets: [2222: "\(cloud.ports[0].firstAddress):22"])
            ])
        let changed = try await world.call(
            .put, "\(cloud.path)/\(id)", ["port_forwarding": ["internal_port": 33, "description": "d"]])
        #expect(
            changed["port_forwarding", "internal_port"] == 33 && changed["port_forwarding", "external_port"] == 2222)
        let held = try await world.call(.delete, "floatingips/\(cloud.floating)")
        #expect(held.fault == "FipInUseByPortForwarding" && held.status == 409)
        let pointed = try await world.call(
            .put, "floatingips/\(cloud.floating)", ["floatingip": ["port_id": .string(cloud.ports[1].id)]])
        #expect(pointed.fault == "FipInUseByPortForwarding")
        #expect(try await world.call(.delete, "\(cloud.path)/\(id)").status == 204)
        #expect(try await world.get("\(cloud.path)/\(id)").fault == "PortForwardingNotFound")
        try await world.project()
        #expect(world.logicalRouter(cloud.router)?.portForwardings == [])
        #expect(try await world.get("floatingips/\(cloud.floating)")["floatingip", "status"] == "DOWN")
        #expect(try await world.call(.delete, "floatingips/\(cloud.floating)").status == 204)
    }

    @Test("ranges: as many inside as outside, or one for all")
    func ranges() async throws {
        let cloud = try await makeCloud()
        func range(_ outside: JSON, _ inside: JSON, port: Int = 0) async throws -> NetworkWorld.Answer {
            try await forward(
                cloud, .null, to: .null, of: port,
                [
                    "external_port": .null, "internal_port": .null, "external_port_range": outside,
                    "internal_port_range": inside,
                ])
        }
        let made = try await range("80:82", "8080:8082")
        #expect(made.status == 201)
        #expect(made["port_forwarding", "external_port"] == .null)
        #expect(made["port_forwarding", "internal_port_range"] == "8080:8082")
        #expect(try await range("90:93", "99", port: 1).status == 201)
        #expect(try await range("100:101", "200:205").status == 400)
        #expect(try await range("70:60", "1:2").status == 400)
        #expect(try await range("0:1", "1:2").status == 400)
        #expect(try await range("82:84", "1000:1002").status == 400)
        try await cloud.world.project()
        let (first, second) = (cloud.ports[0].firstAddress, cloud.ports[1].firstAddress)
        #expect(
            cloud.world.logicalRouter(cloud.router)?.portForwardings.first?.targets == [
                80: "\(first):8080", 81: "\(first):8081", 82: "\(first):8082", 90: "\(second):99", 91: "\(second):99",
                92: "\(second):99", 93: "\(second):99",
            ])
    }

    @Test("what collides, and what has a floating IP already")
    func refusals() async throws {
        let cloud = try await makeCloud()
        let world = cloud.world
        #expect(try await forward(cloud, 1, to: 11).status == 201)
        #expect(try await forward(cloud, 1, to: 12, of: 1).status == 400)
        #expect(try await forward(cloud, 2, to: 11).status == 400)
        #expect(try await forward(cloud, 1, to: 11, of: 1, ["protocol": "udp"]).status == 201)
        #expect(try await forward(cloud, 70_000, to: 11).status == 400)
        #expect(try await forward(cloud, 3, to: 11, ["protocol": "gre"]).status == 400)
        #expect(try await forward(cloud, 3, to: 13, ["internal_ip_address": "10.0.0.77"]).status == 400)
        let missing = "00000000-0000-4000-8000-000000000001"
        #expect(try await forward(cloud, 3, to: 13, ["internal_port_id": .string(missing)]).status == 404)
        let third = try await world.make("port", ["network_id": cloud.ports[0]["network_id"] ?? .null])
        let tied = try await world.make(
            "floatingip", ["floating_network_id": .string(cloud.external), "port_id": .string(third.id)]
        ).id
        let body: JSON = ["internal_port_id": .string(third.id), "internal_ip_address": .string(third.firstAddress)]
        #expect(try await forward(cloud, 4, to: 14, body.object ?? [:]).fault == "PortHasBindingFloatingIP")
        let other = try await world.call(
            .post, "floatingips/\(tied)/port_forwardings",
            [
                "port_forwarding": [
                    "internal_port_id": .string(cloud.ports[0].id), "external_port": 5, "internal_port": 15,
                    "protocol": "tcp",
                ]
            ])
        #expect(other.fault == "FloatingIPPortAlreadyAssociated")
        let far = try await world.makeNetwork("10.5.0.0/24").network
        let apart = try await world.make("port", ["network_id": .string(far)])
        let unreachable: JSON = [
            "internal_port_id": .string(apart.id), "internal_ip_address": .string(apart.firstAddress),
        ]
        #expect(try await forward(cloud, 6, to: 16, unreachable.object ?? [:]).status == 400)
        let detach = try await world.call(
            .put, "routers/\(cloud.router)/remove_router_interface", ["subnet_id": .string(cloud.subnet)])
        #expect(detach.fault == "RouterInterfaceInUseByFloatingIP")
    }

    @Test("a guest that goes takes its forwardings along")
    func portGoes() async throws {
        let cloud = try await makeCloud()
        _ = try await forward(cloud, 1, to: 11)
        _ = try await forward(cloud, 2, to: 22, of: 1)
        #expect(try await cloud.world.call(.delete, "ports/\(cloud.ports[0].id)").status == 204)
        #expect(try await cloud.world.get(cloud.path)["port_forwardings"]?.array?.count == 1)
        #expect(try await cloud.world.call(.delete, "ports/\(cloud.ports[1].id)").status == 204)
        try await cloud.world.project()
        #expect(cloud.world.logicalRouter(cloud.router)?.portForwardings == [])
        #expect(try await cloud.world.get("floatingips/\(cloud.floating)")["floatingip", "router_id"] == .null)
    }
}
