// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import NetworkContract
import Testing

/// What every network driver must do, whatever it drives. Run it on the fake and on each real one: the engine's tests
/// are worth as much as the two agree.
struct NetworkDriverConformance {
    let driver: any NetworkDriver
    /// Plays the host: plugs a port, or takes it out.
    let setPlugged: @Sendable (PortID, Bool) async throws -> Void

    /// Longer than any data plane takes; a test that waits so long has failed.
    static let limit = Duration.seconds(20)

    func checkAll() async throws {
        try await repeatedApply()
        try await anyOrder()
        try await changes()
        try await removal()
        try await repair()
        try await keeping()
        try await crowd()
        try await portStates()
        #expect(try await driver.synchronize([]) > 0)
        #expect(try await driver.synchronize([]) == 0)
    }

    private func repeatedApply() async throws {
        let objects = OVNSampleCloud().objects
        _ = try await driver.synchronize([])
        try await driver.apply(objects, removed: [])
        try await driver.apply(objects, removed: [])
        #expect(try await driver.synchronize(objects) == 0, "applied twice")
    }

    private func anyOrder() async throws {
        let objects = OVNSampleCloud().objects
        for order in [objects, objects.reversed(), objects.shuffled()] {
            _ = try await driver.synchronize([])
            for object in order { try await driver.apply([object], removed: []) }
            #expect(try await driver.synchronize(objects) == 0, "one by one: \(order.map(\.key))")
        }
    }

    private func changes() async throws {
        var cloud = OVNSampleCloud()
        _ = try await driver.synchronize(cloud.objects)
        cloud.group.rules.removeLast()
        cloud.guests[0].host = "node-2"
        cloud.guests[1].securityGroups = []
        cloud.guests[0].qos = nil
        cloud.guests[1].extraDHCPOptions = []
        cloud.guests[1].parent = .init(port: cloud.guests[0].id, vlan: 7)
        cloud.router.floatingAddresses = []
        cloud.router.portForwardings[0].targets = [22: "10.1.0.11:22"]
        cloud.router.gatewayQoS = LogicalQoS(egress: .init(kbps: 1))
        cloud.network.subnets[0].dnsServers = ["1.1.1.1"]
        for object in cloud.objects { try await driver.apply([object], removed: []) }
        #expect(try await driver.synchronize(cloud.objects) == 0, "changed by apply")
        #expect(try await driver.synchronize(OVNSampleCloud().objects) > 0)
    }

    private func removal() async throws {
        let objects = OVNSampleCloud().objects
        _ = try await driver.synchronize(objects)
        // What others refer to goes first; what is gone may go again.
        for key in objects.map(\.key) + objects.map(\.key) { try await driver.apply([], removed: [key]) }
        #expect(try await driver.synchronize([]) == 0, "all removed")
    }

    private func repair() async throws {
        let objects = OVNSampleCloud().objects
        _ = try await driver.synchronize(objects)
        for index in objects.indices {
            var rest = objects
            // A floating address's own port leaves no trace in some data planes.
            let mayBeInvisible =
                if case .port(let port) = rest.remove(at: index) { port.kind == .reserved } else { false }
            let changes = try await driver.synchronize(rest)
            #expect(changes > 0 || mayBeInvisible, "without \(objects[index].key)")
            _ = try await driver.synchronize(objects)
            #expect(try await driver.synchronize(objects) == 0, "again with \(objects[index].key)")
        }
    }

    private func keeping() async throws {
        var cloud = OVNSampleCloud()
        let objects = cloud.objects
        _ = try await driver.synchronize(objects)
        for index in objects.indices {
            var rest = objects
            let key = rest.remove(at: index).key
            #expect(try await driver.synchronize(rest, keeping: [key]) == 0, "without \(key)")
        }
        // Not what it shall be, but what it is.
        cloud.guests[0].macAddress = "fa:16:3e:00:00:99"
        let kept = Set(cloud.guests.map { LogicalKey.port($0.id) })
        #expect(try await driver.synchronize(objects.filter { !kept.contains($0.key) }, keeping: kept) == 0)
        #expect(try await driver.synchronize(cloud.objects) > 0)
        #expect(try await driver.synchronize(objects.filter { !kept.contains($0.key) }) > 0)
    }

    private func crowd() async throws {
        let guests = (100..<150).map { LogicalObject.port(OVNSampleCloud.guest($0, "10.1.0.\($0)")) }
        let objects = OVNSampleCloud().objects
        _ = try await driver.synchronize(objects)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for guest in guests { group.addTask { try await driver.apply([guest], removed: []) } }
            try await group.waitForAll()
        }
        #expect(try await driver.synchronize(objects + guests) == 0, "applied side by side")
    }

    private func portStates() async throws {
        let cloud = OVNSampleCloud()
        let port = cloud.guests[0].id
        _ = try await driver.synchronize(cloud.objects)
        let states = driver.portStates()
        for isUp in [true, false, true] {
            try await setPlugged(port, isUp)
            try await withTimeout(Self.limit, "the port") {
                for await state in states where state.port == port && state.isUp == isUp { break }
            }
            #expect(try await driver.portsUp().contains(port) == isUp)
            #expect(try await !driver.portsUp().contains(cloud.guests[1].id))
        }
    }
}

@Suite("Fake network driver")
struct FakeNetworkDriverTests {
    @Test("keeps what every driver must keep")
    func conformance() async throws {
        let driver = FakeNetworkDriver()
        driver.setComesUp(false)
        try await NetworkDriverConformance(driver: driver) { driver.setUp($0, $1) }.checkAll()
    }
}
