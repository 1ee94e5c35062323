// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LifecycleKit
import LinuxKit
import OVSDBKit
import Synchronization

/// The central part of OVN, for real, in a folder of its own: both databases and `ovn-northd`. The test plays the hosts
/// by writing what their `ovn-controller` would write.
struct OVNHost: Sendable {
    static let isInstalled = Subprocess.find("ovn-northd") != nil && Subprocess.find("ovsdb-server") != nil

    let folder: String
    let southbound: OVSDBConnection

    var northboundEndpoint: OVSDBEndpoint { .unix(path: "\(folder)/nb.sock") }
    var southboundEndpoint: OVSDBEndpoint { .unix(path: "\(folder)/sb.sock") }

    /// Starts OVN, runs `body`, ends OVN.
    static func with(_ body: @escaping @Sendable (OVNHost) async throws -> Void) async throws {
        let folder = "/tmp/haneul-ovn-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileSystem.makeDirectories(folder)
        defer { try? FileSystem.removeTree(folder) }  // Clean-up of a test: the folder is below /tmp.
        let host = OVNHost(folder: folder)
        let daemons = try await host.start()
        do {
            try await host.run(body)
        } catch {
            for daemon in daemons.reversed() { try await daemon.stop() }
            throw error
        }
        for daemon in daemons.reversed() { try await daemon.stop() }
    }

    private init(folder: String) {
        self.folder = folder
        southbound = OVSDBConnection(
            "test-sb", endpoints: [.unix(path: "\(folder)/sb.sock")],
            monitor: OVSDBMonitor(
                database: "OVN_Southbound",
                tables: [.init("Chassis", ["name"]), .init("Port_Binding", ["logical_port", "chassis", "up"])],
                indexes: [
                    .column(table: "Chassis", column: "name"), .column(table: "Port_Binding", column: "logical_port"),
                ]))
    }

    private func start() async throws -> [Daemon] {
        var daemons: [Daemon] = []
        for name in ["nb", "sb"] {
            let file = "\(folder)/\(name).db"
            try await Subprocess.runChecked(
                "/usr/bin/ovsdb-tool", ["create", file, "/usr/share/ovn/ovn-\(name).ovsschema"])
            daemons.append(
                try await spawn("ovsdb-server", name, [file, "--remote=punix:\(folder)/\(name).sock"]))
        }
        daemons.append(
            try await spawn(
                "ovn-northd", "northd", ["--ovnnb-db=\(northboundEndpoint)", "--ovnsb-db=\(southboundEndpoint)"]))
        return daemons
    }

    private func spawn(_ program: String, _ name: String, _ arguments: [String]) async throws -> Daemon {
        guard let path = Subprocess.find(program) else {
            throw CloudError(.unavailable, "\(program) is not installed.")
        }
        return try await Subprocess.spawnDaemon(
            path, arguments + ["--unixctl=\(folder)/\(name).ctl", "-vconsole:off"], logPath: "\(folder)/\(name).log")
    }

    private func run(_ body: @escaping @Sendable (OVNHost) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await southbound.run()
                return false
            }
            group.addTask {
                try await southbound.ready(within: .seconds(20))
                try await body(self)
                return true
            }
            defer { group.cancelAll() }
            while let isEnd = try await group.next(), !isEnd {}
        }
    }

    // MARK: A host's part

    /// No two chassis have one address.
    private static let chassisNumbers = Atomic(0)

    /// As ovn-controller at its start.
    func addChassis(_ name: String, isGateway: Bool) async throws {
        var transaction = OVSDBTransaction()
        let number = Self.chassisNumbers.add(1, ordering: .relaxed).newValue % 250 + 1
        let encap = transaction.insert(
            "Encap", ["type": .string("geneve"), "ip": .string("10.0.0.\(number)"), "chassis_name": .string(name)])
        var config = ["ovn-bridge-mappings": "physnet1:br-ex"]
        if isGateway { config["ovn-cms-options"] = "enable-chassis-as-gw" }
        let chassis = transaction.insert(
            "Chassis",
            ["name": .string(name), "hostname": .string(name), "encaps": .set([encap]), "other_config": .pairs(config)])
        transaction.insert("Chassis_Private", ["name": .string(name), "chassis": .set([chassis])])
        try await southbound.transact(transaction)
    }

    func removeChassis(_ name: String) async throws {
        var transaction = OVSDBTransaction()
        for id in try southbound.read({ $0.find(.column(table: "Chassis", column: "name"), .string(name)) }) {
            transaction.delete("Chassis", id)
        }
        try await southbound.transact(transaction)
    }

    /// As ovn-controller when a port is plugged and its flows are there, or when it is unplugged.
    func setPlugged(_ port: String, on chassis: String, _ isPlugged: Bool) async throws {
        try await withTimeout(.seconds(20), "northd") {
            while true {
                let (binding, host) = try southbound.read { replica in
                    (
                        replica.find(.column(table: "Port_Binding", column: "logical_port"), .string(port)).first,
                        replica.find(.column(table: "Chassis", column: "name"), .string(chassis)).first
                    )
                }
                if let binding, let host {
                    var transaction = OVSDBTransaction()
                    transaction.update(
                        "Port_Binding", binding,
                        ["chassis": isPlugged ? .uuid(host) : .empty, "up": .bool(isPlugged)])
                    if try await southbound.transact(transaction).isComplete { return }
                }
                await Signal().wait(atMost: .milliseconds(20))
            }
        }
    }
}
