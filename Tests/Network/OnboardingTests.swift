// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: subnets that came from nowhere become a pool's, with their prefixes; nobody takes another's.
@Suite("Subnet onboarding")
struct OnboardingTests {
    private func onboard(
        _ network: String, _ pool: String, _ world: NetworkWorld, as user: NetworkWorld.User = .demo
    ) async throws -> NetworkWorld.Answer {
        try await world.call(
            .put, "subnetpools/\(pool)/onboard_network_subnets", ["network_id": .string(network)], as: user)
    }

    @Test("a network's subnets of the pool's family become the pool's")
    func onboard() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork("10.1.0.0/24")
        let six = try await world.make(
            "subnet", ["network_id": .string(network), "ip_version": 6, "cidr": "2001:db8::/64"]
        ).id
        let pool = try await world.make("subnetpool", ["prefixes": ["10.2.0.0/16"]]).id
        let answer = try await onboard(network, pool, world)
        #expect(answer.body == [["id": .string(subnet), "cidr": "10.1.0.0/24"]])
        #expect(try await world.get("subnetpools/\(pool)")["subnetpool", "prefixes"] == ["10.1.0.0/24", "10.2.0.0/16"])
        #expect(try await world.get("subnets/\(subnet)")["subnet", "subnetpool_id"]?.string == pool)
        #expect(try await world.get("subnets/\(six)")["subnet", "subnetpool_id"] == .null)
        #expect(try await onboard(network, pool, world).fault == "IllegalSubnetPoolUpdate")
        #expect(try await world.call(.delete, "subnetpools/\(pool)").fault == "SubnetPoolDeleteError")
    }

    @Test("another's network stays as it is, shared or not")
    func foreign() async throws {
        let world = try await NetworkWorld()
        let shared = try await world.make("network", ["shared": true], as: .admin).id
        _ = try await world.make(
            "subnet", ["network_id": .string(shared), "ip_version": 4, "cidr": "10.1.0.0/24"], as: .admin)
        let (hidden, _) = try await world.makeNetwork("10.3.0.0/24", as: .other)
        let pool = try await world.make("subnetpool", ["prefixes": ["10.2.0.0/16"]]).id
        #expect(try await onboard(shared, pool, world).status == 403)
        #expect(try await onboard(hidden, pool, world).fault == "NetworkNotFound")
        #expect(try await onboard(hidden, pool, world, as: .other).fault == "SubnetPoolNotFound")
        #expect(try await onboard(shared, pool, world, as: .admin).status == 200)
    }

    @Test("a pool does not grow without bound, neither by what is added nor by what is cut out")
    func bound() async throws {
        let world = try await NetworkWorld()
        let pool = try await world.make("subnetpool", ["prefixes": ["2001:db8::/32"]]).id
        let scattered = JSON.array((0..<900).map { .string("10.\($0 / 250).\($0 % 250).0/25") })
        let many = try await world.make("subnetpool", ["prefixes": scattered]).id
        let other = JSON.array((0..<200).map { .string("11.0.\($0).0/25") })
        let added = try await world.call(.put, "subnetpools/\(many)/add_prefixes", ["prefixes": other])
        #expect(added.fault == "InvalidInput")
        let holes = JSON.array((0..<100).map { .string("2001:db8:\($0)::1/128") })
        let cut = try await world.call(.put, "subnetpools/\(pool)/remove_prefixes", ["prefixes": holes])
        #expect(cut.fault == "InvalidInput")
    }

    @Test("prefix delegation is refused with its name")
    func delegation() async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", [:]).id
        let body: JSON = [
            "subnet": ["network_id": .string(network), "ip_version": 6, "subnetpool_id": "prefix_delegation"]
        ]
        let answer = try await world.call(.post, "subnets", body)
        #expect(answer.status == 400 && answer.text.contains("prefix delegation"))
    }
}
