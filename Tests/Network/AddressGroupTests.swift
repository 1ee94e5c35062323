// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: prefixes of a group are what its rules let in, whoever's the rules are.
@Suite("Address groups")
struct AddressGroupTests {
    private func group(_ world: NetworkWorld, as user: NetworkWorld.User = .demo) async throws -> JSON {
        try await world.make(
            "address_group",
            ["name": "offices", "addresses": ["10.10.10.3/32", "192.168.0.10/24", "2001:db8::f00/64"]], as: user)
    }

    private func addresses(_ answer: NetworkWorld.Answer) -> [String] {
        (answer["address_group", "addresses"]?.array ?? []).compactMap(\.string)
    }

    @Test("made, edited, removed; host bits are dropped")
    func life() async throws {
        let world = try await NetworkWorld()
        let made = try await group(world)
        #expect(made["addresses"] == ["10.10.10.3/32", "192.168.0.0/24", "2001:db8::/64"])
        let path = "address-groups/\(made.id)"
        let more = try await world.call(.put, path + "/add_addresses", ["addresses": ["10.20.30.40/32"]])
        #expect(addresses(more).last == "10.20.30.40/32")
        #expect(more["address_group", "revision_number"] == 2)
        #expect(
            try await world.call(.put, path + "/add_addresses", ["addresses": ["10.20.30.40"]]).fault
                == "AddressesAlreadyExist")
        let fewer = try await world.call(.put, path + "/remove_addresses", ["addresses": ["10.10.10.3/32"]])
        #expect(addresses(fewer) == ["192.168.0.0/24", "2001:db8::/64", "10.20.30.40/32"])
        #expect(
            try await world.call(.put, path + "/remove_addresses", ["addresses": ["10.200.200.200"]]).fault
                == "AddressesNotFound")
        let renamed = try await world.call(.put, path, ["address_group": ["description": "d"]])
        #expect(renamed["address_group", "description"] == "d")
        #expect(try await world.get("address-groups?name=offices")["address_groups"]?.array?.count == 1)
        #expect(try await world.call(.delete, path, ifMatch: "revision_number=1").status == 412)
        #expect(try await world.call(.delete, path).status == 204)
        #expect(try await world.get(path).fault == "AddressGroupNotFound")
    }

    @Test("what is no prefix is refused", arguments: ["10.20.30.40", "this is bad IP address", "10.0.0.0/40"])
    func badAddresses(_ address: String) async throws {
        let world = try await NetworkWorld()
        let body: JSON = ["address_group": ["addresses": [.string(address)]]]
        #expect(try await world.call(.post, "address-groups", body).status == 400)
    }

    @Test("a rule keeps its group, and both reach the data plane")
    func rules() async throws {
        let world = try await NetworkWorld()
        let addresses = try await group(world).id
        let security = try await world.make("security_group", ["name": "web"]).id
        let attributes: JSON = [
            "security_group_id": .string(security), "direction": "ingress", "protocol": "tcp",
            "remote_address_group_id": .string(addresses),
        ]
        let rule = try await world.make("security_group_rule", attributes)
        #expect(rule["remote_address_group_id"]?.string == addresses)
        #expect(
            try await world.call(.post, "security-group-rules", ["security_group_rule": attributes]).fault
                == "SecurityGroupRuleExists")
        let filtered = try await world.get("security-group-rules?remote_address_group_id=\(addresses)")
        #expect(filtered["security_group_rules"]?.array?.count == 1)
        #expect(try await world.call(.delete, "address-groups/\(addresses)").fault == "AddressGroupInUse")

        try await world.project()
        let rules = try #require(world.logicalGroup(security)?.rules)
        #expect(rules.contains { $0.peer == .addresses(AddressGroupID(addresses)) })
        _ = try await world.call(.put, "address-groups/\(addresses)/add_addresses", ["addresses": ["203.0.113.0/24"]])
        try await world.project()
        #expect(world.logicalAddresses(addresses)?.prefixes.last == "203.0.113.0/24")

        #expect(try await world.call(.delete, "security-group-rules/\(rule.id)").status == 204)
        #expect(try await world.call(.delete, "address-groups/\(addresses)").status == 204)
        try await world.project()
        #expect(world.logicalAddresses(addresses) == nil)
    }

    @Test("a rule has one peer, and none that its maker cannot see")
    func peers() async throws {
        let world = try await NetworkWorld()
        let foreign = try await group(world, as: .other).id
        let security = try await world.make("security_group", ["name": "web"]).id
        func make(_ more: [String: JSON]) async throws -> NetworkWorld.Answer {
            let rule = more.merging(["security_group_id": .string(security), "direction": "ingress"]) { $1 }
            return try await world.call(.post, "security-group-rules", ["security_group_rule": .object(rule)])
        }
        #expect(try await make(["remote_address_group_id": .string(foreign)]).fault == "AddressGroupNotFound")
        let own = try await group(world).id
        let both = try await make(["remote_address_group_id": .string(own), "remote_ip_prefix": "10.0.0.0/8"])
        #expect(both.fault == "SecurityGroupMultipleRemoteEntites")
    }

    @Test("shared by RBAC, and kept while the other project's rules need it")
    func sharing() async throws {
        let world = try await NetworkWorld()
        let addresses = try await group(world).id
        #expect(try await world.get("address-groups/\(addresses)", as: .other).status == 404)
        let policy = try await world.make(
            "rbac_policy",
            [
                "object_type": "address_group", "object_id": .string(addresses), "action": "access_as_shared",
                "target_tenant": "p-other",
            ])
        #expect(try await world.get("address-groups/\(addresses)", as: .other).status == 200)
        let change: JSON = ["address_group": ["name": "mine"]]
        #expect(try await world.call(.put, "address-groups/\(addresses)", change, as: .other).status == 404)
        let security = try await world.make("security_group", ["name": "web"], as: .other).id
        let rule = try await world.make(
            "security_group_rule",
            [
                "security_group_id": .string(security), "direction": "ingress",
                "remote_address_group_id": .string(addresses),
            ], as: .other)
        #expect(try await world.call(.delete, "rbac-policies/\(policy.id)").fault == "RbacPolicyInUse")
        #expect(try await world.call(.delete, "security-group-rules/\(rule.id)", as: .other).status == 204)
        #expect(try await world.call(.delete, "rbac-policies/\(policy.id)").status == 204)
        #expect(try await world.get("address-groups/\(addresses)", as: .other).status == 404)
    }
}
