// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit

package struct HostStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        number, service_id, node_id, host, is_disabled, disabled_reason, is_forced_down, last_seen_at, created_at,
        booted_at, hypervisor
        """

    private static func host(_ row: any Row) throws -> ComputeHost {
        ComputeHost(
            number: row.int64(0), serviceID: row.id(1), nodeID: row.id(2), host: row.text(3),
            isDisabled: row.bool(4), disabledReason: row.textOrNil(5), isForcedDown: row.bool(6),
            lastSeenAt: row.timestamp(7), createdAt: row.timestamp(8), bootedAt: row.timestampOrNil(9),
            hypervisor: try HypervisorText.read(row.text(10)))
    }

    package func all(_ transaction: any Transaction) throws -> [ComputeHost] {
        try transaction.query("SELECT \(Self.columns) FROM compute_hosts ORDER BY number", Self.host)
    }

    package func hosts(_ names: some Sequence<String>, _ transaction: any Transaction) throws -> [ComputeHost] {
        try transaction.query("SELECT \(Self.columns) FROM compute_hosts WHERE host IN \(list: names)", Self.host)
    }

    package func host(_ name: String, _ transaction: any Transaction) throws -> ComputeHost? {
        try transaction.first("SELECT \(Self.columns) FROM compute_hosts WHERE host = \(name)", Self.host)
    }

    package func nextNumber(_ transaction: any Transaction) throws -> Int64 {
        Int64(try transaction.count("SELECT MAX(number) FROM compute_hosts")) + 1
    }

    package func insert(_ host: ComputeHost, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO compute_hosts (\(Self.columns)) VALUES (
                \(host.number), \(host.serviceID), \(host.nodeID), \(host.host), \(host.isDisabled),
                \(host.disabledReason), \(host.isForcedDown), \(host.lastSeenAt), \(host.createdAt),
                \(host.bootedAt), \(HypervisorText.text(host.hypervisor))
            )
            """)
    }

    /// What a report says of a known host.
    package func report(
        _ host: String, _ hypervisor: HypervisorInfo, bootedAt: Timestamp?, at time: Timestamp,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE compute_hosts SET last_seen_at = \(time), booted_at = \(bootedAt),
                   hypervisor = \(HypervisorText.text(hypervisor))
             WHERE host = \(host)
            """)
    }

    package func setDisabled(
        _ host: String, _ isDisabled: Bool, reason: String?, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE compute_hosts SET is_disabled = \(isDisabled), disabled_reason = \(reason) WHERE host = \(host)
            """)
    }

    package func setForcedDown(_ host: String, _ isDown: Bool, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE compute_hosts SET is_forced_down = \(isDown) WHERE host = \(host)")
    }

    package func delete(_ host: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM compute_hosts WHERE host = \(host)")
        try transaction.execute("DELETE FROM host_aggregate_hosts WHERE host = \(host)")
        try transaction.execute("DELETE FROM compute_orphans WHERE host = \(host)")
    }

    // MARK: Orphans

    package func hasOrphans(_ host: String, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM compute_orphans WHERE host = \(host)")
    }

    /// Remembers guests on `host` that no server owns, and when they were first seen. Forgets those not in `seen`.
    package func updateOrphans(
        _ host: String, seen: [ServerID], at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            "DELETE FROM compute_orphans WHERE host = \(host) AND server_id NOT IN \(list: seen + [ServerID("")])")
        for id in seen {
            try transaction.execute(
                """
                INSERT INTO compute_orphans (host, server_id, first_seen_at) VALUES (\(host), \(id), \(time))
                ON CONFLICT (host, server_id) DO NOTHING
                """)
        }
    }

    /// Those seen since before `limit`.
    package func orphans(
        before limit: Timestamp, _ transaction: any Transaction
    ) throws -> [(host: String, server: ServerID)] {
        try transaction.query("SELECT host, server_id FROM compute_orphans WHERE first_seen_at <= \(limit)") {
            ($0.text(0), $0.id(1))
        }
    }

    package func forgetOrphan(_ host: String, _ server: ServerID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM compute_orphans WHERE host = \(host) AND server_id = \(server)")
    }
}

/// `HypervisorInfo` in a TEXT column, without the traits: those are placement's.
enum HypervisorText {
    static func text(_ info: HypervisorInfo) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("hostname", info.hostname)
        writer.field("type", info.type)
        writer.field("version", info.version)
        writer.field("virtualizationType", info.virtualizationType)
        writer.field("vcpus", info.vcpus)
        writer.field("memoryMiB", info.memoryMiB)
        writer.field("diskGiB", info.diskGiB)
        writer.field("cpuInfo", info.cpuInfo)
        writer.field("hostAddress", info.hostAddress)
        if let initiator = info.initiator { writer.field("initiator", initiator) }
        if let load = info.loadAverage { writer.field("loadAverage", .array(load.map(JSON.double))) }
        writer.endObject()
        return writer.string()
    }

    static func read(_ text: String) throws -> HypervisorInfo {
        let json = try JSONReader.read(text)
        func number(_ key: String) -> Int { Int(json[key]?.int ?? 0) }
        func string(_ key: String) -> String { json[key]?.string ?? "" }
        var info = HypervisorInfo(
            hostname: string("hostname"), type: string("type"), version: number("version"),
            virtualizationType: string("virtualizationType"), vcpus: number("vcpus"), memoryMiB: number("memoryMiB"),
            diskGiB: number("diskGiB"), cpuInfo: string("cpuInfo"), hostAddress: string("hostAddress"),
            initiator: json["initiator"]?.string)
        info.loadAverage = json["loadAverage"]?.array?.compactMap { number in
            switch number {
            case .double(let value): value
            case .int(let value): Double(value)
            default: nil
            }
        }
        return info
    }
}
