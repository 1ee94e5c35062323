// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import SecurityKit

/// SQL of `object_storage_rings`.
package struct RingStore: Sendable {
    package init() {}

    private static let columns: SQL = "version, partition_power, replicas, devices, assignment, former"

    package func ring(_ name: String, _ transaction: any Transaction) throws -> Ring? {
        try transaction.first("SELECT \(Self.columns) FROM object_storage_rings WHERE name = \(name)", Self.ring)
    }

    /// Replaces the ring of this name. False: it is no longer of version `old` (nil: it is there).
    package func save(
        _ ring: Ring, _ name: String, over old: Int?, at time: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        let known = try transaction.first("SELECT version FROM object_storage_rings WHERE name = \(name)") { $0.int(0) }
        guard known == old else { return false }
        let devices = try JSONValueEncoder.encode(ring.devices.values.sorted { $0.number < $1.number }).text()
        let former = try JSONValueEncoder.encode(
            ring.former.sorted { $0.key < $1.key }.map { [$0.key] + $0.value.map { Int($0.rawValue) } }
        ).text()
        let assignment = Base64.encode(
            ring.assignment.flatMap { [UInt8(truncatingIfNeeded: $0.rawValue), UInt8($0.rawValue >> 8)] })
        try transaction.execute(
            """
            INSERT INTO object_storage_rings (
                name, version, partition_power, replicas, devices, assignment, former, changed_at)
            VALUES (\(name), \(ring.version), \(ring.partitionPower), \(ring.replicas), \(devices), \(assignment),
                \(former), \(time))
            ON CONFLICT (name) DO UPDATE SET version = excluded.version, replicas = excluded.replicas,
                devices = excluded.devices, assignment = excluded.assignment, former = excluded.former,
                changed_at = excluded.changed_at
            """)
        return true
    }

    private static func ring(_ row: any Row) throws -> Ring {
        let bytes = Base64.decode(row.text(4)) ?? []
        let (power, replicas) = (row.int(1), row.int(2))
        guard bytes.count == 2 * replicas << power else {
            throw CloudError(.bug, "The ring of object storage is damaged.", cause: "\(bytes.count) bytes")
        }
        let assignment = stride(from: 0, to: bytes.count, by: 2).map {
            DeviceNumber(UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
        }
        let former = try JSONValueDecoder.decode([[Int]].self, from: row.text(5)).map { entry in
            (entry.first ?? 0, entry.dropFirst().compactMap { UInt16(exactly: $0).map(DeviceNumber.init) })
        }
        return Ring(
            version: row.int(0), partitionPower: power, replicas: replicas,
            devices: try JSONValueDecoder.decode([RingDevice].self, from: row.text(3)), assignment: assignment,
            former: Dictionary(former) { first, _ in first })
    }
}
