// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: a new security group starts with what the administrator's templates say at that time.
@Suite("Default security group rules")
struct DefaultRuleTests {
    private func rules(_ world: NetworkWorld, _ query: String = "") async throws -> [JSON] {
        try await world.get("default-security-group-rules\(query)")["default_security_group_rules"]?.array ?? []
    }

    @Test("a cloud begins with upstream's four")
    func legacy() async throws {
        let world = try await NetworkWorld()
        #expect(try await rules(world).count == 4)
        let inward = try await rules(world, "?direction=ingress")
        #expect(inward.count == 2)
        #expect(inward.allSatisfy { $0["remote_group_id"] == "PARENT" && $0["used_in_non_default_sg"] == false })
        #expect(inward.allSatisfy { $0["description"] == "Legacy default SG rule for ingress traffic" })
        #expect(try await rules(world, "?used_in_non_default_sg=True").count == 2)
        #expect(try await rules(world, "?used_in_default_sg=True").count == 4)
    }

    @Test("templates become rules of the groups that they are for")
    func templates() async throws {
        let world = try await NetworkWorld()
        let before = try await world.make("security_group", ["name": "old"])
        let ssh: JSON = [
            "direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
            "remote_group_id": "PARENT", "used_in_default_sg": false, "used_in_non_default_sg": true,
        ]
        let template = try await world.make("default_security_group_rule", ssh, as: .admin)
        #expect(template["remote_ip_prefix"] == .null)
        let group = try await world.make("security_group", ["name": "new"])
        let own = group["security_group_rules"]?.array ?? []
        #expect(own.count == 3)
        #expect(own.contains { $0["port_range_min"] == 22 && $0["remote_group_id"]?.string == group.id })
        #expect(
            try await world.get("security-groups/\(before.id)")["security_group", "security_group_rules"]?.array?.count
                == 2)
        let standard = try await world.get("security-groups?name=default", as: .other)["security_groups"]?.array?.first
        #expect(standard?["security_group_rules"]?.array?.count == 4)
        let path = "default-security-group-rules/\(template.id)"
        #expect(try await world.call(.delete, path, as: .admin).status == 204)
        #expect(try await world.get(path).fault == "DefaultSecurityGroupRuleNotFound")
        #expect(try await world.make("security_group", ["name": "newer"])["security_group_rules"]?.array?.count == 2)
    }

    @Test("two that some group would both get are one too many")
    func duplicates() async throws {
        let world = try await NetworkWorld()
        func make(_ port: Int, isForDefault: Bool, isForOthers: Bool) async throws -> NetworkWorld.Answer {
            let rule: JSON = [
                "direction": "ingress", "protocol": "tcp", "port_range_min": .int(Int64(port)),
                "port_range_max": .int(Int64(port)), "used_in_default_sg": .bool(isForDefault),
                "used_in_non_default_sg": .bool(isForOthers),
            ]
            let body: JSON = ["default_security_group_rule": rule]
            return try await world.call(.post, "default-security-group-rules", body, as: .admin)
        }
        #expect(try await make(80, isForDefault: true, isForOthers: true).status == 201)
        #expect(
            try await make(80, isForDefault: true, isForOthers: false).fault == "DefaultSecurityGroupRuleExists")
        #expect(
            try await make(80, isForDefault: false, isForOthers: true).fault == "DefaultSecurityGroupRuleExists")
        #expect(try await make(81, isForDefault: true, isForOthers: false).status == 201)
        #expect(try await make(81, isForDefault: false, isForOthers: true).status == 201)
    }

    @Test("administrators make and remove, readers look")
    func access() async throws {
        let world = try await NetworkWorld()
        let body: JSON = ["default_security_group_rule": ["direction": "ingress"]]
        #expect(try await world.call(.post, "default-security-group-rules", body).status == 403)
        let first = try #require(try await rules(world).first)
        let path = "default-security-group-rules/\(first.id)"
        #expect(try await world.call(.delete, path).status == 403)
        #expect(try await world.get(path, as: .reader).status == 200)
        #expect(try await world.get(path, as: .nobody).status == 404)
        let none = try await world.get("default-security-group-rules", as: .nobody)
        #expect(none["default_security_group_rules"]?.array?.isEmpty == true)
    }
}
