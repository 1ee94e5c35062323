// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// SQL of `volume_keys`: passphrases of encrypted volumes, sealed with the cloud's own key.
package struct VolumeKeyStore: Sendable {
    package init() {}

    package func sealed(_ id: VolumeKeyID, _ transaction: any Transaction) throws -> String? {
        try transaction.first("SELECT sealed FROM volume_keys WHERE id = \(id)") { $0.text(0) }
    }

    /// Of those of the volumes that are encrypted. Nil: the key cannot be found.
    package func sealed(
        ofVolumes ids: [VolumeID], _ transaction: any Transaction
    ) throws -> [VolumeID: String?] {
        let rows = try transaction.query(
            """
            SELECT volumes.id, volume_keys.sealed FROM volumes LEFT JOIN volume_keys ON volume_keys.id = volumes.key_id
             WHERE volumes.key_id IS NOT NULL AND volumes.id IN \(list: ids)
            """
        ) { row -> (VolumeID, String?) in (row.id(0), row.textOrNil(1)) }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    /// Inserting twice is no error: the first stays.
    package func insert(
        _ id: VolumeKeyID, project: ProjectID, sealed: String, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO volume_keys (id, project_id, sealed, created_at)
            VALUES (\(id), \(project), \(sealed), \(time)) ON CONFLICT (id) DO NOTHING
            """)
    }

    /// When no volume, snapshot or backup needs it any more. What was written with it cannot be read from then on.
    package func deleteIfUnused(_ id: VolumeKeyID, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            DELETE FROM volume_keys WHERE id = \(id)
               AND NOT EXISTS (SELECT 1 FROM volumes WHERE key_id = \(id))
               AND NOT EXISTS (SELECT 1 FROM volume_snapshots WHERE key_id = \(id))
               AND NOT EXISTS (SELECT 1 FROM volume_backups WHERE key_id = \(id))
            """)
    }
}
