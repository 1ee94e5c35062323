// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit
import Testing

@testable import NetworkDriverOVN

/// Goal: the difference between wanted rows and the database is found whole, and nothing else is touched.
/// Method: a replica made by hand, compared with rows, and the operations of the plan read.
@Suite("OVN differ")
struct OVNDifferTests {
    private static let switchID = RowID(high: 1, low: 1)
    private static let portID = RowID(high: 1, low: 2)
    private static let foreignID = RowID(high: 1, low: 3)

    private let networkRow = OVNRow(.logicalSwitch, "n", owner: .network("n"), ["name": .string("neutron-n")])
    private let portRow = OVNRow(
        .switchPort, "p", owner: .port("p"), ["name": .string("p"), "type": .string("")], links: [.ports(of: "n")])

    private func replica(_ rows: [(OVNTable, RowID, OVSDBRow)] = []) -> OVSDBReplica {
        let optional = OVSDBSchema.Column(shape: .set, initial: .empty)
        let map = OVSDBSchema.Column(shape: .map, initial: .map([:]))
        let text = OVSDBSchema.Column(shape: .scalar, initial: .string(""))
        let columns = [
            "name": text, "type": text, "ports": optional, "acls": optional, "dns_records": optional, "nat": optional,
            "static_routes": optional, "gateway_chassis": optional, "qos_rules": optional, "load_balancer": optional,
            "external_ids": map,
        ]
        let schema = OVSDBSchema(
            name: "OVN_Northbound",
            tables: Dictionary(uniqueKeysWithValues: OVNTable.allCases.map { ($0.rawValue, columns) }))
        var replica = OVSDBReplica(schema: schema, indexes: OVNNorthbound.indexes)
        for (table, id, row) in rows { replica.set(table.rawValue, id, row) }
        return replica
    }

    private func stored(_ row: OVNRow, _ more: OVSDBRow = [:]) -> OVSDBRow {
        row.columns.merging(["external_ids": .pairs(row.externalIDs)]) { $1 }.merging(more) { $1 }
    }

    private func both() -> OVSDBReplica {
        replica([
            (.logicalSwitch, Self.switchID, stored(networkRow, ["ports": .uuid(Self.portID)])),
            (.switchPort, Self.portID, stored(portRow)),
        ])
    }

    private func operations(_ plan: OVNPlan) -> [String] {
        (plan.transaction.json.array ?? []).map { "\($0["op"]?.string ?? "") \($0["table"]?.string ?? "")" }
    }

    @Test("equal sides need nothing")
    func equal() {
        #expect(OVNDiffer.plan([networkRow, portRow], in: nil, both()).transaction.isEmpty)
    }

    @Test("a new child of a new parent is part of the parent's insert")
    func newRows() throws {
        let plan = OVNDiffer.plan([portRow, networkRow], in: nil, replica())
        #expect(operations(plan) == ["wait Logical_Switch", "insert Logical_Switch", "insert Logical_Switch_Port"])
        #expect(plan.changes == 2)
        let ports = plan.transaction.json.array?[1]["row"]?["ports"]
        #expect(ports == ["named-uuid", "new1"])
    }

    @Test("a child waits for its parent, and is linked when that comes")
    func waiting() {
        let waiting = OVNDiffer.plan([portRow], in: [.port("p")], replica())
        #expect(waiting.transaction.isEmpty)
        #expect(waiting.waiting == [OVNKey(.switchPort, "p")])
        let there = replica([(.logicalSwitch, Self.switchID, stored(networkRow))])
        let plan = OVNDiffer.plan([portRow], in: [.port("p")], there)
        #expect(operations(plan) == ["insert Logical_Switch_Port", "mutate Logical_Switch"])
    }

    @Test("a different column is corrected; external ids of others stay")
    func update() {
        var row = stored(networkRow, ["name": .string("wrong")])
        row["external_ids"] = .pairs(
            networkRow.externalIDs.merging(["octavia:x": "1", "neutron:old": "1"]) { $1 })
        let plan = OVNDiffer.plan([networkRow], in: nil, replica([(.logicalSwitch, Self.switchID, row)]))
        #expect(operations(plan) == ["update Logical_Switch"])
        let update = plan.transaction.json.array?.first?["row"]
        #expect(update?["name"] == "neutron-n")
        let ids = update?["external_ids"]?.array?[1].array?.compactMap { $0.array?.first?.string } ?? []
        #expect(ids.sorted() == ["haneul:id", "haneul:owner", "octavia:x"])
    }

    @Test("what is not wanted goes: children by their parents, roots by themselves")
    func removal() {
        #expect(operations(OVNDiffer.plan([networkRow], in: nil, both())) == ["mutate Logical_Switch"])
        let all = OVNDiffer.plan([], in: nil, both())
        #expect(operations(all) == ["delete Logical_Switch"])
        #expect(all.changes == 2)
    }

    @Test("outside of the scope nothing is touched, nor rows without our ids")
    func scope() {
        var replica = both()
        replica.set(OVNTable.logicalSwitch.rawValue, Self.foreignID, ["name": .string("by hand")])
        #expect(OVNDiffer.plan([], in: [.port("other")], replica).transaction.isEmpty)
        #expect(operations(OVNDiffer.plan([networkRow], in: nil, replica)) == ["mutate Logical_Switch"])
    }

    @Test("a row that two writers inserted is kept once")
    func duplicates() {
        let twin = (OVNTable.logicalSwitch, Self.foreignID, stored(networkRow))
        let plan = OVNDiffer.plan(
            [networkRow], in: nil, replica([(.logicalSwitch, Self.switchID, stored(networkRow)), twin]))
        #expect(operations(plan) == ["delete Logical_Switch"])
        #expect(plan.changes == 1)
    }

    @Test("membership of groups is made and cut without touching the port")
    func membership() {
        let group = OVNRow(.portGroup, "g", owner: .group("g"), ["name": .string("pg_g")])
        var member = portRow
        member.links.insert(.members(of: "g"))
        var replica = both()
        let id = RowID(high: 2, low: 1)
        replica.set(OVNTable.portGroup.rawValue, id, stored(group))
        #expect(operations(OVNDiffer.plan([member], in: [.port("p")], replica)) == ["mutate Port_Group"])
        replica.set(OVNTable.portGroup.rawValue, id, stored(group, ["ports": .uuid(Self.portID)]))
        #expect(OVNDiffer.plan([member], in: [.port("p")], replica).transaction.isEmpty)
        #expect(operations(OVNDiffer.plan([portRow], in: [.port("p")], replica)) == ["mutate Port_Group"])
        // A port that was there before its group is put in when the group comes.
        let plan = OVNDiffer.plan([member, group], in: [.port("p"), .group("g")], both())
        #expect(operations(plan) == ["insert Port_Group", "mutate Port_Group"])
    }

    @Test("what is kept is neither removed nor corrected")
    func kept() {
        #expect(OVNDiffer.plan([networkRow], in: nil, keeping: [.port("p")], both()).transaction.isEmpty)
        #expect(OVNDiffer.plan([], in: nil, keeping: [.port("p"), .network("n")], both()).transaction.isEmpty)
    }
}
