// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract

/// What a shelved server is made of again.
package struct ServerShelf: Sendable {
    package var server: ServerID
    /// Nil: its volumes are all that it needs.
    package var image: ImageID?
    /// Who shelved it, and so made the image.
    package var actor: Requester
    package var shelvedAt: Timestamp

    package init(server: ServerID, image: ImageID?, actor: Requester, at time: Timestamp) {
        self.server = server
        self.image = image
        self.actor = actor
        shelvedAt = time
    }
}

/// SQL for servers that are shelved, and for those that wait for their end.
package struct ServerShelfStore: Sendable {
    /// Servers that one scan of the reconciler works on.
    private static let scanLimit = 1000

    package init() {}

    // MARK: Shelves

    package func shelf(of server: ServerID, _ transaction: any Transaction) throws -> ServerShelf? {
        let found = try transaction.first(
            "SELECT image_id, actor, shelved_at FROM server_shelves WHERE server_id = \(server)"
        ) { (image: $0.idOrNil(0) as ImageID?, actor: $0.text(1), at: $0.timestamp(2)) }
        guard let found else { return nil }
        return ServerShelf(
            server: server, image: found.image,
            actor: try JSONValueDecoder.decode(Requester.self, from: found.actor), at: found.at)
    }

    package func set(_ shelf: ServerShelf, _ transaction: any Transaction) throws {
        let actor = try JSONValueEncoder.text(shelf.actor)
        try transaction.execute(
            """
            INSERT INTO server_shelves (server_id, image_id, actor, shelved_at)
            VALUES (\(shelf.server), \(shelf.image), \(actor), \(shelf.shelvedAt))
            ON CONFLICT (server_id) DO UPDATE SET image_id = excluded.image_id, actor = excluded.actor,
                   shelved_at = excluded.shelved_at
            """)
    }

    package func remove(_ server: ServerID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM server_shelves WHERE server_id = \(server)")
    }

    /// Servers at rest that were shelved before `limit` and are still on their hosts.
    package func waiting(since limit: Timestamp, _ transaction: any Transaction) throws -> [ServerID] {
        try transaction.query(
            """
            SELECT server_shelves.server_id FROM server_shelves JOIN servers ON servers.id = server_shelves.server_id
             WHERE shelved_at <= \(limit) AND servers.vm_state = \(VMState.shelved.rawValue)
               AND servers.task_state IS NULL AND servers.saga_run IS NULL AND servers.is_deleted = 0
             ORDER BY shelved_at LIMIT \(Self.scanLimit)
            """
        ) { $0.id(0) }
    }

    // MARK: Soft deletions

    /// `vm`: what the server is if it is restored.
    package func noteSoftDeletion(
        of server: ServerID, from vm: VMState, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO server_soft_deletions (server_id, vm_state, deleted_at)
            VALUES (\(server), \(vm.rawValue), \(time))
            ON CONFLICT (server_id) DO UPDATE SET vm_state = excluded.vm_state, deleted_at = excluded.deleted_at
            """)
    }

    package func softDeleted(_ server: ServerID, _ transaction: any Transaction) throws -> VMState? {
        try transaction.first("SELECT vm_state FROM server_soft_deletions WHERE server_id = \(server)") {
            try $0.word(0)
        }
    }

    package func forgetSoftDeletion(of server: ServerID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM server_soft_deletions WHERE server_id = \(server)")
    }

    /// Servers at rest that were deleted before `limit`.
    package func reclaimable(since limit: Timestamp, _ transaction: any Transaction) throws -> [ServerID] {
        try transaction.query(
            """
            SELECT server_id FROM server_soft_deletions JOIN servers ON servers.id = server_id
             WHERE deleted_at <= \(limit) AND servers.vm_state = \(VMState.softDeleted.rawValue)
               AND servers.task_state IS NULL AND servers.is_deleted = 0
             ORDER BY deleted_at LIMIT \(Self.scanLimit)
            """
        ) { $0.id(0) }
    }
}
