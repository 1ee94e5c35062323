// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

@testable import NetworkDriverOVN

/// Goal: an administrator has traffic of security groups written down.
/// Method: the API on the fake data plane, and the rows that OVN gets.
@Suite("Logs of security groups")
struct NetworkLogTests {
    private func make(_ attributes: [String: JSON], _ world: NetworkWorld) async throws -> NetworkWorld.Answer {
        let body = attributes.merging(["resource_type": "security_group"]) { old, _ in old }
        return try await world.call(.post, "log/logs", ["log": .object(body)], as: .admin)
    }

    @Test("made, changed, gone with its group")
    func life() async throws {
        let world = try await NetworkWorld()
        let group = try await world.make("security_group", ["name": "g"]).id
        let made = try await make(["name": "l", "description": "d", "resource_id": .string(group)], world)
        #expect(made.status == 201 && made["log", "event"] == "ALL" && made["log", "enabled"] == true)
        let id = try made.string("log", "id")
        try await world.project()
        #expect(world.logicalGroup(group)?.acceptLog == id && world.logicalGroup(group)?.dropLog == id)
        let off = try await world.call(.put, "log/logs/\(id)", ["log": ["enabled": false]], as: .admin)
        #expect(off["log", "enabled"] == false && off["log", "revision_number"] == 2)
        try await world.project()
        #expect(world.logicalGroup(group)?.acceptLog == nil)
        let fixed = try await world.call(.put, "log/logs/\(id)", ["log": ["event": "DROP"]], as: .admin)
        #expect(fixed.status == 400)
        #expect(try await world.call(.delete, "security-groups/\(group)").status == 204)
        #expect(try await world.get("log/logs/\(id)", as: .admin).fault == "LogResourceNotFound")
    }

    @Test("of nothing that is not there, and by administrators alone")
    func refusals() async throws {
        let world = try await NetworkWorld()
        let nothing: JSON = "5a1c3b52-0f0e-4b8e-9b55-0d6b1a3a9f10"
        #expect(try await make(["resource_type": "fake_resource"], world).status == 400)
        #expect(try await make(["resource_id": nothing], world).fault == "ResourceNotFound")
        #expect(try await make(["target_id": nothing], world).fault == "TargetResourceNotFound")
        #expect(try await make(["event": "SOME"], world).status == 400)
        let network = try await world.make("network", [:]).id
        let port = try await world.make("port", ["network_id": .string(network)])
        let other = try await world.make("security_group", ["name": "g"]).id
        let both: [String: JSON] = ["resource_id": .string(other), "target_id": .string(port.id)]
        #expect(try await make(both, world).fault == "InvalidResourceConstraint")
        let body: JSON = ["log": ["resource_type": "security_group"]]
        #expect(try await world.call(.post, "log/logs", body).status == 403)
        #expect(try await world.get("log/logs")["logs"] == [])
        #expect(
            try await world.get("log/loggable-resources", as: .admin)["loggable_resources"]
                == [["type": "security_group"]])
    }

    @Test("for a port: its groups, whichever they are now")
    func port() async throws {
        let world = try await NetworkWorld()
        let groups = [
            try await world.make("security_group", ["name": "a"]).id,
            try await world.make("security_group", ["name": "b"]).id,
        ]
        let network = try await world.make("network", [:]).id
        let port = try await world.make(
            "port", ["network_id": .string(network), "security_groups": [.string(groups[0])]]
        ).id
        #expect(try await make(["target_id": .string(port), "event": "DROP"], world).status == 201)
        try await world.project()
        #expect(world.logicalGroup(groups[0])?.dropLog != nil && world.logicalGroup(groups[0])?.acceptLog == nil)
        let moved: JSON = ["port": ["security_groups": [.string(groups[1])]]]
        #expect(try await world.call(.put, "ports/\(port)", moved).status == 200)
        try await world.project()
        #expect(world.logicalGroup(groups[0])?.dropLog == nil && world.logicalGroup(groups[1])?.dropLog != nil)
        #expect(try await world.call(.delete, "ports/\(port)").status == 204)
        try await world.project()
        #expect(world.logicalGroup(groups[1])?.dropLog == nil)
        #expect(try await world.get("log/logs", as: .admin)["logs"] == [])
    }

    @Test("OVN writes down what passes and what the group drops, by a meter")
    func rows() {
        var group = LogicalSecurityGroup(
            id: SecurityGroupID("g"), name: "g", isStateful: true,
            rules: [
                .init(
                    id: SecurityGroupRuleID("r"), isIngress: true, isIPv6: false, ipProtocol: nil, portMinimum: nil,
                    portMaximum: nil, peer: .anywhere)
            ])
        group.acceptLog = "l"
        group.dropLog = "l"
        let translation = OVNTranslation(
            world: OVNWorld([.securityGroup(group)]), configuration: OVNConfiguration(northbound: [], southbound: []))
        let rules = translation.rows(group).filter { $0.key.table == .acl }
        #expect(rules.count == 3)
        #expect(rules.allSatisfy { $0.columns.bool("log") == true && $0.columns.string("name") == "neutron-l" })
        #expect(Set(rules.compactMap { $0.columns.int("priority") }) == [1001, 1002])
        #expect(translation.sharedRows().contains { $0.key.table == .meter })
    }
}
