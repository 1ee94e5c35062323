// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: every project has its default group; rules reach the data plane; duplicates and misuse are refused.
@Suite("Security groups")
struct SecurityGroupTests {
    @Test("the default group is there at the first look, once")
    func defaultGroup() async throws {
        let world = try await NetworkWorld()
        for _ in 0..<2 {
            let groups = try await world.get("security-groups")["security_groups"]?.array ?? []
            #expect(groups.compactMap { $0["name"]?.string } == ["default"])
            let rules = groups.first?["security_group_rules"]?.array ?? []
            #expect(rules.count == 4)
            #expect(
                rules.count { $0["direction"] == "ingress" && $0["remote_group_id"]?.string == groups.first?.id } == 2)
            #expect(rules.allSatisfy { $0["belongs_to_default_sg"] == true })
        }
        let id = try #require(try await world.get("security-groups")["security_groups"]?.array?.first).id
        #expect(try await world.call(.delete, "security-groups/\(id)").fault == "SecurityGroupCannotRemoveDefault")
        let rename: JSON = ["security_group": ["name": "x"]]
        #expect(
            try await world.call(.put, "security-groups/\(id)", rename).fault == "SecurityGroupCannotUpdateDefault")
        #expect(
            try await world.call(.post, "security-groups", ["security_group": ["name": "Default"]]).fault
                == "SecurityGroupDefaultAlreadyExists")
    }

    @Test("rules: made, refused twice, removed, projected")
    func rules() async throws {
        let world = try await NetworkWorld()
        let group = try await world.make("security_group", ["name": "web"])
        #expect(group["security_group_rules"]?.array?.count == 2)
        let ssh: JSON = [
            "security_group_id": .string(group.id), "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": "22", "remote_ip_prefix": "10.0.0.1",
        ]
        let rule = try await world.make("security_group_rule", ssh)
        #expect(rule["remote_ip_prefix"] == "10.0.0.1/32")
        #expect(rule["ethertype"] == "IPv4")
        #expect(
            try await world.call(.post, "security-group-rules", ["security_group_rule": ssh]).fault
                == "SecurityGroupRuleExists")
        let twin: JSON = ["security_group_id": .string(group.id), "direction": "ingress", "protocol": "udp"]
        let both = try await world.call(.post, "security-group-rules", ["security_group_rules": [twin, twin]])
        #expect(both.status == 409)
        try await world.project()
        let logical = try #require(world.logicalGroup(group.id))
        #expect(logical.rules.count == 3)
        #expect(
            logical.rules.contains {
                $0.isIngress && $0.ipProtocol == 6 && $0.portMinimum == 22 && $0.peer == .prefix("10.0.0.1/32")
            })
        #expect(try await world.call(.delete, "security-group-rules/\(rule.id)").status == 204)
        try await world.project()
        #expect(world.logicalGroup(group.id)?.rules.count == 2)
        #expect(try await world.call(.delete, "security-groups/\(group.id)").status == 204)
        try await world.project()
        #expect(world.logicalGroup(group.id) == nil)
    }

    @Test("bodies that make no rule")
    func badRules() async throws {
        let world = try await NetworkWorld()
        let group = try await world.make("security_group", ["name": "g"]).id
        for (name, value): (String, JSON) in [
            ("direction", "sideways"), ("protocol", "carrier-pigeon"), ("protocol", 256), ("ethertype", "IPv5"),
            ("port_range_min", 70_000), ("remote_ip_prefix", "10.0.0.0/99"),
        ] {
            var body: [String: JSON] = ["security_group_id": .string(group), "direction": "ingress", "protocol": "tcp"]
            body[name] = value
            let answer = try await world.call(.post, "security-group-rules", ["security_group_rule": .object(body)])
            #expect(answer.status == 400, "\(name): \(answer.text)")
        }
    }
}
