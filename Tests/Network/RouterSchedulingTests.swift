// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

@testable import NetworkDriverOVN

/// Goal: operators see which hosts carry a router's gateway, and can keep a host from it.
/// Method: the API on the fake data plane with one host, and OVN's rows for a router with two.
@Suite("Routers on agents")
struct RouterSchedulingTests {
    @Test("listed both ways, taken from an agent and given back")
    func schedule() async throws {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal().network
        let router = try await world.make(
            "router", ["external_gateway_info": ["network_id": .string(external)]]
        ).id
        try await world.project()
        let agents = try await world.get("routers/\(router)/l3-agents", as: .admin)["agents"]?.array ?? []
        let agent = try #require(agents.first?.id)
        #expect(agents.count == 1 && agents.first?["agent_type"] == "OVN Controller Gateway agent")
        let path = "agents/\(agent)/l3-routers"
        func routers() async throws -> [String] {
            try await world.get(path, as: .admin)["routers"]?.array?.map(\.id) ?? []
        }
        #expect(try await routers() == [router])
        let body: JSON = ["router_id": .string(router)]
        #expect(try await world.call(.post, path, body, as: .admin).fault == "RouterHostedByL3Agent")

        #expect(try await world.call(.delete, "\(path)/\(router)", as: .admin).status == 204)
        #expect(try await routers() == [])
        #expect(
            try await world.call(.delete, "\(path)/\(router)", as: .admin).fault == "RouterNotHostedByL3Agent")
        try await world.project()
        #expect(world.logicalRouter(router)?.excludedChassis == [agent])
        #expect(try await world.call(.post, path, body, as: .admin).status == 201)
        try await world.project()
        #expect(world.logicalRouter(router)?.excludedChassis == [])
        #expect(try await routers() == [router])
    }

    @Test("for administrators alone, and of agents that carry gateways alone")
    func refusals() async throws {
        let world = try await NetworkWorld()
        let router = try await world.make("router", [:]).id
        #expect(try await world.get("routers/\(router)/l3-agents").status == 403)
        let agents = try await world.get("agents?agent_type=OVN+Metadata+agent", as: .admin)["agents"]?.array ?? []
        let metadata = try #require(agents.first?.id)
        let body: JSON = ["router_id": .string(router)]
        let answer = try await world.call(.post, "agents/\(metadata)/l3-routers", body, as: .admin)
        #expect(answer.fault == "InvalidL3Agent")
        let network = try await world.make("network", [:]).id
        #expect(try await world.get("networks/\(network)/dhcp-agents", as: .admin)["agents"] == [])
        #expect(try await world.get("agents/\(metadata)/dhcp-networks", as: .admin)["networks"] == [])
    }

    @Test("OVN gets no gateway on a host that is kept from the router")
    func rows() {
        var world = OVNWorld()
        world.gatewayChassis = ["a", "b"].map { OVNGatewayChassis(name: $0, physicalNetworks: []) }
        var router = LogicalRouter(
            id: RouterID("r"), name: "", isEnabled: true,
            interfaces: [
                .init(
                    port: PortID("p"), network: NetworkID("n"), macAddress: "fa:16:3e:00:00:01",
                    addresses: ["172.24.4.10/24"], mtu: 1500, isGateway: true, ipv6Mode: nil)
            ], routes: [], snatAddress: nil, snatCIDRs: [], floatingAddresses: [], isDistributed: false)
        router.excludedChassis = ["a"]
        let translation = OVNTranslation(
            world: world, configuration: OVNConfiguration(northbound: [], southbound: []))
        let places = translation.rows(router).filter { $0.key.table == .gatewayChassis }
        #expect(places.map { $0.columns.string("chassis_name") } == ["b"])
    }
}
