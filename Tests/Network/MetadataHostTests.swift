// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPKit
import HTTPServer
import LifecycleKit
import LinuxKit
import NetworkContract
import OVSDBKit
import TestKit
import Testing

@testable import NetworkAgent

private let schema = "/usr/share/openvswitch/vswitch.ovsschema"
private let canRun = geteuid() == 0 && Subprocess.find("ovsdb-server") != nil && access(schema, R_OK) == 0

/// Goal: a network's metadata namespace is made whole again, whatever was taken from it.
/// Method: real namespaces and a real switch database; the test plays `ovs-vswitchd`, which says that it is done.
@Suite("Metadata on a host", .enabled(if: canRun), .serialized)
struct MetadataHostTests {
    private struct Teapot: HTTPHandler {
        func handle(_ request: HTTPRequest) async -> HTTPResponse { HTTPResponse(status: 418) }
    }

    private static let switchMonitor = OVSDBMonitor(
        database: "Open_vSwitch", tables: [.init("Open_vSwitch", ["next_cfg", "cur_cfg"])])

    /// Says that every change has been done.
    private static func confirm(_ connection: OVSDBConnection, _ changed: Signal) async throws {
        try await connection.ready(within: .seconds(20))
        while !Task.isCancelled {
            let (id, target, done) = try connection.read { replica in
                let root = replica.rows("Open_vSwitch").first
                return (root?.key, root?.value.int("next_cfg") ?? 0, root?.value.int("cur_cfg") ?? 0)
            }
            if let id, done < target {
                var transaction = OVSDBTransaction()
                transaction.update("Open_vSwitch", id, ["cur_cfg": .int(Int(target))])
                try await connection.transact(transaction)
            }
            await changed.wait(atMost: .milliseconds(100))
        }
    }

    private func withSwitch(
        _ body: @escaping @Sendable (MetadataNamespace, LocalSwitch, HTTPServer) async throws -> Void
    ) async throws {
        let folder = "/tmp/haneul-ovs-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileSystem.makeDirectories(folder)
        defer { try? FileSystem.removeTree(folder) }  // Clean-up of a test: the folder is below /tmp.
        try await Subprocess.runChecked("/usr/bin/ovsdb-tool", ["create", "\(folder)/conf.db", schema])
        let daemon = try await Subprocess.spawnDaemon(
            try #require(Subprocess.find("ovsdb-server")),
            [
                "\(folder)/conf.db", "--remote=punix:\(folder)/db.sock", "--unixctl=\(folder)/db.ctl", "-vconsole:off",
            ], logPath: "\(folder)/db.log")
        let endpoint = OVSDBEndpoint.unix(path: "\(folder)/db.sock")
        let changed = Signal()
        let hand = OVSDBConnection("test-ovs", endpoints: [endpoint], monitor: Self.switchMonitor) { _ in
            changed.wake()
        }
        let local = LocalSwitch(endpoint)
        var limits = HTTPLimits()
        limits.threads = 1
        let server = HTTPServer(listeners: [], handler: Teapot(), limits: limits)
        do {
            try await withServices([hand, local, server]) {
                try await hand.ready(within: .seconds(20))
                var transaction = OVSDBTransaction()
                transaction.insert("Open_vSwitch", [:])
                try await hand.transact(transaction)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await Self.confirm(hand, changed) }
                    defer { group.cancelAll() }
                    // Its connection may not have heard of the row yet.
                    try await eventually {
                        do { try await local.ensureBridge("br-int", .kernel, isLearning: false) } catch let error
                            as CloudError where error.code == .unavailable
                        { return false }
                        return true
                    }
                    try await body(
                        MetadataNamespace(local: local, server: server, bridge: "br-int"), local, server)
                }
            }
        } catch {
            try await daemon.stop()
            throw error
        }
        try await daemon.stop()
    }

    @Test("namespace, cable, port of the switch, listener: each is missed and built again")
    func rebuild() async throws {
        let id = NetworkID(IDSource.random.uuid())
        let network = MetadataNetwork(
            network: id, metadataPort: "meta", macAddress: "fa:16:3e:00:00:01",
            addresses: [.init("10.0.0.2", prefixLength: 24)])
        try await withSwitch { places, local, server in
            do {
                try await places.build(network)
                #expect(try await places.missing(of: [network]).isEmpty)
                #expect(try places.existing().contains(id))
                let damages: [(String, @Sendable () async throws -> Void)] = [
                    ("namespace", { try await NetworkNamespace(network.namespace).delete() }),
                    ("cable", { try await NetworkLinks.configure { try $0.delete(network.outerDevice) } }),
                    ("port of the switch", { try await local.removePort(network.outerDevice) }),
                    ("listener", { server.removeListener(tag: id.rawValue) }),
                ]
                for (part, damage) in damages {
                    try await damage()
                    #expect(try await places.missing(of: [network]) == [id: part])
                    // A listener that was removed is closed a moment later, and has its address until then.
                    try await eventually {
                        do { try await places.build(network) } catch let error as SystemError {
                            if error.code == EADDRINUSE { return false }
                            throw error
                        }
                        return true
                    }
                    #expect(try await places.missing(of: [network]).isEmpty, "\(part)")
                    // The listener is in the namespace of now: its address is taken there.
                    let refusal = await #expect(throws: SystemError.self) {
                        let socket = try await NetworkNamespace(network.namespace).listen(
                            address: MetadataNetwork.address, port: MetadataNetwork.port)
                        close(socket)
                    }
                    #expect(refusal?.code == EADDRINUSE, "\(part)")
                }
            } catch {
                try await places.remove(id)
                throw error
            }
            try await places.remove(id)
            #expect(try !places.existing().contains(id))
        }
    }
}
