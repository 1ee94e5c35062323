// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

package struct AggregateStore: Sendable {
    package init() {}

    private static let columns: SQL = "number, uuid, name, zone, metadata, created_at, updated_at"

    package func all(_ transaction: any Transaction) throws -> [HostAggregate] {
        var hosts: [Int64: [String]] = [:]
        try transaction.forEach("SELECT aggregate_number, host FROM host_aggregate_hosts ORDER BY host") {
            hosts[$0.int64(0), default: []].append($0.text(1))
        }
        return try transaction.query("SELECT \(Self.columns) FROM host_aggregates ORDER BY number") { row in
            HostAggregate(
                number: row.int64(0), uuid: row.text(1), name: row.text(2), zone: row.textOrNil(3),
                hosts: hosts[row.int64(0)] ?? [], metadata: try StoredMap.read(row.text(4)),
                createdAt: row.timestamp(5), updatedAt: row.timestampOrNil(6))
        }
    }

    package func aggregate(_ number: Int64, _ transaction: any Transaction) throws -> HostAggregate? {
        try all(transaction).first { $0.number == number }
    }

    package func nextNumber(_ transaction: any Transaction) throws -> Int64 {
        Int64(try transaction.count("SELECT MAX(number) FROM host_aggregates")) + 1
    }

    package func insert(_ aggregate: HostAggregate, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO host_aggregates (\(Self.columns)) VALUES (
                \(aggregate.number), \(aggregate.uuid), \(aggregate.name), \(aggregate.zone),
                \(StoredMap.text(aggregate.metadata)), \(aggregate.createdAt), \(aggregate.updatedAt)
            )
            """)
    }

    package func update(_ aggregate: HostAggregate, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE host_aggregates SET name = \(aggregate.name), zone = \(aggregate.zone),
                   metadata = \(StoredMap.text(aggregate.metadata)), updated_at = \(aggregate.updatedAt)
             WHERE number = \(aggregate.number)
            """)
    }

    package func delete(_ number: Int64, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM host_aggregates WHERE number = \(number)")
    }

    package func addHost(_ host: String, to number: Int64, _ transaction: any Transaction) throws {
        try transaction.execute(
            "INSERT INTO host_aggregate_hosts (aggregate_number, host) VALUES (\(number), \(host))")
    }

    package func removeHost(_ host: String, from number: Int64, _ transaction: any Transaction) throws {
        try transaction.execute(
            "DELETE FROM host_aggregate_hosts WHERE aggregate_number = \(number) AND host = \(host)")
    }

    /// The zone of each host that is in one.
    package func zones(_ transaction: any Transaction) throws -> [String: String] {
        var zones: [String: String] = [:]
        try transaction.forEach(
            """
            SELECT h.host, a.zone FROM host_aggregate_hosts h JOIN host_aggregates a ON a.number = h.aggregate_number
             WHERE a.zone IS NOT NULL ORDER BY a.number DESC
            """
        ) { zones[$0.text(0)] = $0.text(1) }
        return zones
    }
}
