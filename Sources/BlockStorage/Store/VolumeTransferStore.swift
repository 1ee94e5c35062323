// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// SQL of `volume_transfers`. An accepted transfer stays as history and is shown to nobody.
package struct VolumeTransferStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, volume_id, name, salt, key_hash, without_snapshots, source_project_id, destination_project_id, is_accepted,
        created_at, updated_at
        """

    private static let page = PagedSelect(
        "volume_transfers", columns: columns,
        keys: [
            "id": .init("id"), "name": .init("COALESCE(name, '')"), "display_name": .init("COALESCE(name, '')"),
            "volume_id": .init("volume_id"), "created_at": .init("created_at", isNumeric: true),
            "updated_at": .init("COALESCE(updated_at, 0)", isNumeric: true),
        ],
        filters: [
            "id": "id", "name": "name", "display_name": "name", "volume_id": "volume_id",
            "source_project_id": "source_project_id", "destination_project_id": "destination_project_id",
        ],
        owner: "source_project_id",
        notFound: { .notFound("Transfer \($0.prefix(64)) could not be found.", kind: "TransferNotFound") })

    private static func transfer(_ row: any Row) throws -> VolumeTransfer {
        var transfer = VolumeTransfer(
            id: row.id(0), volumeID: row.id(1), name: row.textOrNil(2), salt: row.text(3), keyHash: row.text(4),
            withoutSnapshots: row.bool(5), sourceProjectID: row.id(6), createdAt: row.timestamp(9))
        transfer.destinationProjectID = row.idOrNil(7)
        transfer.isAccepted = row.bool(8)
        transfer.updatedAt = row.timestampOrNil(10)
        return transfer
    }

    package func transfer(_ id: VolumeTransferID, _ transaction: any Transaction) throws -> VolumeTransfer? {
        try transaction.first(
            "SELECT \(Self.columns) FROM volume_transfers WHERE id = \(id) AND is_deleted = 0", Self.transfer)
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage, _ transaction: any Transaction) throws
        -> [VolumeTransfer]
    {
        try Self.page.list(filter, and: "AND is_deleted = 0", page, transaction, Self.transfer)
    }

    package func insert(_ transfer: VolumeTransfer, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_transfers (\(Self.columns), is_deleted) VALUES (
                \(transfer.id), \(transfer.volumeID), \(transfer.name), \(transfer.salt), \(transfer.keyHash),
                \(transfer.withoutSnapshots), \(transfer.sourceProjectID), \(transfer.destinationProjectID),
                \(transfer.isAccepted), \(transfer.createdAt), \(transfer.updatedAt), 0
            )
            """)
    }

    /// False: somebody else has accepted it.
    package func accept(
        _ id: VolumeTransferID, by project: ProjectID, at now: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE volume_transfers
               SET is_accepted = 1, is_deleted = 1, destination_project_id = \(project), updated_at = \(now)
             WHERE id = \(id) AND is_deleted = 0
            """) == 1
    }

    package func delete(_ id: VolumeTransferID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_transfers WHERE id = \(id)")
    }

    private static func purgeable(before time: Timestamp) -> SQL {
        """
        (is_deleted = 1 AND updated_at < \(time)
         OR is_deleted = 0 AND NOT EXISTS (SELECT 1 FROM volumes WHERE id = volume_transfers.volume_id))
        """
    }

    package func isPurgeable(before time: Timestamp, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM volume_transfers WHERE \(Self.purgeable(before: time))")
    }

    /// Offers of volumes that were deleted by force, and history older than `time`.
    package func purge(before time: Timestamp, _ transaction: any Transaction) throws -> Int {
        try transaction.execute("DELETE FROM volume_transfers WHERE \(Self.purgeable(before: time))")
    }
}
