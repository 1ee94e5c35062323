// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import OVSDBKit

/// How Open vSwitch moves packets on a host.
package enum OVSDatapath: String, Sendable {
    /// In the kernel, by the module `openvswitch`.
    case kernel = "system"
    /// In `ovs-vswitchd`: works everywhere, and wants finished checksums from everybody.
    case userspace = "netdev"
}

/// The Open vSwitch of this host, configured through its database as `ovs-vsctl` does. Every change may be repeated.
///
/// Run it as a service; calls wait for the connection.
package struct LocalSwitch: Service {
    package static let defaultEndpoint = OVSDBEndpoint.unix(path: "/run/openvswitch/db.sock")
    private static let readyLimit = Duration.seconds(10)
    /// How long `ovs-vswitchd` may take to do what the database says.
    private static let settleLimit = Duration.seconds(10)

    private let connection: OVSDBConnection
    private let changed = Signal()

    package var name: String { "local switch" }

    package init(_ endpoint: OVSDBEndpoint = defaultEndpoint) {
        let changed = changed
        connection = OVSDBConnection("ovs", endpoints: [endpoint], monitor: Self.monitor) { _ in changed.wake() }
    }

    package func run() async throws { try await connection.run() }

    private static let monitor = OVSDBMonitor(
        database: "Open_vSwitch",
        tables: [
            .init("Open_vSwitch", ["bridges", "external_ids", "next_cfg", "cur_cfg"]),
            .init("Bridge", ["name", "ports", "datapath_type", "fail_mode"]),
            .init("Port", ["name", "interfaces"]),
            .init("Interface", ["name", "external_ids", "type"]),
        ],
        indexes: [
            .column(table: "Bridge", column: "name"), .column(table: "Port", column: "name"),
            .column(table: "Interface", column: "name"), .column(table: "Bridge", column: "ports"),
        ])

    // MARK: Settings

    /// Sets external ids of the switch, such as `ovn-remote`; a nil value removes one. Others stay.
    package func set(_ settings: [String: String?]) async throws {
        try await change { replica, transaction in
            let (root, row) = try Self.root(replica)
            var map = row["external_ids"]?.stringMap ?? [:]
            for (key, value) in settings { map[key] = value }
            guard map != row["external_ids"]?.stringMap else { return }
            transaction.update("Open_vSwitch", root, ["external_ids": .pairs(map)])
        }
    }

    package func settings() async throws -> [String: String] {
        try await connection.ready(within: Self.readyLimit)
        return try connection.read { try Self.root($0).row["external_ids"]?.stringMap ?? [:] }
    }

    // MARK: Bridges and ports

    /// Makes a bridge with that datapath. `isLearning`: it switches by itself where no controller tells it how.
    package func ensureBridge(_ name: String, _ datapath: OVSDatapath, isLearning: Bool) async throws {
        let wanted: OVSDBRow = [
            "datapath_type": .string(datapath.rawValue), "fail_mode": .string(isLearning ? "standalone" : "secure"),
        ]
        try await change { replica, transaction in
            if let id = replica.find(.column(table: "Bridge", column: "name"), .string(name)).first {
                let row = replica.row("Bridge", id) ?? [:]
                let different = wanted.filter { replica.value("Bridge", row, $0.key) != $0.value }
                if !different.isEmpty { transaction.update("Bridge", id, different) }
                return
            }
            // A bridge has a port of its own name, and that an internal interface: the host's side.
            let interface = transaction.insert("Interface", ["name": .string(name), "type": .string("internal")])
            let port = transaction.insert("Port", ["name": .string(name), "interfaces": .set([interface])])
            let bridge = transaction.insert(
                "Bridge", wanted.merging(["name": .string(name), "ports": .set([port])]) { $1 })
            transaction.mutate("Open_vSwitch", .uuid(try Self.root(replica).id), [.insert("bridges", .set([bridge]))])
        }
    }

    /// Plugs a device of the host into a bridge. A device that is plugged elsewhere is moved. `externalIDs` tell OVN
    /// which logical port it is.
    package func ensurePort(_ device: String, on bridge: String, externalIDs: [String: String] = [:]) async throws {
        try await change { replica, transaction in
            guard let bridgeID = replica.find(.column(table: "Bridge", column: "name"), .string(bridge)).first else {
                throw CloudError(.unavailable, "The host's switch is not ready.", cause: "no bridge \(bridge)")
            }
            let port = replica.find(.column(table: "Port", column: "name"), .string(device)).first
            let holders = port.map { replica.find(.column(table: "Bridge", column: "ports"), .uuid($0)) } ?? []
            if let port, holders == [bridgeID] {
                for interface in replica.row("Port", port)?.uuids("interfaces") ?? [] {
                    let actual = replica.row("Interface", interface)?["external_ids"]?.stringMap ?? [:]
                    let merged = actual.merging(externalIDs) { $1 }
                    if merged != actual {
                        transaction.update("Interface", interface, ["external_ids": .pairs(merged)])
                    }
                }
                return
            }
            if let port { Self.unplug(port, from: holders, &transaction) }
            let interface = transaction.insert(
                "Interface", ["name": .string(device), "external_ids": .pairs(externalIDs)])
            let new = transaction.insert("Port", ["name": .string(device), "interfaces": .set([interface])])
            transaction.mutate("Bridge", .uuid(bridgeID), [.insert("ports", .set([new]))])
        }
    }

    /// Whether a device is plugged into this bridge alone, with these external ids.
    package func hasPort(_ device: String, on bridge: String, externalIDs: [String: String]) async throws -> Bool {
        try await connection.ready(within: Self.readyLimit)
        return try connection.read { replica in
            guard let port = replica.find(.column(table: "Port", column: "name"), .string(device)).first,
                replica.find(.column(table: "Bridge", column: "ports"), .uuid(port))
                    == replica.find(.column(table: "Bridge", column: "name"), .string(bridge))
            else { return false }
            return (replica.row("Port", port)?.uuids("interfaces") ?? []).contains { interface in
                let actual = replica.row("Interface", interface)?["external_ids"]?.stringMap ?? [:]
                return externalIDs.allSatisfy { actual[$0.key] == $0.value }
            }
        }
    }

    /// Unplugs a device, whatever bridge it is on. Not an error when it is on none.
    package func removePort(_ device: String) async throws {
        try await change { replica, transaction in
            for port in replica.find(.column(table: "Port", column: "name"), .string(device)) {
                Self.unplug(
                    port, from: replica.find(.column(table: "Bridge", column: "ports"), .uuid(port)), &transaction)
            }
        }
    }

    /// The datapath of a bridge; nil when there is no such bridge.
    package func datapath(of bridge: String) async throws -> OVSDatapath? {
        try await connection.ready(within: Self.readyLimit)
        return try connection.read { replica in
            replica.find(.column(table: "Bridge", column: "name"), .string(bridge)).first.map { id in
                // An empty type means the kernel's.
                OVSDatapath(rawValue: replica.row("Bridge", id)?.string("datapath_type") ?? "") ?? .kernel
            }
        }
    }

    // MARK: Private

    /// The port is collected, with its interfaces, when its last bridge lets go.
    private static func unplug(_ port: RowID, from bridges: Set<RowID>, _ transaction: inout OVSDBTransaction) {
        for bridge in bridges { transaction.mutate("Bridge", .uuid(bridge), [.delete("ports", .uuid(port))]) }
    }

    private static func root(_ replica: OVSDBReplica) throws -> (id: RowID, row: OVSDBRow) {
        guard let root = replica.rows("Open_vSwitch").first else {
            throw CloudError(.unavailable, "The host's switch is not ready.", cause: "Open_vSwitch has no row")
        }
        return (root.key, root.value)
    }

    /// Performs what `body` finds missing, then waits until `ovs-vswitchd` has done it. Tried again when another
    /// program changed the same rows meanwhile.
    private func change(
        _ body: @escaping @Sendable (OVSDBReplica, inout OVSDBTransaction) throws -> Void
    ) async throws {
        try await connection.ready(within: Self.readyLimit)
        for _ in 0..<3 {
            let (transaction, root) = try connection.read { replica in
                var transaction = OVSDBTransaction()
                try body(replica, &transaction)
                return (transaction, try Self.root(replica).id)
            }
            guard !transaction.isEmpty else { return }
            var counted = transaction
            // As ovs-vsctl: the daemon answers by setting cur_cfg.
            counted.mutate("Open_vSwitch", .uuid(root), [.add("next_cfg", 1)])
            guard try await connection.transact(counted).isComplete else { continue }
            let target = try connection.read { try Self.root($0).row.int("next_cfg") }
            return try await settle(target)
        }
        throw CloudError(.unavailable, "The host's switch changes too fast. Please retry later.")
    }

    private func settle(_ target: Int64) async throws {
        try await withTimeout(Self.settleLimit, "The host's switch") {
            while try self.connection.read({ try Self.root($0).row.int("cur_cfg") }) < target {
                try Task.checkCancellation()
                await self.changed.wait(atMost: .milliseconds(500))
            }
        }
    }
}
