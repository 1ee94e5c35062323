// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// SQL of `volume_locks`: who alone may change where a volume's bytes are. A status says what users may do; a lock,
/// which users never see, keeps runs on one volume apart: two snapshots at once, an attachment beside a snapshot.
package struct VolumeLockStore: Sendable {
    package init() {}

    package struct Lock: Sendable {
        package var volume: VolumeID
        /// A run's id, or an attachment's.
        package var holder: String
        package var isRun: Bool
        package var lockedAt: Timestamp
    }

    /// True: `holder` has it now, and perhaps had it before.
    package func take(
        _ volume: VolumeID, for holder: String, isRun: Bool, at time: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            INSERT INTO volume_locks (volume_id, holder, is_run, locked_at)
            VALUES (\(volume), \(holder), \(isRun), \(time)) ON CONFLICT (volume_id) DO NOTHING
            """)
        return try transaction.exists("SELECT 1 FROM volume_locks WHERE volume_id = \(volume) AND holder = \(holder)")
    }

    package func holds(_ volume: VolumeID, _ holder: String, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM volume_locks WHERE volume_id = \(volume) AND holder = \(holder)")
    }

    /// Only its holder's; may be repeated.
    package func release(_ volume: VolumeID, of holder: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_locks WHERE volume_id = \(volume) AND holder = \(holder)")
    }

    package func releaseAll(of holder: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_locks WHERE holder = \(holder)")
    }

    package func all(before time: Timestamp, _ transaction: any Transaction) throws -> [Lock] {
        try transaction.query(
            "SELECT volume_id, holder, is_run, locked_at FROM volume_locks WHERE locked_at < \(time) ORDER BY volume_id"
        ) { Lock(volume: $0.id(0), holder: $0.text(1), isRun: $0.bool(2), lockedAt: $0.timestamp(3)) }
    }
}
