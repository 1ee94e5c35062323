// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import TaskKit
import TestKit
import Testing

/// Goal: the data plane ends equal to the database whatever fails between, and ports are up only when it says so.
@Suite("Projection to the data plane")
struct ProjectorTests {
    @Test("a refused change stays dirty and is sent again")
    func retry() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        world.driver.failNext([CloudError(.unavailable, "no data plane")])
        await #expect(throws: CloudError.self) { try await world.services.projector.projectBatch() }
        #expect(world.logicalNetwork(network) == nil)
        try await world.project()
        #expect(world.logicalNetwork(network)?.subnets.count == 1)
        #expect(try await world.services.projector.projectBatch() == false)
    }

    @Test("the reconciler repairs what was changed behind the engine's back")
    func reconcile() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        try await world.project()
        #expect(try await world.services.reconciler.reconcile() == 0)
        world.driver.tamper(.network(NetworkID(network)), nil)
        #expect(try await world.services.reconciler.reconcile() == 1)
        #expect(world.logicalNetwork(network) != nil)
    }

    @Test("services at work: a bound port comes up, is waited for, and goes down")
    func portStates() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        try await withServices(world.services.services) {
            let id: PortID = IDSource.random.next()
            let made = try await world.compute.ensureServerPort(
                id, ServerPortRequest(network: NetworkID(network)), server: "s1", zone: "nova",
                for: NetworkWorld.User.demo.principal)
            #expect(!made.isUp)
            #expect(try await !world.compute.waitUntilUp(id, limit: .milliseconds(30)))
            try await world.compute.bindPort(id, server: "s1", host: "fake")
            #expect(try await world.compute.waitUntilUp(id, limit: .seconds(20)))
            let shown = try await world.get("ports/\(id)", as: .admin)
            #expect(shown["port", "status"] == "ACTIVE")
            #expect(shown["port", "binding:vif_type"] == "ovs")
            world.driver.setUp(id, false)
            try await eventually { try await world.get("ports/\(id)")["port", "status"] == "DOWN" }
            // A server that leaves its host keeps its port.
            for _ in 0..<2 { try await world.compute.unbindPort(id, server: "s1") }
            let unbound = try await world.get("ports/\(id)", as: .admin)
            #expect(unbound["port", "binding:host_id"] == "" && unbound["port", "device_id"] == "s1")
            try await world.compute.bindPort(id, server: "s1", host: "fake")
            try await world.compute.unbindPort(id, server: "another")
            #expect(try await world.get("ports/\(id)", as: .admin)["port", "binding:host_id"] == "fake")
        }
    }

    @Test("missed port states are found by the reconciler")
    func missedStates() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let id: PortID = IDSource.random.next()
        _ = try await world.compute.ensureServerPort(
            id, ServerPortRequest(network: NetworkID(network)), server: "s1", zone: "nova",
            for: NetworkWorld.User.demo.principal)
        try await world.compute.bindPort(id, server: "s1", host: "fake")
        try await world.project()
        #expect(try await world.services.reconciler.reconcile() == 1)
        #expect(try await world.compute.waitUntilUp(id, limit: .seconds(1)))
    }

    @Test("a state that comes while the reconciler looks is not overwritten by what it saw")
    func stateDuringScan() async throws {
        let world = try await NetworkWorld()
        world.driver.setComesUp(false)
        let (network, _) = try await world.makeNetwork()
        let id = PortID(try await world.make("port", ["network_id": .string(network)]).id)
        try await world.project()
        @Sendable func status() async throws -> JSON? { try await world.get("ports/\(id)")["port", "status"] }
        try await withServices(world.services.services) {
            // The services listen once a first state has arrived.
            world.driver.setUp(id, true)
            try await eventually { try await status() == "ACTIVE" }
            world.driver.setUp(id, false)
            try await eventually { try await status() == "DOWN" }
            world.driver.afterNextLook {
                world.driver.setUp(id, true)
                // Time for a writer that does not wait for its turn.
                try? await eventually(within: .milliseconds(200)) {  // Nothing is written: that is the point.
                    try await status() == "ACTIVE"
                }
            }
            #expect(try await world.services.reconciler.reconcile() == 0)
            try await eventually { try await status() == "ACTIVE" }
            #expect(try await world.services.reconciler.reconcile() == 0)
            #expect(try await status() == "ACTIVE")
        }
    }
}
