// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: labels, their rules and routers' helpers are kept as upstream keeps them, where the data plane has such.
/// Method: the API on the fake data plane, which has all.
@Suite("Metering and conntrack helpers")
struct MeteringTests {
    @Test("labels and rules: made by administrators, found by filter, no address counted twice")
    func metering() async throws {
        let world = try await NetworkWorld()
        func create(_ name: String, _ body: JSON, as user: NetworkWorld.User = .admin) async throws
            -> NetworkWorld.Answer
        {
            let path = "metering/" + name.map { $0 == "_" ? "-" : String($0) }.joined() + "s"
            return try await world.call(.post, path, .object([name: body]), as: user)
        }
        #expect(try await create("metering_label", ["name": "x"], as: .demo).status == 403)
        let long = String(repeating: "x", count: 256)
        #expect(try await create("metering_label", ["name": .string(long)]).status == 400)
        let label = try await create("metering_label", ["name": "l", "description": "d"])
        #expect(label.status == 201 && label["metering_label", "shared"] == false)
        let id = try label.string("metering_label", "id")
        func rule(_ prefix: String, _ direction: String = "ingress") async throws -> NetworkWorld.Answer {
            try await create(
                "metering_label_rule",
                [
                    "metering_label_id": .string(id), "direction": .string(direction),
                    "remote_ip_prefix": .string(prefix),
                ])
        }
        let made = try await rule("10.0.0.0/24")
        #expect(made.status == 201 && made["metering_label_rule", "excluded"] == false)
        #expect(try await rule("10.0.0.0/25").fault == "MeteringLabelRuleOverlaps")
        #expect(try await rule("10.0.0.0/25", "egress").status == 201)
        #expect(try await rule("nonsense").status == 400)
        let bare: JSON = ["metering_label_id": .string(id), "direction": "ingress"]
        #expect(try await create("metering_label_rule", bare).status == 400)
        let labels = "metering/metering-labels"
        #expect(try await world.get("\(labels)?id=33", as: .admin)["metering_labels"]?.array?.count == 0)
        #expect(try await world.get("\(labels)/\(id)", as: .demo).status == 404)
        let rules = "metering/metering-label-rules"
        let one = try made.string("metering_label_rule", "id")
        #expect(try await world.get("\(rules)?id=\(one)", as: .admin)["metering_label_rules"]?.array?.count == 1)
        #expect(try await world.call(.delete, "\(rules)/\(one)", as: .admin).status == 204)
        #expect(try await world.call(.delete, "\(labels)/\(id)", as: .admin).status == 204)
        #expect(try await world.get(rules, as: .admin)["metering_label_rules"]?.array?.count == 0)
    }

    @Test("helpers of a router: only those that there are, one for each port")
    func helpers() async throws {
        let world = try await NetworkWorld()
        let router = try await world.make("router", [:])
        #expect(router["conntrack_helpers"] == [])
        let path = "routers/\(router.id)/conntrack_helpers"
        func add(_ helper: String, _ transport: String, _ port: Int64) async throws -> NetworkWorld.Answer {
            let body: JSON = ["helper": .string(helper), "protocol": .string(transport), "port": .int(port)]
            return try await world.call(.post, path, ["conntrack_helper": body])
        }
        let made = try await add("tftp", "udp", 69)
        #expect(made.status == 201)
        let id = try made.string("conntrack_helper", "id")
        #expect(try await add("ftp", "tcp", 21).status == 201)
        #expect(try await add("tftp", "udp", 69).status == 400)
        #expect(try await add("tftp", "tcp", 70).fault == "InvalidProtocolForHelper")
        #expect(try await add("smtp", "tcp", 25).fault == "ConntrackHelperNotAllowed")
        #expect(try await world.get(path)["conntrack_helpers"]?.array?.count == 2)
        let shown = try await world.get("routers/\(router.id)")["router", "conntrack_helpers"]?.array ?? []
        #expect(shown.contains(["helper": "ftp", "protocol": "tcp", "port": 21]))
        let changed = try await world.call(.put, "\(path)/\(id)", ["conntrack_helper": ["port": 6969]])
        #expect(changed["conntrack_helper", "port"] == 6969)
        #expect(try await world.get("\(path)/\(id)", as: .other).status == 404)
        #expect(try await world.call(.delete, "\(path)/\(id)").status == 204)
        #expect(try await world.get("\(path)/\(id)").fault == "ConntrackHelperNotFound")
        #expect(try await world.call(.delete, "routers/\(router.id)").status == 204)
    }

    @Test("an extension is listed only where the data plane does what it says")
    func extensions() async throws {
        let world = try await NetworkWorld()
        let listed = Set(
            try await world.get("extensions")["extensions"]?.array?.compactMap { $0["alias"]?.string } ?? [])
        #expect(
            listed.isSuperset(of: [
                "qos", "qos-fip", "trunk", "trunk-details", "floating-ip-port-forwarding", "metering",
                "l3-conntrack-helper",
            ]))
    }
}
