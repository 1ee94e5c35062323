// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

@testable import NetworkDriverOVN

/// Goal: a router has several gateways, of which the first is the one that old clients know.
/// Method: the API on the fake data plane, and what OVN makes of such a router.
@Suite("Routers with several gateways")
struct ExtraGatewayTests {
    private func change(
        _ verb: String, _ router: String, _ gateways: [JSON], _ world: NetworkWorld,
        as user: NetworkWorld.User = .admin
    ) async throws -> NetworkWorld.Answer {
        try await world.call(
            .put, "routers/\(router)/\(verb)_external_gateways", ["router": ["external_gateways": .array(gateways)]],
            as: user)
    }

    private func gateways(_ answer: NetworkWorld.Answer) -> [JSON] {
        answer["router", "external_gateways"]?.array ?? []
    }

    @Test("added, changed and removed; the next becomes the first")
    func gateways() async throws {
        let world = try await NetworkWorld()
        let external: JSON = .string(try await world.makeExternal().network)
        let router = try await world.make("router", [:])
        #expect(router["external_gateways"] == [] && router["enable_default_route_ecmp"] == false)
        let one: JSON = ["network_id": external, "enable_snat": false]
        let three = try await change("add", router.id, [one, one, one], world)
        #expect(three.status == 200 && gateways(three).count == 3)
        #expect(Set(gateways(three).map { $0.text() }).count == 3)
        let first = three["router", "external_gateway_info", "external_fixed_ips"]
        #expect(first == gateways(three).first?["external_fixed_ips"])

        let two = try await change("remove", router.id, [gateways(three)[2]], world, as: .demo)
        #expect(gateways(two) == Array(gateways(three).prefix(2)))
        let wanted = [gateways(two)[0], gateways(three)[2]]
        let changed = try await change("update", router.id, wanted, world)
        #expect(gateways(changed) == wanted)
        #expect(
            try await change("remove", router.id, [["network_id": external]], world).fault
                == "UnableToMatchGateways")

        // As the stock client does before it takes the first one away.
        let none = try await world.call(
            .put, "routers/\(router.id)/remove_external_gateways", ["router": ["external_gateways": [:]]], as: .admin)
        #expect(none.status == 200 && gateways(none) == wanted)

        let promoted = try await change("remove", router.id, [wanted[0]], world)
        #expect(gateways(promoted) == [wanted[1]])
        #expect(
            promoted["router", "external_gateway_info", "external_fixed_ips"] == wanted[1]["external_fixed_ips"])
        #expect(try await world.call(.delete, "routers/\(router.id)").status == 204)
    }

    @Test("a gateway that stays is one gateway, however often its network is asked for")
    func sameNetwork() async throws {
        let world = try await NetworkWorld()
        let external: JSON = .string(try await world.makeExternal().network)
        let router = try await world.make("router", [:])
        let one: JSON = ["network_id": external]
        #expect(gateways(try await change("add", router.id, [one, one], world)).count == 2)
        let first = try #require(gateways(try await world.get("routers/\(router.id)")).first)
        #expect(gateways(try await change("update", router.id, [first, one, one], world)).count == 3)
    }

    @Test("default routes go by the first gateway, or by all that answer")
    func routes() async throws {
        let world = try await NetworkWorld()
        let external: JSON = .string(try await world.makeExternal().network)
        let router = try await world.make("router", [:]).id
        for _ in 0..<2 { #expect(try await change("add", router, [["network_id": external]], world).status == 200) }
        try await world.project()
        #expect(world.logicalRouter(router)?.routes.count == 1)
        #expect(world.logicalRouter(router)?.interfaces.filter(\.isGateway).count == 2)
        let both: JSON = ["router": ["enable_default_route_ecmp": true, "enable_default_route_bfd": true]]
        #expect(try await world.call(.put, "routers/\(router)", both).status == 403)
        #expect(try await world.call(.put, "routers/\(router)", both, as: .admin).status == 200)
        try await world.project()
        let logical = try #require(world.logicalRouter(router))
        #expect(logical.routes.count == 2 && logical.routes.allSatisfy(\.isWatched))
        #expect(Set(logical.routes.compactMap(\.output)).count == 2)

        let translation = OVNTranslation(
            world: OVNWorld([.router(logical)]), configuration: OVNConfiguration(northbound: [], southbound: []))
        let rows = translation.rows(logical)
        #expect(rows.filter { $0.key.table == .bfd }.count == 2)
        let routes = rows.filter { $0.key.table == .staticRoute }
        #expect(Set(routes.map(\.key)).count == 2)
        #expect(routes.allSatisfy { $0.references["bfd"]?.count == 1 })
    }

    @Test("a floating IP finds the gateway on its own network")
    func floatingIP() async throws {
        let world = try await NetworkWorld()
        let first = try await world.makeExternal().network
        let second = try await world.make("network", ["name": "other", "router:external": true], as: .admin).id
        _ = try await world.make(
            "subnet", ["network_id": .string(second), "cidr": "198.51.100.0/24", "ip_version": 4], as: .admin)
        let router = try await world.make("router", [:]).id
        let both: [JSON] = [["network_id": .string(first)], ["network_id": .string(second)]]
        #expect(try await change("add", router, both, world).status == 200)
        let (network, subnet) = try await world.makeNetwork()
        let interface: JSON = ["subnet_id": .string(subnet)]
        #expect(try await world.call(.put, "routers/\(router)/add_router_interface", interface).status == 200)
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let floating = try await world.make(
            "floatingip", ["floating_network_id": .string(second), "port_id": .string(port)])
        #expect(floating["router_id"]?.string == router)
        try await world.project()
        let logical = try #require(world.logicalRouter(router))
        let place = logical.interfaces.first { $0.network.rawValue == second }?.port
        #expect(place != nil && logical.floatingAddresses.first?.gateway == place)
        #expect(
            try await change("remove", router, [["network_id": .string(second)]], world).fault
                == "RouterExternalGatewayInUseByFloatingIp")
    }

    @Test("every router is highly available, and only administrators see it")
    func availability() async throws {
        let world = try await NetworkWorld()
        #expect(try await world.call(.post, "routers", ["router": ["ha": true]]).status == 403)
        let router = try await world.make("router", ["ha": true], as: .admin)
        #expect(router["ha"] == true && router["enable_snat"] == true)
        #expect(try await world.call(.post, "routers", ["router": ["ha": false]], as: .admin).status == 400)
        #expect(try await world.make("router", [:])["ha"] == nil)
    }
}
