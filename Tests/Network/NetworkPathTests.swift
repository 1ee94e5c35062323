// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import TestKit
import Testing

/// Goal: the first job of a user works through the API and arrives whole in the data plane.
/// Method: network, subnet, router, port, floating IP by calls; then the objects of the fake driver are read.
@Suite("The main path")
struct NetworkPathTests {
    @Test("a server's port is reachable on its floating IP")
    func path() async throws {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal()
        let (network, subnet) = try await world.makeNetwork()
        let router = try await world.make(
            "router", ["name": "r", "external_gateway_info": ["network_id": .string(external.network)]]
        )
        #expect(router["external_gateway_info"]?["enable_snat"] == true)
        let added = try await world.call(
            .put, "routers/\(router.id)/add_router_interface", ["subnet_id": .string(subnet)])
        #expect(added.status == 200)
        #expect(try added.string("subnet_id") == subnet)
        let port = try await world.make("port", ["network_id": .string(network), "name": "p"])
        let floating = try await world.make(
            "floatingip", ["floating_network_id": .string(external.network), "port_id": .string(port.id)])
        #expect(floating["status"] == "ACTIVE")
        #expect(floating["fixed_ip_address"]?.string == port.firstAddress)
        #expect(floating["router_id"]?.string == router.id)
        #expect(floating["port_details"]?["name"] == "p")

        try await world.project()
        let logical = try #require(world.logicalRouter(router.id))
        #expect(logical.interfaces.count == 2)
        #expect(logical.interfaces.contains { $0.addresses == ["10.0.0.1/24"] && !$0.isGateway && $0.mtu == 1442 })
        #expect(logical.routes == [.init(destination: "0.0.0.0/0", nextHop: "172.24.4.1", isDefault: true)])
        #expect(logical.snatCIDRs == ["10.0.0.0/24"])
        #expect(logical.snatAddress?.hasPrefix("172.24.4.") == true)
        #expect(logical.floatingAddresses.map(\.fixedAddress) == [port.firstAddress])
        #expect(logical.floatingAddresses.first?.macAddress == port["mac_address"]?.string)
        let plane = try #require(world.logicalNetwork(network))
        #expect(plane.subnets.first?.hostRoutes.first?.destination == "169.254.169.254/32")
        #expect(world.logicalPort(port.id)?.kind == .device)
        #expect(world.logicalPort(port.id)?.securityGroups.count == 1)
    }

    @Test("everything can be removed again, in order, and nothing is left")
    func removal() async throws {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal()
        let (network, subnet) = try await world.makeNetwork()
        let router = try await world.make(
            "router", ["external_gateway_info": ["network_id": .string(external.network)]]
        ).id
        _ = try await world.call(.put, "routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let floating = try await world.make(
            "floatingip", ["floating_network_id": .string(external.network), "port_id": .string(port)]
        ).id

        #expect(try await world.call(.delete, "networks/\(network)").fault == "NetworkInUse")
        #expect(try await world.call(.delete, "subnets/\(subnet)").fault == "SubnetInUse")
        #expect(try await world.call(.delete, "routers/\(router)").fault == "RouterInUse")
        let removal = ["subnet_id": JSON.string(subnet)]
        #expect(
            try await world.call(.put, "routers/\(router)/remove_router_interface", .object(removal)).fault
                == "RouterInterfaceInUseByFloatingIP")
        #expect(
            try await world.call(.put, "routers/\(router)", ["router": ["external_gateway_info": nil]]).fault
                == "RouterExternalGatewayInUseByFloatingIp")

        #expect(try await world.call(.delete, "ports/\(port)").status == 204)
        #expect(try await world.get("floatingips/\(floating)")["floatingip", "status"] == "DOWN")
        #expect(try await world.get("floatingips/\(floating)")["floatingip", "port_id"] == .null)
        #expect(try await world.call(.delete, "floatingips/\(floating)").status == 204)
        #expect(
            try await world.call(.put, "routers/\(router)/remove_router_interface", .object(removal)).status == 200)
        #expect(try await world.call(.delete, "routers/\(router)").status == 204)
        #expect(try await world.call(.delete, "networks/\(network)").status == 204)
        #expect(try await world.call(.delete, "networks/\(external.network)", as: .admin).status == 204)
        try await world.project()
        let left = world.driver.objects.keys.filter { if case .securityGroup = $0 { false } else { true } }
        #expect(left.isEmpty)
        let addresses = try await world.environment.database.read {
            try $0.count("SELECT COUNT(*) FROM ip_allocations")
                + $0.count("SELECT COUNT(*) FROM network_segment_claims")
        }
        #expect(addresses == 0)
    }

    @Test("the bootstrap makes its networks once")
    func bootstrap() async throws {
        let world = try await NetworkWorld()
        let bootstrap = NetworkBootstrap(world.environment)
        for _ in 0..<2 {
            let external = try await bootstrap.ensureExternal(owner: NetworkWorld.User.admin.project)
            try await bootstrap.ensurePrivate(project: NetworkWorld.User.demo.project, external: external)
        }
        #expect(try await world.get("networks?sort_key=name&sort_dir=asc")["networks"]?.names == ["private", "public"])
        #expect(try await world.get("routers")["routers"]?.names == ["router1"])
        let flat = try await world.get("networks?name=public", as: .admin)["networks"]?.array?.first
        #expect(flat?["provider:network_type"] == "flat")
        #expect(flat?["provider:physical_network"] == "physnet1")
    }
}
