// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: prefixes are cut without overlap and as large pieces as possible are kept. Pure.
@Suite("Prefix sets")
struct PrefixSetTests {
    private func cidrs(_ texts: String...) throws -> [CIDR] { try texts.map { try #require(CIDR($0)) } }

    @Test("neighbours become one, what is inside goes")
    func compacted() throws {
        #expect(
            try PrefixSet.compacted(cidrs("10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25", "10.0.4.0/24")).map(
                \.description)
                == ["10.0.0.0/23", "10.0.4.0/24"])
        #expect(try PrefixSet.compacted(cidrs("10.0.1.0/24", "10.0.2.0/24")).count == 2)
        #expect(
            try PrefixSet.compacted(cidrs("10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/25")).map(\.description)
                == ["10.0.0.0/24"])
    }

    @Test("free prefixes come from the smallest piece")
    func free() throws {
        let pool = try cidrs("10.0.0.0/16")
        let taken = try cidrs("10.0.0.0/24")
        #expect(PrefixSet.free(24, in: pool, without: taken)?.description == "10.0.1.0/24")
        #expect(PrefixSet.free(17, in: pool, without: taken)?.description == "10.0.128.0/17")
        #expect(PrefixSet.free(16, in: pool, without: taken) == nil)
        #expect(PrefixSet.free(24, in: pool, without: try cidrs("10.0.0.0/8")) == nil)
        #expect(try PrefixSet.covers(pool, cidrs("10.0.7.0/24")))
        #expect(try !PrefixSet.covers(pool, cidrs("10.1.7.0/24")))
    }
}

