// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// SQL of `volume_backends`.
package struct VolumeBackendStore: Sendable {
    package init() {}

    private static let columns: SQL =
        """
        address, pool, moves_on_snapshot, zone, is_disabled, disabled_reason, is_frozen, created_at, last_seen_at,
        updated_at, service_id
        """

    private static func backend(_ row: any Row) throws -> VolumeBackend {
        var backend = VolumeBackend(
            address: row.text(0), pool: try JSONValueDecoder.decode(VolumePool.self, from: row.text(1)),
            movesOnSnapshot: row.bool(2), zone: row.text(3), createdAt: row.timestamp(7),
            lastSeenAt: row.timestamp(8), serviceID: row.text(10))
        backend.isDisabled = row.bool(4)
        backend.disabledReason = row.textOrNil(5)
        backend.isFrozen = row.bool(6)
        backend.updatedAt = row.timestampOrNil(9)
        return backend
    }

    /// By address.
    package func all(_ transaction: any Transaction) throws -> [VolumeBackend] {
        try transaction.query("SELECT \(Self.columns) FROM volume_backends ORDER BY address", Self.backend)
    }

    package func backend(_ address: String, _ transaction: any Transaction) throws -> VolumeBackend? {
        try transaction.first("SELECT \(Self.columns) FROM volume_backends WHERE address = \(address)", Self.backend)
    }

    /// A report came. What an administrator has set stays.
    package func report(
        _ report: VolumeBackendReport, zone: String, serviceID: String, at time: Timestamp,
        _ transaction: any Transaction
    ) throws {
        let pool = try JSONValueEncoder.text(report.pool)
        try transaction.execute(
            """
            INSERT INTO volume_backends (\(Self.columns))
            VALUES (\(report.address), \(pool), \(report.movesOnSnapshot), \(zone), 0, NULL, 0, \(time), \(time), NULL,
                    \(serviceID))
            ON CONFLICT (address) DO UPDATE
               SET pool = excluded.pool, moves_on_snapshot = excluded.moves_on_snapshot,
                   last_seen_at = excluded.last_seen_at
            """)
    }

    /// False: there is none.
    package func setDisabled(
        _ address: String, _ isDisabled: Bool, reason: String?, at time: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE volume_backends
               SET is_disabled = \(isDisabled), disabled_reason = \(reason), updated_at = \(time)
             WHERE address = \(address)
            """) == 1
    }

    package func setFrozen(
        _ address: String, _ isFrozen: Bool, at time: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            "UPDATE volume_backends SET is_frozen = \(isFrozen), updated_at = \(time) WHERE address = \(address)") == 1
    }

    package func delete(_ address: String, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM volume_backends WHERE address = \(address)") > 0
    }
}
