// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import NetworkContract
import OVSDBKit
import Testing

@testable import NetworkDriverOVN

/// Goal: the driver and a real OVN agree.
/// Method: OVN's databases and northd in a folder, the driver on them, and the test in the place of the hosts.
@Suite("OVN driver on a real OVN", .enabled(if: OVNHost.isInstalled), .serialized)
struct OVNHostTests {
    private func withDriver(
        _ body: @escaping @Sendable (OVNDriver, OVNHost) async throws -> Void
    ) async throws {
        try await OVNHost.with { host in
            try await host.addChassis("node-1", isGateway: true)
            try await run(host, body)
        }
    }

    private func run(
        _ host: OVNHost, _ body: @escaping @Sendable (OVNDriver, OVNHost) async throws -> Void
    ) async throws {
        let driver = OVNDriver(
            OVNConfiguration(
                northbound: [host.northboundEndpoint], southbound: [host.southboundEndpoint],
                agentDownTime: .seconds(1)))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await driver.run()
                return false
            }
            group.addTask {
                try await body(driver, host)
                return true
            }
            defer { group.cancelAll() }
            while let isEnd = try await group.next(), !isEnd {}
        }
    }

    private func until(_ what: String, _ isTrue: @escaping @Sendable () async throws -> Bool) async throws {
        try await withTimeout(.seconds(20), what) {
            while try await !isTrue() { await Signal().wait(atMost: .milliseconds(20)) }
        }
    }

    private func rows(_ driver: OVNDriver, _ table: OVNTable) throws -> [OVSDBRow] {
        try driver.northbound.read { Array($0.rows(table.rawValue).values) }
    }

    @Test("keeps what every driver must keep")
    func conformance() async throws {
        try await withDriver { driver, host in
            try await NetworkDriverConformance(driver: driver) { port, isPlugged in
                try await host.setPlugged(port.rawValue, on: "node-1", isPlugged)
            }.checkAll()
        }
    }

    @Test("what hands have changed in the database is repaired")
    func repair() async throws {
        try await withDriver { driver, _ in
            let objects = OVNSampleCloud().objects
            _ = try await driver.synchronize(objects)
            var transaction = OVSDBTransaction()
            for (id, row) in try driver.northbound.read({ $0.rows("ACL") }) where row.string("action") == "drop" {
                transaction.update("ACL", id, ["action": .string("allow")])
            }
            for id in try driver.northbound.read({ $0.rows("Logical_Router").keys }) {
                transaction.delete("Logical_Router", id)
            }
            try await driver.northbound.transact(transaction)
            #expect(try await driver.synchronize(objects) > 3)
            #expect(try await driver.synchronize(objects) == 0)
        }
    }

    @Test("a bad object fails its own call only")
    func badObject() async throws {
        try await withDriver { driver, _ in
            var cloud = OVNSampleCloud()
            _ = try await driver.synchronize(cloud.objects)
            cloud.external.provider?.vlan = 5000
            let bad = LogicalObject.network(cloud.external)
            let guests = (100..<120).map { LogicalObject.port(OVNSampleCloud.guest($0, "10.1.0.\($0)")) }
            await withTaskGroup(of: Void.self) { group in
                for guest in guests {
                    group.addTask {
                        await #expect(throws: Never.self) { try await driver.apply([guest], removed: []) }
                    }
                }
                group.addTask {
                    await #expect(throws: CloudError.self) { try await driver.apply([bad], removed: []) }
                }
            }
            #expect(try await driver.synchronize(OVNSampleCloud().objects + guests) == 0)
        }
    }

    @Test("a refused object is forgotten: what touches it later is not refused with it")
    func refusedObject() async throws {
        try await withDriver { driver, _ in
            var cloud = OVNSampleCloud()
            _ = try await driver.synchronize(cloud.objects)
            let good = cloud.external
            cloud.external.provider?.vlan = 5000
            let fault = await #expect(throws: CloudError.self) {
                try await driver.apply([.network(cloud.external)], removed: [])
            }
            #expect(fault?.isRefusal == true)
            // The router and its gateway's port look at the external network.
            cloud.router.isEnabled = false
            cloud.gatewayPort.name = "renamed"
            try await driver.apply([.router(cloud.router), .port(cloud.gatewayPort)], removed: [])
            cloud.external = good
            #expect(try await driver.synchronize(cloud.objects) == 0)
        }
    }

    @Test("a driver that starts anew keeps what it does not know and must not touch")
    func restartKeeping() async throws {
        try await OVNHost.with { host in
            try await host.addChassis("node-1", isGateway: true)
            let objects = OVNSampleCloud().objects
            try await run(host) { driver, _ in _ = try await driver.synchronize(objects) }
            for index in objects.indices {
                let key = objects[index].key
                let rest = objects.filter { $0.key != key }
                let names = if case .port = key { 1 } else { 0 }
                try await run(host) { driver, _ in
                    // A port's name is part of its network's names, which are written anew.
                    #expect(try await driver.synchronize(rest, keeping: [key]) <= names + 1, "without \(key)")
                    let tables: [OVNTable] = [.logicalSwitch, .switchPort, .router, .portGroup]
                    let counts = try tables.map { try rows(driver, $0).count }
                    #expect(counts == [2, 6, 1, 2], "without \(key)")
                    // What touches it leaves it alone; given itself, it is written.
                    try await driver.apply([rest[0]], removed: [])
                    try await driver.apply([objects[index]], removed: [])
                    #expect(try await driver.synchronize(objects) <= names + 1, "again with \(key)")
                    #expect(try await driver.synchronize(objects) == 0, "again with \(key)")
                }
            }
        }
    }

    @Test("a driver that starts anew changes nothing, and writes only what it is given before it knows all")
    func restart() async throws {
        try await OVNHost.with { host in
            try await host.addChassis("node-1", isGateway: true)
            let cloud = OVNSampleCloud()
            try await run(host) { driver, _ in _ = try await driver.synchronize(cloud.objects) }
            try await run(host) { driver, _ in
                try await driver.apply([.port(cloud.guests[0])], removed: [])
                #expect(try rows(driver, .dns).first?["records"]?.stringMap.count == 6)
                #expect(try await driver.synchronize(cloud.objects) <= 1)
                #expect(try await driver.synchronize(cloud.objects) == 0)
            }
        }
    }

    @Test("bounds, forwarded ports and DHCP options go with what they belong to; a subport comes and goes")
    func guestServices() async throws {
        try await withDriver { driver, _ in
            var cloud = OVNSampleCloud()
            _ = try await driver.synchronize(cloud.objects)
            let tables: [OVNTable] = [.qos, .loadBalancer, .dhcpOptions]
            #expect(try tables.map { try rows(driver, $0).count } == [5, 1, 2])
            cloud.guests[1].parent = .init(port: cloud.guests[0].id, vlan: 101)
            try await driver.apply([.port(cloud.guests[1])], removed: [])
            let tags = try rows(driver, .switchPort).map { $0.string("parent_name") }.filter { !$0.isEmpty }
            #expect(tags == [cloud.guests[0].id.rawValue])
            cloud.guests[1].parent = nil
            cloud.guests[0].qos = nil
            cloud.guests[1].extraDHCPOptions = []
            cloud.router.portForwardings = []
            cloud.router.gatewayQoS = nil
            cloud.router.floatingAddresses[0].qos = nil
            for object in cloud.objects { try await driver.apply([object], removed: []) }
            #expect(try tables.map { try rows(driver, $0).count } == [0, 0, 1])
            #expect(try await driver.synchronize(cloud.objects) == 0)
        }
    }

    @Test("ports of routers are up by themselves")
    func routerPorts() async throws {
        try await withDriver { driver, _ in
            let cloud = OVNSampleCloud()
            _ = try await driver.synchronize(cloud.objects)
            try await until("router ports") {
                try await driver.portsUp() == [cloud.routerPort.id, cloud.gatewayPort.id]
            }
        }
    }

    @Test("gateways follow the hosts; a host that does not follow is shown as down")
    func chassis() async throws {
        try await withDriver { driver, host in
            _ = try await driver.synchronize(OVNSampleCloud().objects)
            @Sendable func gateways() throws -> [String] {
                try rows(driver, .gatewayChassis).map { $0.string("chassis_name") }.sorted()
            }
            #expect(try gateways() == ["node-1"])
            try await host.addChassis("node-2", isGateway: true)
            try await host.addChassis("node-3", isGateway: false)
            try await until("a second gateway") { try gateways() == ["node-1", "node-2"] }
            try await host.removeChassis("node-1")
            try await until("one gateway") { try gateways() == ["node-2"] }
            #expect(try await driver.synchronize(OVNSampleCloud().objects) == 0)
            #expect(try await driver.chassis().map(\.hostname) == ["node-2", "node-3"])
            #expect(try await driver.chassis().map(\.isGateway) == [true, false])
            // Nobody plays the part of these hosts that follows the counter.
            try await until("down") { try await driver.chassis().allSatisfy { !$0.isAlive } }
        }
    }
}