/// Goal: subnets come from pools, pools stay whole while used, and scopes keep pools apart.
@Suite("Subnet pools")
struct SubnetPoolTests {
    @Test("subnets are cut from a pool until it is empty")
    func allocation() async throws {
        let world = try await NetworkWorld()
        let pool = try await world.make(
            "subnetpool", ["name": "p", "prefixes": ["10.20.0.0/24", "10.20.1.0/24"], "default_prefixlen": 25])
        #expect(pool["prefixes"] == ["10.20.0.0/23"])
        #expect(pool["min_prefixlen"] == "8")
        func subnet(_ more: [String: JSON] = [:]) async throws -> NetworkWorld.Answer {
            let network = try await world.make("network", [:]).id
            let body = more.merging(
                ["network_id": .string(network), "ip_version": 4, "subnetpool_id": .string(pool.id)]
            ) { given, _ in given }
            return try await world.call(.post, "subnets", ["subnet": .object(body)])
        }
        #expect(try await subnet()["subnet", "cidr"] == "10.20.0.0/25")
        #expect(try await subnet(["prefixlen": 24])["subnet", "cidr"] == "10.20.1.0/24")
        #expect(try await subnet(["cidr": "10.20.1.0/25"]).fault == "SubnetAllocationError")
        #expect(try await subnet(["cidr": "10.99.1.0/25"]).fault == "SubnetAllocationError")
        #expect(try await subnet(["prefixlen": 7]).fault == "MinPrefixSubnetAllocationError")
        let last = try await subnet(["cidr": "10.20.0.128/25"])
        #expect(last["subnet", "subnetpool_id"]?.string == pool.id)
        #expect(last["subnet", "gateway_ip"] == "10.20.0.129")
        #expect(try await subnet().fault == "SubnetAllocationError")
        #expect(try await world.get("subnets?subnetpool_id=\(pool.id)")["subnets"]?.array?.count == 3)
        let other: JSON = [
            "subnet": ["network_id": last["subnet", "network_id"] ?? .null, "ip_version": 4, "cidr": "10.77.0.0/24"]
        ]
        #expect(try await world.call(.post, "subnets", other).fault == "NetworkSubnetPoolAffinityError")
        #expect(try await world.call(.delete, "subnetpools/\(pool.id)").fault == "SubnetPoolDeleteError")
        let path = "subnetpools/\(pool.id)"
        #expect(
            try await world.call(.put, path, ["subnetpool": ["prefixes": ["10.30.0.0/16"]]]).fault
                == "IllegalSubnetPoolPrefixUpdate")
        let grown = try await world.call(.put, path + "/add_prefixes", ["prefixes": ["10.30.0.0/16"]])
        #expect(grown["prefixes"] == ["10.20.0.0/23", "10.30.0.0/16"])
        let shrunk = try await world.call(.put, path + "/remove_prefixes", ["prefixes": ["10.30.0.0/17"]])
        #expect(shrunk["prefixes"] == ["10.20.0.0/23", "10.30.128.0/17"])
        #expect(
            try await world.call(.put, path + "/remove_prefixes", ["prefixes": ["10.20.0.0/25"]]).fault
                == "IllegalSubnetPoolPrefixUpdate")
    }

    @Test("pools that make no sense are refused; defaults are one per family; foreign pools do not exist")
    func rules() async throws {
        let world = try await NetworkWorld()
        for (body, fault): (JSON, String) in [
            (["prefixes": []], "EmptySubnetPoolPrefixList"),
            (["prefixes": ["10.0.0.0/8", "2001:db8::/32"]], "PrefixVersionMismatch"),
            (["prefixes": ["10.0.0.0/8"], "min_prefixlen": 25, "max_prefixlen": 24], "IllegalSubnetPoolPrefixBounds"),
            (["prefixes": ["10.0.0.0/8"], "max_prefixlen": 33], "IllegalSubnetPoolPrefixBounds"),
            (["prefixes": ["x"]], "HTTPBadRequest"),
            (["prefixes": ["10.0.0.0/8"], "shared": true], "PolicyNotAuthorized"),
        ] {
            #expect(try await world.call(.post, "subnetpools", ["subnetpool": body]).fault == fault)
        }
        let standard: JSON = [
            "prefixes": ["10.40.0.0/16"], "is_default": true, "default_prefixlen": 24, "shared": true,
        ]
        let pool = try await world.make("subnetpool", standard, as: .admin).id
        #expect(
            try await world.call(.post, "subnetpools", ["subnetpool": standard], as: .admin).fault == "InvalidInput")
        let network = try await world.make("network", [:]).id
        let subnet = try await world.make(
            "subnet", ["network_id": .string(network), "ip_version": 4, "use_default_subnetpool": true])
        #expect(subnet["cidr"] == "10.40.0.0/24")
        #expect(subnet["subnetpool_id"]?.string == pool)
        #expect(try await world.call(.delete, "subnetpools/\(pool)").status == 403)
        let own = try await world.make("subnetpool", ["prefixes": ["10.50.0.0/16"], "default_quota": 256]).id
        #expect(try await world.get("subnetpools/\(own)", as: .other).status == 404)
        #expect(try await world.call(.put, "subnetpools/\(own)/tags", ["tags": ["a"]])["tags"] == ["a"])
        let big: JSON = [
            "subnet": ["network_id": .string(network), "ip_version": 4, "subnetpool_id": .string(own), "prefixlen": 23]
        ]
        #expect(try await world.call(.post, "subnets", big).fault == "SubnetPoolQuotaExceeded")
    }

    @Test("address scopes: unique prefixes, shown on networks, no translation within")
    func scopes() async throws {
        let world = try await NetworkWorld()
        let scope = try await world.make("address_scope", ["name": "s", "ip_version": 4, "shared": true], as: .admin).id
        let pool = try await world.make(
            "subnetpool",
            [
                "prefixes": ["10.60.0.0/16"], "default_prefixlen": 24, "address_scope_id": .string(scope),
                "shared": true,
            ],
            as: .admin
        ).id
        let overlapping: JSON = ["subnetpool": ["prefixes": ["10.60.1.0/24"], "address_scope_id": .string(scope)]]
        #expect(
            try await world.call(.post, "subnetpools", overlapping, as: .admin).fault == "AddressScopePrefixConflict")
        #expect(
            try await world.call(.post, "subnetpools", overlapping).fault
                == "AddressScopePrefixConflict")
        #expect(try await world.call(.delete, "address-scopes/\(scope)", as: .admin).fault == "AddressScopeInUse")
        // A pool in another's scope takes no more of it, by no way.
        let guest = try await world.make(
            "subnetpool", ["prefixes": ["10.61.0.0/16"], "address_scope_id": .string(scope)]
        ).id
        let more = try await world.call(.put, "subnetpools/\(guest)/add_prefixes", ["prefixes": ["10.62.0.0/16"]])
        #expect(more.fault == "IllegalSubnetPoolUpdate")
        let (brought, _) = try await world.makeNetwork("10.63.0.0/24")
        let onboarded = try await world.call(
            .put, "subnetpools/\(guest)/onboard_network_subnets", ["network_id": .string(brought)])
        #expect(onboarded.fault == "IllegalSubnetPoolUpdate")
        #expect(try await world.call(.delete, "subnetpools/\(guest)").status == 204)
        let external = try await world.make("network", ["router:external": true], as: .admin).id
        let inside = try await world.make("network", [:]).id
        for (network, user) in [(external, NetworkWorld.User.admin), (inside, .demo)] {
            _ = try await world.make(
                "subnet", ["network_id": .string(network), "ip_version": 4, "subnetpool_id": .string(pool)], as: user)
        }
        #expect(try await world.get("networks/\(inside)")["network", "ipv4_address_scope"]?.string == scope)
        let (_, plain) = try await world.makeNetwork("10.0.0.0/24")
        let scoped = try #require(try await world.get("subnets?network_id=\(inside)")["subnets"]?.array?.first).id
        let router = try await world.make("router", ["external_gateway_info": ["network_id": .string(external)]]).id
        for subnet in [plain, scoped] {
            let answer = try await world.call(
                .put, "routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
            #expect(answer.status == 200)
        }
        try await world.project()
        #expect(world.logicalRouter(router)?.snatCIDRs == ["10.0.0.0/24"])
    }
}
