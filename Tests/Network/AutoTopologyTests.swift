// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: a project that asks gets a network with a way out, once, whole or not at all.
@Suite("Auto-allocated topology")
struct AutoTopologyTests {
    private static let path = "auto-allocated-topology/None"

    private func pool(_ world: NetworkWorld) async throws {
        _ = try await world.make(
            "subnetpool",
            ["prefixes": ["10.40.0.0/16"], "is_default": true, "default_prefixlen": 24, "shared": true], as: .admin)
    }

    private func external(_ world: NetworkWorld) async throws -> String {
        let network = try await world.makeExternal().network
        let change: JSON = ["network": ["is_default": true]]
        #expect(try await world.call(.put, "networks/\(network)", change, as: .admin).status == 200)
        return network
    }

    private func count(_ world: NetworkWorld) async throws -> [Int?] {
        var counts: [Int?] = []
        for noun in ["networks", "subnets", "routers"] {
            let found = try await world.get(noun)[noun]?.array
            counts.append(found?.count { $0["name"]?.string?.hasPrefix("auto_allocated_") ?? false })
        }
        return counts
    }

    @Test("made once, found again, taken away whole")
    func life() async throws {
        let world = try await NetworkWorld()
        try await pool(world)
        let external = try await external(world)
        #expect(try await world.get(Self.path + "?fields=dry-run")["auto_allocated_topology", "id"] == "dry-run=pass")
        #expect(try await count(world) == [0, 0, 0])

        let network = try await world.get(Self.path).string("auto_allocated_topology", "id")
        #expect(try await world.get(Self.path).string("auto_allocated_topology", "id") == network)
        #expect(try await count(world) == [1, 1, 1])
        let router = try #require(try await world.get("routers?name=auto_allocated_router")["routers"]?.array?.first)
        #expect(router["external_gateway_info"]?["network_id"]?.string == external)
        try await world.project()
        #expect(world.logicalRouter(router.id)?.interfaces.count == 2)

        #expect(try await world.call(.delete, Self.path).status == 204)
        #expect(try await count(world) == [0, 0, 0])
        #expect(try await world.call(.delete, Self.path).status == 204)
        try await world.project()
        #expect(world.logicalRouter(router.id) == nil)
    }

    @Test("a server's wish for a network is met by the same one")
    func forServers() async throws {
        let world = try await NetworkWorld()
        let principal = NetworkWorld.User.demo.principal
        await #expect { try await world.compute.ensureNetwork(for: principal) } throws: {
            ($0 as? CloudError)?.kind == "AutoAllocationFailure"
        }
        #expect(try await count(world) == [0, 0, 0])
        try await pool(world)
        _ = try await external(world)
        let network = try await world.compute.ensureNetwork(for: principal)
        #expect(try await world.get(Self.path).string("auto_allocated_topology", "id") == network.rawValue)
        #expect(try await world.compute.networksForServers(of: principal).map(\.id) == [network])
    }

    @Test("what a port needs stays, and all the rest with it")
    func inUse() async throws {
        let world = try await NetworkWorld()
        try await pool(world)
        _ = try await external(world)
        let network = try await world.get(Self.path).string("auto_allocated_topology", "id")
        let port = try await world.make("port", ["network_id": .string(network)]).id
        #expect(try await world.call(.delete, Self.path).fault == "NetworkInUse")
        #expect(try await count(world) == [1, 1, 1])
        #expect(try await world.call(.delete, "ports/\(port)").status == 204)
        #expect(try await world.call(.delete, Self.path).status == 204)
    }

    @Test("says what the cloud lacks, and leaves nothing behind")
    func requirements() async throws {
        let world = try await NetworkWorld()
        for path in [Self.path, Self.path + "?fields=dry-run"] {
            let answer = try await world.get(path)
            #expect(answer.fault == "AutoAllocationFailure" && answer.status == 409)
        }
        _ = try await external(world)
        #expect(try await world.get(Self.path).fault == "AutoAllocationFailure")
        #expect(try await count(world) == [0, 0, 0])
    }

    @Test("the default network is everybody's as long as it is the default")
    func wildcard() async throws {
        let world = try await NetworkWorld()
        let network = try await external(world)
        let found = try await world.get("rbac-policies?object_id=\(network)", as: .admin)["rbac_policies"]?.array
        let policy = try #require(found?.first).id
        #expect(try await world.call(.delete, "rbac-policies/\(policy)", as: .admin).fault == "RbacPolicyInUse")
        let change: JSON = ["network": ["is_default": false]]
        #expect(try await world.call(.put, "networks/\(network)", change, as: .admin).status == 200)
        #expect(try await world.call(.delete, "rbac-policies/\(policy)", as: .admin).status == 204)
    }

    @Test("another's project is another's; there is one default network")
    func access() async throws {
        let world = try await NetworkWorld()
        try await pool(world)
        _ = try await external(world)
        #expect(try await world.get("auto-allocated-topology/p-other").status == 403)
        #expect(try await world.get("auto-allocated-topology/p-other", as: .admin).status == 200)
        #expect(try await world.get("networks?name=auto_allocated_network", as: .other)["networks"]?.array?.count == 1)
        #expect(try await world.call(.delete, Self.path, as: .reader).status == 403)
        let second: JSON = ["network": ["router:external": true, "is_default": true]]
        #expect(
            try await world.call(.post, "networks", second, as: .admin).fault == "DefaultExternalNetworkExists")
    }
}
