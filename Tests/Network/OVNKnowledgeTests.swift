// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import Testing

@testable import NetworkDriverOVN

/// Goal: what the driver believes is what the database has taken, whatever happens to a call.
/// Method: pure; calls are taken, accepted and taken back by hand.
@Suite("What the OVN driver knows")
struct OVNKnowledgeTests {
    private let cloud = OVNSampleCloud()

    private func synchronized(_ objects: [LogicalObject], keeping kept: Set<LogicalKey> = []) -> OVNKnowledge {
        var known = OVNKnowledge()
        _ = known.replace(with: objects, keeping: kept)
        known.isSynchronized = true
        return known
    }

    private func change(_ object: LogicalObject) -> [(LogicalKey, LogicalObject?)] { [(object.key, object)] }

    @Test("a refused call leaves nothing behind; of one without an answer all units are owed")
    func failures() {
        var known = synchronized(cloud.objects)
        var spoiled = cloud.network
        spoiled.subnets = []
        let key = LogicalKey.network(cloud.network.id)
        let refused = known.take(change(.network(spoiled)))
        #expect(refused.units.isSuperset(of: Set(cloud.guests.map { .port($0.id.rawValue) })))
        known.takeBack(refused, isRefused: true)
        #expect(known.world[key] == .network(cloud.network))
        #expect(known.owed.isEmpty)

        let lost = known.take(change(.network(spoiled)))
        known.takeBack(lost, isRefused: false)
        #expect(known.world[key] == .network(cloud.network))
        #expect(known.owed == lost.units)
        // The next call pays, and its own units are computed anew.
        let next = known.take(change(.network(spoiled)))
        #expect(next.owed == lost.units && next.units == lost.units)
        known.accept([key])
        #expect(known.world[key] == .network(spoiled) && known.owed.isEmpty)
    }

    @Test("the last of two changes of one object is taken back first")
    func twice() {
        var known = synchronized([])
        var renamed = cloud.network
        renamed.name = "renamed"
        let work = known.take(change(.network(cloud.network)) + change(.network(renamed)))
        known.takeBack(work, isRefused: true)
        #expect(known.world[.network(cloud.network.id)] == nil)
    }

    @Test("of what is kept the last value stays; what was never known is not touched, nor what depends on it")
    func keeping() {
        let key = LogicalKey.network(cloud.network.id)
        let rest = cloud.objects.filter { $0.key != key }
        var known = synchronized(cloud.objects)
        _ = known.replace(with: rest, keeping: [key])
        #expect(known.world[key] == .network(cloud.network))
        #expect(known.untouched.isEmpty)

        var fresh = synchronized(rest, keeping: [key])
        let guest = OVNUnit.port(cloud.guests[0].id.rawValue)
        #expect(fresh.untouched.contains(guest) && fresh.untouched.contains(.names(cloud.network.id.rawValue)))
        var router = cloud.router
        router.interfaces.removeAll { $0.isGateway }
        let work = fresh.take(change(.router(router)))
        #expect(work.units.contains(.router(router.id.rawValue)))
        #expect(!work.units.contains(.port(cloud.routerPort.id.rawValue)))
        // The object itself brings back all that waits for it.
        let own = fresh.take(change(.network(cloud.network)))
        #expect(own.units.contains(guest))
        fresh.accept([key])
        #expect(fresh.untouched.isEmpty)
    }

    @Test("gateways are owed when hosts change, and paid only with a whole world")
    func gateways() {
        var known = OVNKnowledge()
        let host = OVNGatewayChassis(name: "node-1", physicalNetworks: ["physnet1"])
        let router = OVNUnit.router(cloud.router.id.rawValue)
        _ = known.take(change(.router(cloud.router)))
        known.setChassis([host])
        #expect(known.owed == [router])
        #expect(known.take(change(.port(cloud.guests[0]))).owed.isEmpty)
        known.isSynchronized = true
        #expect(known.take(change(.port(cloud.guests[0]))).owed == [router])
        known.setChassis([host])
        #expect(known.owed.isEmpty)
    }
}
