// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: routers refuse what cannot work, and tell the data plane the rest.
@Suite("Routers and floating IPs")
struct RouterTests {
    private func attach(_ world: NetworkWorld, _ router: String, _ subnet: String) async throws -> NetworkWorld.Answer {
        try await world.call(.put, "routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
    }

    @Test("interfaces by subnet and by port")
    func interfaces() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork()
        let router = try await world.make("router", [:]).id
        #expect(try await attach(world, router, subnet).status == 200)
        #expect(try await attach(world, router, subnet).status == 400)
        let other = try await world.makeNetwork("10.0.0.128/25")
        #expect(try await attach(world, router, other.subnet).fault == "BadRequest")
        let far = try await world.makeNetwork("10.0.5.0/24")
        let port = try await world.make("port", ["network_id": .string(far.network)])
        let byPort = try await world.call(
            .put, "routers/\(router)/add_router_interface", ["port_id": .string(port.id)])
        #expect(byPort.status == 200)
        #expect(try await world.get("ports/\(port.id)")["port", "device_owner"] == "network:router_interface")
        #expect(try await world.call(.delete, "ports/\(port.id)").fault == "ServicePortInUse")
        try await world.project()
        #expect(world.logicalPort(port.id)?.kind == .router(RouterID(router)))
        #expect(
            world.logicalRouter(router)?.interfaces.flatMap(\.addresses).sorted()
                == ["10.0.0.1/24", "\(port.firstAddress)/24"])
        let wrong = try await world.call(
            .put, "routers/\(router)/remove_router_interface", ["subnet_id": .string(other.subnet)])
        #expect(wrong.fault == "RouterInterfaceNotFoundForSubnet")
        #expect(
            try await world.call(.put, "routers/\(router)/remove_router_interface", ["port_id": .string(port.id)])
                .status
                == 200)
        #expect(try await world.get("ports/\(port.id)").status == 404)
        #expect(try await world.call(.put, "routers/\(router)/add_router_interface", [:]).status == 400)
        _ = network
    }

    @Test("extra routes need a neighbour; atomic edits keep the rest")
    func routes() async throws {
        let world = try await NetworkWorld()
        let (_, subnet) = try await world.makeNetwork()
        let router = try await world.make("router", [:]).id
        _ = try await attach(world, router, subnet)
        let path = "routers/\(router)"
        func set(_ hop: String) async throws -> NetworkWorld.Answer {
            try await world.call(
                .put, path, ["router": ["routes": [["destination": "10.7.0.0/16", "nexthop": .string(hop)]]]])
        }
        #expect(try await set("192.168.0.1").fault == "InvalidRoutes")
        #expect(try await set("10.0.0.1").fault == "InvalidRoutes")
        #expect(try await set("10.0.0.9").status == 200)
        let more: JSON = ["router": ["routes": [["destination": "10.8.0.0/16", "nexthop": "10.0.0.9"]]]]
        #expect(try await world.call(.put, path + "/add_extraroutes", more)["router", "routes"]?.array?.count == 2)
        #expect(try await world.call(.put, path + "/add_extraroutes", more)["router", "routes"]?.array?.count == 2)
        #expect(try await world.call(.put, path + "/remove_extraroutes", more)["router", "routes"]?.array?.count == 1)
        try await world.project()
        #expect(
            world.logicalRouter(router)?.routes == [
                .init(destination: "10.7.0.0/16", nextHop: "10.0.0.9", isDefault: false)
            ])
        #expect(
            try await world.call(.put, path + "/remove_router_interface", ["subnet_id": .string(subnet)]).fault
                == "RouterInterfaceInUseByRoute")
    }

    @Test("the gateway: SNAT off, address chosen, taken away")
    func gateway() async throws {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal()
        let (network, subnet) = try await world.makeNetwork()
        let router = try await world.make("router", [:]).id
        _ = try await attach(world, router, subnet)
        let path = "routers/\(router)"
        func set(_ info: JSON, as user: NetworkWorld.User = .admin) async throws -> NetworkWorld.Answer {
            try await world.call(.put, path, ["router": ["external_gateway_info": info]], as: user)
        }
        #expect(try await set(["network_id": .string(network)]).fault == "BadRequest")
        let chosen = try await set([
            "network_id": .string(external.network), "enable_snat": false,
            "external_fixed_ips": [["ip_address": "172.24.4.99"]],
        ])
        #expect(chosen["router", "external_gateway_info", "enable_snat"] == false)
        #expect(
            chosen["router", "external_gateway_info", "external_fixed_ips"]?.array?.first?["ip_address"]
                == "172.24.4.99")
        try await world.project()
        #expect(world.logicalRouter(router)?.snatAddress == nil)
        #expect(
            try await set(["network_id": .string(external.network), "enable_snat": false], as: .demo).status == 403)
        #expect(try await set([:])["router", "external_gateway_info"] == .null)
        try await world.project()
        #expect(world.logicalRouter(router)?.routes == [])
    }

    @Test("floating IPs: unreachable, twice, moved, chosen")
    func floatingIPs() async throws {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal()
        let (network, subnet) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let body: JSON = [
            "floatingip": ["floating_network_id": .string(external.network), "port_id": .string(port)]
        ]
        #expect(try await world.call(.post, "floatingips", body).fault == "ExternalGatewayForFloatingIPNotFound")
        let router = try await world.make(
            "router", ["external_gateway_info": ["network_id": .string(external.network)]]
        ).id
        _ = try await attach(world, router, subnet)
        let first = try #require(try await world.call(.post, "floatingips", body)["floatingip"])
        #expect(try await world.call(.post, "floatingips", body).fault == "FloatingIPPortAlreadyAssociated")
        let used = try await world.get("floatingips")["floatingips"]?.array?.count
        #expect(used == 1)
        let second = try await world.make("port", ["network_id": .string(network)]).id
        let moved = try await world.call(.put, "floatingips/\(first.id)", ["floatingip": ["port_id": .string(second)]])
        #expect(moved["floatingip", "port_id"]?.string == second)
        try await world.project()
        #expect(world.logicalRouter(router)?.floatingAddresses.map(\.port) == [PortID(second)])
        let off = try await world.call(.put, "floatingips/\(first.id)", ["floatingip": ["port_id": nil]])
        #expect(off["floatingip", "status"] == "DOWN")
        try await world.project()
        #expect(world.logicalRouter(router)?.floatingAddresses == [])
        let wanted: JSON = [
            "floatingip": ["floating_network_id": .string(external.network), "floating_ip_address": "172.24.4.200"]
        ]
        #expect(try await world.call(.post, "floatingips", wanted).status == 403)
        #expect(
            try await world.call(.post, "floatingips", wanted, as: .admin)["floatingip", "floating_ip_address"]
                == "172.24.4.200")
        #expect(
            try await world.call(.post, "floatingips", ["floatingip": ["floating_network_id": .string(network)]]).fault
                == "BadRequest")
    }

    @Test("nobody takes the gateway's address of a network that is shared with everybody")
    func sharedNetwork() async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", ["shared": true], as: .admin).id
        let subnet = try await world.make(
            "subnet", ["network_id": .string(network), "cidr": "10.9.0.0/24", "ip_version": 4], as: .admin
        ).id
        let router = try await world.make("router", [:]).id
        #expect(try await attach(world, router, subnet).status == 400)
        let grant: JSON = [
            "object_type": "network", "object_id": .string(network), "action": "access_as_shared",
            "target_tenant": "p-demo",
        ]
        _ = try await world.make("rbac_policy", grant, as: .admin)
        #expect(try await attach(world, router, subnet).status == 200)
    }

    @Test("IPv6 subnets of one network share one interface")
    func ipv6() async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", [:]).id
        var subnets: [String] = []
        for cidr in ["2001:db8:1::/64", "2001:db8:2::/64"] {
            subnets.append(
                try await world.make(
                    "subnet",
                    [
                        "network_id": .string(network), "cidr": .string(cidr), "ip_version": 6, "ipv6_ra_mode": "slaac",
                        "ipv6_address_mode": "slaac",
                    ]
                ).id)
        }
        let router = try await world.make("router", [:]).id
        let first = try await attach(world, router, subnets[0])
        let second = try await attach(world, router, subnets[1])
        #expect(try first.string("port_id") == second.string("port_id"))
        try await world.project()
        let interface = try #require(world.logicalRouter(router)?.interfaces.first)
        #expect(interface.addresses == ["2001:db8:1::1/64", "2001:db8:2::1/64"])
        #expect(interface.ipv6Mode == "slaac")
        let removed = try await world.call(
            .put, "routers/\(router)/remove_router_interface", ["subnet_id": .string(subnets[0])])
        #expect(removed.status == 200)
        try await world.project()
        #expect(world.logicalRouter(router)?.interfaces.first?.addresses == ["2001:db8:2::1/64"])
    }

    @Test("an empty change points a floating IP nowhere; any other leaves it")
    func blankUpdate() async throws {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal()
        let (network, subnet) = try await world.makeNetwork()
        let router = try await world.make(
            "router", ["external_gateway_info": ["network_id": .string(external.network)]]
        ).id
        _ = try await attach(world, router, subnet)
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let floating = try await world.make(
            "floatingip", ["floating_network_id": .string(external.network), "port_id": .string(port)]
        ).id
        let path = "floatingips/\(floating)"
        let described = try await world.call(.put, path, ["floatingip": ["description": "x"]])
        #expect(described["floatingip", "port_id"]?.string == port)
        #expect(try await world.call(.put, path, ["floatingip": [:]])["floatingip", "port_id"] == .null)
        #expect(try await world.call(.delete, "ports/\(port)").status == 204)
    }
}
