// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import TestKit
import Testing

@testable import NetworkCore

/// Goal: an object that the data plane refuses, or whose row cannot be read, holds up no other.
/// Method: the fake driver refuses keys for as long as the test wants, and rows are spoiled by hand.
@Suite("Quarantine")
struct QuarantineTests {
    private func networks(_ count: Int, in world: NetworkWorld) async throws -> [NetworkID] {
        var ids: [NetworkID] = []
        for number in 0..<count {
            ids.append(NetworkID(try await world.make("network", ["name": .string("n\(number)")]).id))
        }
        return ids
    }

    private func isDirty(_ world: NetworkWorld) async throws -> Bool {
        try await world.environment.database.read { try !DirtyStore.isEmpty($0) }
    }

    private func spoil(_ world: NetworkWorld, _ statement: SQL) async throws {
        #expect(try await world.environment.database.write { try $0.execute(statement) } == 1)
    }

    // MARK: Refused

    @Test("the others of a batch reach the data plane; the refused one waits for its next change")
    func batch() async throws {
        let world = try await NetworkWorld()
        let ids = try await networks(9, in: world)
        let bad = ids[4]
        world.driver.refuse([.network(bad)])
        try await world.project()
        #expect(try await !isDirty(world))
        #expect(world.services.held == [.network(bad)])
        for id in ids { #expect((world.driver.objects[.network(id)] == nil) == (id == bad)) }

        world.driver.refuse([])
        #expect(try await world.call(.put, "networks/\(bad)", ["network": ["name": "good"]]).status == 200)
        try await world.project()
        #expect(world.services.held.isEmpty)
        #expect(world.logicalNetwork(bad.rawValue)?.name == "good")
    }

    @Test("several refused ones of a batch, and a refused removal")
    func many() async throws {
        let world = try await NetworkWorld()
        let ids = try await networks(8, in: world)
        try await world.project()
        let bad: Set<LogicalKey> = [.network(ids[0]), .network(ids[1]), .network(ids[7])]
        world.driver.refuse(bad)
        #expect(try await world.call(.delete, "networks/\(ids[7])").status == 204)
        for id in ids[..<7] { _ = try await world.call(.put, "networks/\(id)", ["network": ["name": "new"]]) }
        try await world.project()
        #expect(world.services.held == bad)
        for id in ids[2..<7] { #expect(world.logicalNetwork(id.rawValue)?.name == "new") }
        // What is removed is nobody's object any more: the scan takes it away.
        #expect(try await world.services.reconciler.reconcile() == 1)
        #expect(world.services.held == [.network(ids[0]), .network(ids[1])])
    }

    @Test("a data plane that is away holds nobody: all stays dirty, what was sent before it went is not sent again")
    func away() async throws {
        let world = try await NetworkWorld()
        let ids = try await networks(4, in: world)
        world.driver.failNext([CloudError(.unavailable, "no data plane")])
        await #expect(throws: CloudError.self) { try await world.services.projector.projectBatch() }
        #expect(world.services.held.isEmpty)
        #expect(world.driver.objects.isEmpty)
        // The batch is refused, its first half passes, then the data plane goes.
        world.driver.failNext([CloudError.conflict("refused")])
        world.driver.refuse([.network(ids[3])])
        try await world.project()
        #expect(world.services.held == [.network(ids[3])])
        #expect(try await !isDirty(world))
    }

    @Test("a scan repairs the rest, leaves the refused one as it is, and takes it when it may")
    func scan() async throws {
        let world = try await NetworkWorld()
        let ids = try await networks(5, in: world)
        try await world.project()
        let bad = ids[2]
        #expect(try await world.call(.put, "networks/\(bad)", ["network": ["name": "new"]]).status == 200)
        world.driver.refuse([.network(bad)])
        world.driver.tamper(.network(ids[0]), nil)
        // Nobody knows yet which one is bad: the scan finds out by itself.
        #expect(try await world.services.reconciler.reconcile() == 0)
        #expect(world.services.held == [.network(bad)])
        #expect(world.logicalNetwork(ids[0].rawValue) != nil)
        #expect(world.logicalNetwork(bad.rawValue)?.name == "n2")
        // Now it is known.
        world.driver.tamper(.network(ids[0]), nil)
        #expect(try await world.services.reconciler.reconcile() == 1)
        #expect(world.logicalNetwork(bad.rawValue)?.name == "n2")

        world.driver.refuse([])
        #expect(try await world.services.reconciler.reconcile() == 1)
        #expect(world.services.held.isEmpty)
        #expect(world.logicalNetwork(bad.rawValue)?.name == "new")
        #expect(try await world.services.reconciler.reconcile() == 0)
    }

    @Test("a refusal that is no object's fault fails the scan; port states are repaired all the same")
    func scanFails() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network)]).id
        try await world.project()
        world.driver.setComesUp(false)
        world.driver.setUp(PortID(port), true)
        let refusal = CloudError.conflict("refused")
        let parts = (world.driver.objects.count + NetworkProjector.batch - 1) / NetworkProjector.batch
        #expect(parts == 1)
        // The scan, each part and each object of it, the scan again.
        world.driver.failNext(Array(repeating: refusal, count: 2 * world.driver.objects.count + 1))
        await #expect(throws: CloudError.self) { try await world.services.reconciler.reconcile() }
        #expect(try await world.get("ports/\(port)")["port", "status"] == "ACTIVE")
    }

    // MARK: Order

    @Test("the oldest marks are sent first; a mark of the same time is newer than the one before")
    func order() async throws {
        let world = try await NetworkWorld()
        let (first, second, third) = (NetworkID("z"), NetworkID("a"), NetworkID("m"))
        let marks = try await world.environment.database.write { transaction in
            for (id, stamp) in [(first, 10), (second, 20), (third, 30), (first, 40), (second, 20)] {
                try DirtyStore.mark(.network(id), stamp: Int64(stamp), transaction)
            }
            // Of another version of the program.
            try transaction.execute("INSERT INTO network_dirty (kind, id, stamp) VALUES ('bgp', 'b', 1)")
            return try DirtyStore.marks(limit: 10, transaction)
        }
        #expect(marks.map(\.key) == [.network(second), .network(third), .network(first)])
        #expect(marks.map(\.stamp) == [21, 30, 40])
        let left = try await world.environment.database.write { transaction in
            try DirtyStore.clear([.init(key: .network(second), stamp: 20), marks[1]], transaction)
            return try DirtyStore.marks(limit: 1, transaction)
        }
        #expect(left == [marks[0]])
    }

    @Test("changes are marked in the order of time")
    func stamps() async throws {
        let world = try await NetworkWorld()
        let ids = try await networks(3, in: world)
        _ = try await world.call(.put, "networks/\(ids[0])", ["network": ["name": "again"]])
        let keys = try await world.environment.database.read { try DirtyStore.marks(limit: 10, $0).map(\.key) }
        #expect(keys.filter { $0.kind == "network" } == [ids[1], ids[2], ids[0]].map(LogicalKey.network))
    }

    // MARK: Unreadable rows

    @Test("a row that cannot be read is reported and left as it is in the data plane; the others go on")
    func unreadable() async throws {
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
        try await world.project()
        // Ports that came up.
        _ = try await world.services.reconciler.reconcile()
        let before = world.driver.objects

        try await spoil(world, "UPDATE floatingips SET address = 'x' WHERE id = \(floating)")
        try await spoil(world, "UPDATE ports SET fixed_ips = '[{]' WHERE id = \(port)")
        _ = try await world.make("network", ["name": "other"])
        try await world.environment.database.write { transaction in
            try DirtyStore.mark(.router(RouterID(router)), stamp: 1, transaction)
            try DirtyStore.mark(.port(PortID(port)), stamp: 1, transaction)
        }
        try await world.project()
        #expect(try await !isDirty(world))
        #expect(world.services.held == [.router(RouterID(router)), .port(PortID(port))])
        #expect(world.driver.objects.count == before.count + 1)
        world.driver.tamper(.network(NetworkID(network)), nil)
        #expect(try await world.services.reconciler.reconcile() == 1)
        for key in before.keys { #expect(world.driver.objects[key] == before[key]) }

        try await spoil(world, "UPDATE floatingips SET address = '172.24.4.99' WHERE id = \(floating)")
        _ = try await world.services.reconciler.reconcile()
        #expect(world.services.held == [.port(PortID(port))])
        #expect(world.logicalRouter(router)?.floatingAddresses.map(\.address) == ["172.24.4.99"])
    }

    @Test("a call that needs a spoiled value fails alone, and the log is told row and column")
    func spoiled() async throws {
        let world = try await NetworkWorld()
        let external = try await world.makeExternal()
        let (network, subnet) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let floating = try await world.make("floatingip", ["floating_network_id": .string(external.network)]).id
        let router = try await world.make("router", [:]).id
        try await spoil(world, "UPDATE floatingips SET address = 'x' WHERE id = \(floating)")
        try await spoil(world, "UPDATE subnets SET cidr = 'x' WHERE id = \(subnet)")
        try await spoil(world, "UPDATE ports SET mac = 'x' WHERE id = \(port)")
        try await spoil(world, "UPDATE routers SET tags = '{}' WHERE id = \(router)")
        for path in ["floatingips", "floatingips/\(floating)", "subnets/\(subnet)", "routers/\(router)/tags"] {
            let answer = try await world.get(path)
            #expect(answer.status == 500, "\(path)")
            #expect(answer.fault == "HTTPInternalServerError")
            #expect(!answer.text.contains("cidr") && !answer.text.contains("address"))
        }
        #expect(try await world.call(.put, "ports/\(port)", ["port": ["name": "n"]]).status == 500)
        #expect(try await world.get("networks").status == 200)
        let fault = await #expect(throws: CloudError.self) {
            try await world.environment.database.read { try SubnetStore.find(SubnetID(subnet), $0) }
        }
        #expect(fault?.cause == "subnets \(subnet): cidr is no CIDR: 'x'")
    }

    @Test("words that nobody knows are no leave to share, and no kind of network")
    func words() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let policy = try await world.make(
            "rbac_policy",
            [
                "object_type": "network", "object_id": .string(network), "action": "access_as_shared",
                "target_tenant": "p-other",
            ]
        ).id
        try await spoil(world, "UPDATE network_rbac SET action = 'access_as_guest' WHERE id = \(policy)")
        #expect(try await world.get("rbac-policies/\(policy)").status == 500)
        #expect(try await world.get("rbac-policies").status == 500)
        #expect(try await world.get("networks/\(network)", as: .other).status == 404)
        let fault = await #expect(throws: CloudError.self) {
            try await world.environment.database.read { try RBACStore.find(RBACPolicyID(policy), $0) }
        }
        #expect(fault?.code == .bug)
        #expect(
            fault?.cause == "row with id '\(policy)': action is no NetworkCore.RBACPolicy.Action: 'access_as_guest'")

        try await spoil(world, "UPDATE networks SET kind = 'vxlan' WHERE id = \(network)")
        _ = try await world.services.reconciler.reconcile()
        #expect(world.services.held.contains(.network(NetworkID(network))))
    }

    @Test("stored lists", arguments: ["", "{}", "[", "[1]", "[\"a\"", "null"])
    func lists(_ text: String) throws {
        let fault = #expect(throws: CloudError.self) {
            try JSONList.strings(text, at: StoredPlace("ports", "p1", "groups"))
        }
        #expect(fault?.code == .bug && fault?.cause?.hasPrefix("ports p1: groups is no ") == true)
        #expect(try JSONList.strings("[\"a\"]", at: StoredPlace("ports", "p1", "groups")) == ["a"])
    }
}
