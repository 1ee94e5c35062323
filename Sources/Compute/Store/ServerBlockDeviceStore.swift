// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import TaskKit

/// SQL for the disks of servers. A volume's row lives as long as its lease.
package struct ServerBlockDeviceStore: Sendable {
    package typealias State = ServerBlockDevice.State

    package init() {}

    private static let columns: SQL = """
        id, server_id, source, destination, source_id, volume_id, attachment_id, device, boot_index,
        deletes_on_termination, size, volume_type, guest_format, device_type, disk_bus, tag, is_shared, state,
        saga_run, host, created_at, updated_at
        """

    private static func device(_ row: any Row) throws -> ServerBlockDevice {
        var device = ServerBlockDevice(
            id: row.id(0), server: row.id(1), source: try row.word(2),
            destination: try row.word(3), state: try row.word(17),
            at: row.timestamp(20))
        device.sourceID = row.textOrNil(4)
        device.volume = row.idOrNil(5)
        device.attachment = row.idOrNil(6)
        device.device = row.textOrNil(7)
        device.bootIndex = row.intOrNil(8)
        device.deletesOnTermination = row.bool(9)
        device.size = row.int(10)
        device.volumeType = row.textOrNil(11)
        device.guestFormat = row.textOrNil(12)
        device.deviceType = row.textOrNil(13)
        device.diskBus = row.textOrNil(14)
        device.tag = row.textOrNil(15)
        device.isShared = row.bool(16)
        device.sagaRun = row.idOrNil(18)
        device.host = row.textOrNil(19)
        device.updatedAt = row.timestamp(21)
        return device
    }

    // MARK: Read

    /// In the order in which the server got them.
    package func of(_ server: ServerID, _ transaction: any Transaction) throws -> [ServerBlockDevice] {
        try transaction.query(
            """
            SELECT \(Self.columns) FROM server_block_devices WHERE server_id = \(server)
             ORDER BY COALESCE(boot_index, 0) <> 0, created_at, device, id
            """, Self.device)
    }

    /// What lists show: volumes, and root disks with another name than most have.
    package func shown(
        ofServers servers: [ServerID], _ transaction: any Transaction
    ) throws -> [ServerID: [ServerBlockDevice]] {
        var found: [ServerBlockDevice] = []
        for part in servers.slices() {
            found += try transaction.query(
                """
                SELECT \(Self.columns) FROM server_block_devices WHERE server_id IN \(list: part)
                   AND (volume_id IS NOT NULL OR (boot_index = 0 AND device <> '/dev/vda'))
                 ORDER BY created_at, device, id
                """, Self.device)
        }
        return Dictionary(grouping: found, by: \.server)
    }

    package func device(_ id: BlockDeviceID, _ transaction: any Transaction) throws -> ServerBlockDevice? {
        try transaction.first("SELECT \(Self.columns) FROM server_block_devices WHERE id = \(id)", Self.device)
    }

    package func device(
        of server: ServerID, volume: VolumeID, _ transaction: any Transaction
    ) throws -> ServerBlockDevice? {
        try transaction.first(
            """
            SELECT \(Self.columns) FROM server_block_devices WHERE server_id = \(server) AND volume_id = \(volume)
            """, Self.device)
    }

    /// Servers that have the volume, or are about to.
    package func servers(with volume: VolumeID, _ transaction: any Transaction) throws -> [ServerID] {
        try transaction.query(
            "SELECT server_id FROM server_block_devices WHERE volume_id = \(volume) ORDER BY created_at"
        ) { ID($0.text(0)) }
    }

    /// Volumes whose lease waits for its end, and those that something has been done to since before `limit`.
    package func unsettled(since limit: Timestamp, _ transaction: any Transaction) throws -> [ServerBlockDevice] {
        try transaction.readable(
            """
            SELECT \(Self.columns) FROM server_block_devices
             WHERE state = 'releasing'
                OR (state IN ('reserving', 'attaching', 'detaching') AND updated_at < \(limit))
             ORDER BY updated_at LIMIT 1000
            """, Self.device)
    }

    /// Volumes that servers have, and that nothing was done to since `limit`.
    package func attached(before limit: Timestamp, _ transaction: any Transaction) throws -> [ServerBlockDevice] {
        try transaction.readable(
            """
            SELECT \(Self.columns) FROM server_block_devices
             WHERE state = 'attached' AND saga_run IS NULL AND attachment_id IS NOT NULL AND updated_at < \(limit)
             ORDER BY id
            """, Self.device)
    }

    /// Volumes of servers that have ended, and that nothing is being done to.
    package func leftBehind(_ transaction: any Transaction) throws -> [ServerBlockDevice] {
        try transaction.readable(
            """
            SELECT \(Self.columns) FROM server_block_devices
             WHERE state <> 'releasing' AND volume_id IS NOT NULL
               AND EXISTS (SELECT 1 FROM servers WHERE id = server_block_devices.server_id AND is_deleted = 1)
             ORDER BY updated_at LIMIT 1000
            """, Self.device)
    }

    /// Which of these leases a server still has.
    package func known(_ attachments: [String], _ transaction: any Transaction) throws -> Set<String> {
        var found: Set<String> = []
        for part in attachments.slices() {
            let sql: SQL =
                "SELECT attachment_id FROM server_block_devices WHERE attachment_id IN \(list: part)"
            try transaction.forEach(sql) { found.insert($0.text(0)) }
        }
        return found
    }

    // MARK: Write

    package func insert(_ device: ServerBlockDevice, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO server_block_devices (\(Self.columns)) VALUES (
                \(device.id), \(device.server), \(device.source.rawValue), \(device.destination.rawValue),
                \(device.sourceID), \(device.volume), \(device.attachment), \(device.device), \(device.bootIndex),
                \(device.deletesOnTermination), \(device.size), \(device.volumeType), \(device.guestFormat),
                \(device.deviceType), \(device.diskBus), \(device.tag), \(device.isShared), \(device.state.rawValue),
                \(device.sagaRun), \(device.host), \(device.createdAt), \(device.updatedAt)
            )
            """)
    }

    /// Moves a volume that `run` holds, or, with `run` nil, one that nobody holds. False: it is not in `state`, or another
    /// run holds it.
    package func move(
        _ id: BlockDeviceID, from state: State, heldBy run: SagaRunID?, to next: State, holder: SagaRunID?,
        at time: Timestamp, _ transaction: any Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE server_block_devices
               SET state = \(next.rawValue), saga_run = \(holder), updated_at = \(time)
             WHERE id = \(id) AND state = \(state.rawValue) AND COALESCE(saga_run, '') = \(run?.rawValue ?? "")
            """) == 1
    }

    /// From now on the host may have it open.
    package func setHost(_ id: BlockDeviceID, _ host: String?, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE server_block_devices SET host = \(host) WHERE id = \(id)")
    }

    /// The hosts of all volumes of a server.
    package func setHost(ofServer server: ServerID, _ host: String?, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE server_block_devices SET host = \(host) WHERE server_id = \(server) AND volume_id IS NOT NULL")
    }

    /// 0: as the flavor says.
    package func setSize(_ id: BlockDeviceID, _ size: Int, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE server_block_devices SET size = \(size) WHERE id = \(id)")
    }

    package func setShared(_ id: BlockDeviceID, _ isShared: Bool, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE server_block_devices SET is_shared = \(isShared) WHERE id = \(id)")
    }

    package func setDeletesOnTermination(
        _ id: BlockDeviceID, _ deletes: Bool, _ transaction: any Transaction
    ) throws {
        try transaction.execute("UPDATE server_block_devices SET deletes_on_termination = \(deletes) WHERE id = \(id)")
    }

    /// What `run` held of a server that is built is the server's own.
    package func settle(
        ofServer server: ServerID, heldBy run: SagaRunID, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE server_block_devices SET state = 'attached', saga_run = NULL, updated_at = \(time)
             WHERE server_id = \(server) AND saga_run = \(run)
            """)
    }

    /// Takes settled volumes of a server back into a run: the last step of its creation is undone.
    package func unsettle(
        ofServer server: ServerID, _ ids: [BlockDeviceID], to run: SagaRunID, at time: Timestamp,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE server_block_devices SET state = 'reserving', saga_run = \(run), updated_at = \(time)
             WHERE server_id = \(server) AND state = 'attached' AND volume_id IS NOT NULL AND id IN \(list: ids)
            """)
    }

    /// Leaves it to the reconciler. `deletesVolume` nil: as it was.
    package func abandon(
        _ id: BlockDeviceID, deletesVolume: Bool? = nil, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE server_block_devices
               SET state = 'releasing', saga_run = NULL, updated_at = \(time),
                   deletes_on_termination = COALESCE(\(deletesVolume), deletes_on_termination)
             WHERE id = \(id)
            """)
    }

    package func delete(_ id: BlockDeviceID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM server_block_devices WHERE id = \(id)")
    }
}
