// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import TaskKit

/// SQL for servers. Rows stay after the end of a server, marked, for as long as the configuration keeps them.
package struct ServerStore: Sendable {
    package init() {}

    /// In the order in which `server(_:)` reads them. What is large comes last, where SQLite skips it cheaply.
    static let columns: SQL = """
        id, number, project_id, user_id, name, hostname, description, vm_state, task_state, power_state, saga_run,
        host, hypervisor_hostname, zone, pinned_zone, reservation_id, launch_index, image_id, image_properties,
        flavor_id, flavor_name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, extra_specs,
        key_name, config_drive, metadata, tags, access_ipv4, access_ipv6, disk_config, locked_by, locked_reason,
        trusted_certificates, scheduler_hints, fault_code, fault_message, fault_details, fault_at,
        created_at, updated_at, launched_at, terminated_at, is_deleted, user_data
        """

    static func server(_ row: any Row) throws -> Server {
        Server(
            id: row.id(0), number: row.int64(1), projectID: row.id(2), userID: row.id(3), name: row.text(4),
            hostname: row.text(5), description: row.textOrNil(6),
            state: ServerState(try row.word(7), try row.wordOrNil(8)),
            power: try row.word(9), sagaRun: row.idOrNil(10), host: row.textOrNil(11),
            hypervisorHostname: row.textOrNil(12), zone: row.textOrNil(13), pinnedZone: row.textOrNil(14),
            reservationID: row.text(15), launchIndex: row.int(16), imageID: row.idOrNil(17),
            imageProperties: row.text(18),
            flavor: FlavorSnapshot(
                id: row.text(19), name: row.text(20), vcpus: row.int(21), memoryMiB: row.int(22), rootGiB: row.int(23),
                ephemeralGiB: row.int(24), swapMiB: row.int(25), extraSpecs: row.text(26)),
            keyName: row.textOrNil(27), hasConfigDrive: row.bool(28), metadata: row.text(29), tags: row.text(30),
            accessIPv4: row.text(31), accessIPv6: row.text(32), diskConfig: row.text(33), lockedBy: row.textOrNil(34),
            lockedReason: row.textOrNil(35), trustedCertificates: row.textOrNil(36), schedulerHints: row.text(37),
            fault: row.intOrNil(38).map {
                ServerFault(code: $0, message: row.text(39), details: row.text(40), at: row.timestamp(41))
            },
            createdAt: row.timestamp(42), updatedAt: row.timestamp(43), launchedAt: row.timestampOrNil(44),
            terminatedAt: row.timestampOrNil(45), isDeleted: row.bool(46), userData: row.textOrNil(47))
    }

    /// What a server has beside what every list shows.
    package struct Extras: Sendable {
        package var keyData: String?
        package var keyType: String?
        /// JSON object: a tag by port id.
        package var networkTags: String
        /// What `os-server-password` answers.
        package var guestPassword: String
        /// `ImageInfo` as JSON, as it was when the server was made.
        package var imageSnapshot: String

        package init(
            keyData: String?, keyType: String?, networkTags: String, guestPassword: String, imageSnapshot: String
        ) {
            self.keyData = keyData
            self.keyType = keyType
            self.networkTags = networkTags
            self.guestPassword = guestPassword
            self.imageSnapshot = imageSnapshot
        }
    }

    // MARK: Read

    /// Also a deleted one.
    package func server(_ id: ServerID, _ transaction: any Transaction) throws -> Server? {
        try transaction.first("SELECT \(Self.columns) FROM servers WHERE id = \(id)", Self.server)
    }

    package func extras(_ id: ServerID, _ transaction: any Transaction) throws -> Extras? {
        try transaction.first(
            "SELECT key_data, key_type, network_tags, guest_password, image_snapshot FROM servers WHERE id = \(id)"
        ) {
            Extras(
                keyData: $0.textOrNil(0), keyType: $0.textOrNil(1), networkTags: $0.text(2), guestPassword: $0.text(3),
                imageSnapshot: $0.text(4))
        }
    }

    package func nextNumber(_ transaction: any Transaction) throws -> Int64 {
        Int64(try transaction.count("SELECT MAX(number) FROM servers")) + 1
    }

    /// Servers and what they use, of one project or of one user in it: counted, never stored.
    package func usage(
        of project: ProjectID, user: UserID? = nil, _ transaction: any Transaction
    ) throws -> (instances: Int, cores: Int, memoryMiB: Int) {
        var sql: SQL = """
            SELECT COUNT(*), COALESCE(SUM(vcpus), 0), COALESCE(SUM(memory_mib), 0) FROM servers
             WHERE project_id = \(project) AND is_deleted = 0 AND vm_state <> \(VMState.softDeleted.rawValue)
            """
        if let user { sql += "AND user_id = \(user)" }
        return try transaction.first(sql) { ($0.int(0), $0.int(1), $0.int(2)) } ?? (0, 0, 0)
    }

    /// Living servers on a host with their states.
    package func onHost(_ host: String, _ transaction: any Transaction) throws -> [Server] {
        try transaction.query(
            "SELECT \(Self.columns) FROM servers WHERE host = \(host) AND is_deleted = 0", Self.server)
    }

    /// In the order of projects, so that a page has whole projects but for its ends.
    package func living(
        from start: Timestamp, to stop: Timestamp, of project: ProjectID?, after marker: ServerID?, limit: Int,
        _ transaction: any Transaction
    ) throws -> [Server] {
        var sql: SQL = """
            SELECT \(Self.columns) FROM servers
             WHERE created_at < \(stop) AND (terminated_at IS NULL OR terminated_at > \(start))
            """
        if let project { sql += "AND project_id = \(project)" }
        if let marker {
            guard let last = try server(marker, transaction) else {
                throw CloudError.badRequest("Marker \(marker.rawValue.prefix(64)) could not be found.")
            }
            sql += """
                AND (project_id, created_at, id) > (\(last.projectID), \(last.createdAt), \(marker))
                """
        }
        return try transaction.query(sql + "ORDER BY project_id, created_at, id LIMIT \(limit)", Self.server)
    }

    /// How many living servers each host has.
    package func countsByHost(_ transaction: any Transaction) throws -> [String: Int] {
        let pairs = try transaction.query(
            "SELECT host, COUNT(*) FROM servers WHERE is_deleted = 0 AND host IS NOT NULL GROUP BY host"
        ) { ($0.text(0), $0.int(1)) }
        return Dictionary(pairs, uniquingKeysWith: +)
    }

    /// What became of a server that something outside the database still names.
    package struct Fate: Sendable {
        package var id: ServerID
        package var isUnknown: Bool
        package var isDeleted: Bool
        package var host: String?
        package var hasRun: Bool
    }

    package func fates(of ids: [ServerID], _ transaction: any Transaction) throws -> [Fate] {
        var fates: [ServerID: Fate] = [:]
        for part in ids.slices() {
            try transaction.forEach(
                "SELECT id, is_deleted, host, saga_run FROM servers WHERE id IN \(list: part.map(\.rawValue))"
            ) { row in
                let id: ServerID = row.id(0)
                fates[id] = Fate(
                    id: id, isUnknown: false, isDeleted: row.bool(1), host: row.textOrNil(2), hasRun: !row.isNull(3))
            }
        }
        return ids.map {
            fates[$0] ?? Fate(id: $0, isUnknown: true, isDeleted: false, host: nil, hasRun: false)
        }
    }

    /// Living servers that a run has held since before `limit`, or that are in the middle of something without a run.
    package func unattended(since limit: Timestamp, _ transaction: any Transaction) throws -> [Server] {
        try transaction.readable(
            """
            SELECT \(Self.columns) FROM servers
             WHERE is_deleted = 0 AND updated_at < \(limit) AND (saga_run IS NOT NULL OR task_state IS NOT NULL)
            """, Self.server)
    }

    package func hosts(of ids: [ServerID], _ transaction: any Transaction) throws -> [(id: ServerID, host: String)] {
        guard !ids.isEmpty else { return [] }
        return try transaction.query(
            "SELECT id, host FROM servers WHERE is_deleted = 0 AND host IS NOT NULL AND id IN \(list: ids)"
        ) { ($0.id(0), $0.text(1)) }
    }

    // MARK: Write

    package func insert(_ server: Server, _ extras: Extras, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO servers (\(Self.columns), key_data, key_type, network_tags, guest_password, image_snapshot)
            VALUES (
                \(server.id), \(server.number), \(server.projectID), \(server.userID), \(server.name),
                \(server.hostname), \(server.description), \(server.state.vm.rawValue),
                \(server.state.task?.rawValue), \(server.power.rawValue), \(server.sagaRun), \(server.host),
                \(server.hypervisorHostname), \(server.zone), \(server.pinnedZone), \(server.reservationID),
                \(server.launchIndex), \(server.imageID), \(server.imageProperties), \(server.flavor.id),
                \(server.flavor.name), \(server.flavor.vcpus), \(server.flavor.memoryMiB), \(server.flavor.rootGiB),
                \(server.flavor.ephemeralGiB), \(server.flavor.swapMiB), \(server.flavor.extraSpecs),
                \(server.keyName), \(server.hasConfigDrive), \(server.metadata), \(server.tags),
                \(server.accessIPv4), \(server.accessIPv6), \(server.diskConfig), \(server.lockedBy),
                \(server.lockedReason), \(server.trustedCertificates), \(server.schedulerHints),
                \(server.fault?.code), \(server.fault?.message), \(server.fault?.details), \(server.fault?.at),
                \(server.createdAt), \(server.updatedAt), \(server.launchedAt), \(server.terminatedAt),
                \(server.isDeleted), \(server.userData), \(extras.keyData), \(extras.keyType),
                \(extras.networkTags), \(extras.guestPassword), \(extras.imageSnapshot)
            )
            """)
    }

    /// Moves a server from the state it was read in. False: it is no longer in that state, or another run holds it.
    ///
    /// The old state, the old holder and the liveness are the condition, so two controllers cannot both win.
    package func move(
        _ server: Server, to state: ServerState, run: SagaRunID?, power: PowerState? = nil, at time: Timestamp,
        _ transaction: any Transaction
    ) throws -> Bool {
        let changed = try transaction.execute(
            """
            UPDATE servers
               SET vm_state = \(state.vm.rawValue), task_state = \(state.task?.rawValue), saga_run = \(run),
                   power_state = \((power ?? server.power).rawValue), updated_at = \(time)
             WHERE id = \(server.id) AND is_deleted = 0 AND vm_state = \(server.state.vm.rawValue)
               AND COALESCE(task_state, '') = \(server.state.task?.rawValue ?? "")
               AND COALESCE(saga_run, '') = \(server.sagaRun?.rawValue ?? "")
            """)
        assert(changed <= 1, "servers.id is not unique")
        return changed == 1
    }

    /// Where a server goes. `orFree`: also one that no run holds. False: another run holds it.
    package func place(
        _ id: ServerID, run: SagaRunID, orFree: Bool = false, host: String?, node: String?, zone: String?,
        _ transaction: any Transaction
    ) throws -> Bool {
        let holders = orFree ? [run.rawValue, ""] : [run.rawValue]
        return try transaction.execute(
            """
            UPDATE servers SET host = \(host), hypervisor_hostname = \(node), zone = \(zone)
             WHERE id = \(id) AND COALESCE(saga_run, '') IN \(list: holders) AND is_deleted = 0
            """) == 1
    }

    /// It is on no host from now on.
    package func leaveHost(_ id: ServerID, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE servers SET host = NULL, hypervisor_hostname = NULL, zone = NULL WHERE id = \(id) AND is_deleted = 0"
        )
    }

    package func setPinnedZone(_ id: ServerID, _ zone: String?, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE servers SET pinned_zone = \(zone) WHERE id = \(id) AND is_deleted = 0")
    }

    package func setFlavor(_ id: ServerID, _ flavor: FlavorSnapshot, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE servers SET flavor_id = \(flavor.id), flavor_name = \(flavor.name), vcpus = \(flavor.vcpus),
                   memory_mib = \(flavor.memoryMiB), root_gib = \(flavor.rootGiB), ephemeral_gib = \(flavor.ephemeralGiB),
                   swap_mib = \(flavor.swapMiB), extra_specs = \(flavor.extraSpecs)
             WHERE id = \(id) AND is_deleted = 0
            """)
    }

    package func setDiskConfig(_ id: ServerID, _ diskConfig: String, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE servers SET disk_config = \(diskConfig) WHERE id = \(id) AND is_deleted = 0")
    }

    package func setLaunched(_ id: ServerID, at time: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE servers SET launched_at = \(time) WHERE id = \(id)")
    }

    package func setPower(_ id: ServerID, _ power: PowerState, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE servers SET power_state = \(power.rawValue) WHERE id = \(id) AND is_deleted = 0")
    }

    package func setFault(_ id: ServerID, _ fault: ServerFault?, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE servers SET fault_code = \(fault?.code), fault_message = \(fault?.message),
                   fault_details = \(fault?.details), fault_at = \(fault?.at)
             WHERE id = \(id)
            """)
    }

    /// The name that the guest finds a card by; nil: none.
    package func setNetworkTag(
        _ id: ServerID, port: String, _ tag: String?, _ transaction: any Transaction
    ) throws {
        guard let extras = try extras(id, transaction) else { return }
        var tags = try StoredMap.read(extras.networkTags)
        guard tags[port] != tag else { return }
        tags[port] = tag
        try transaction.execute("UPDATE servers SET network_tags = \(StoredMap.text(tags)) WHERE id = \(id)")
    }

    package func setGuestPassword(_ id: ServerID, _ password: String, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE servers SET guest_password = \(password) WHERE id = \(id)")
    }

    /// The end of a server: the row stays, and with it nothing else.
    package func markDeleted(_ id: ServerID, at time: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE servers SET vm_state = 'deleted', task_state = NULL, power_state = 0, saga_run = NULL,
                   is_deleted = 1, terminated_at = \(time), updated_at = \(time)
             WHERE id = \(id) AND is_deleted = 0
            """)
        try transaction.execute("DELETE FROM server_tags WHERE server_id = \(id)")
        try transaction.execute("DELETE FROM server_group_members WHERE server_id = \(id)")
        try transaction.execute("DELETE FROM compute_console_tokens WHERE server_id = \(id)")
        try transaction.execute("DELETE FROM server_shelves WHERE server_id = \(id)")
        try transaction.execute("DELETE FROM server_soft_deletions WHERE server_id = \(id)")
        // Volumes keep their rows until their leases have ended.
        try transaction.execute("DELETE FROM server_block_devices WHERE server_id = \(id) AND volume_id IS NULL")
    }

    package func hasEnded(before limit: Timestamp, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM servers WHERE is_deleted = 1 AND terminated_at < \(limit)")
    }

    /// Forgets servers that ended before `limit`, except those that a lost host may still have volumes of. Returns how
    /// many.
    package func purge(before limit: Timestamp, _ transaction: any Transaction) throws -> Int {
        for table in ["server_actions", "server_action_events", "server_migrations"] as [StaticString] {
            try transaction.execute(
                """
                DELETE FROM \(name: table) WHERE server_id IN
                    (SELECT id FROM servers WHERE is_deleted = 1 AND terminated_at < \(limit))
                """)
        }
        return try transaction.execute(
            """
            DELETE FROM servers WHERE is_deleted = 1 AND terminated_at < \(limit)
               AND NOT EXISTS (SELECT 1 FROM server_block_devices WHERE server_id = servers.id)
            """)
    }

    /// What a user may change at any time.
    package struct Changes: Sendable {
        package var name: String?
        package var description: String??
        package var hostname: String?
        package var accessIPv4: String?
        package var accessIPv6: String?
        package var diskConfig: String?
        package var pinnedZone: String??
        package init() {}
    }

    package func update(
        _ server: Server, _ changes: Changes, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE servers SET name = \(changes.name ?? server.name),
                   description = \(changes.description ?? server.description),
                   hostname = \(changes.hostname ?? server.hostname),
                   access_ipv4 = \(changes.accessIPv4 ?? server.accessIPv4),
                   access_ipv6 = \(changes.accessIPv6 ?? server.accessIPv6),
                   disk_config = \(changes.diskConfig ?? server.diskConfig),
                   pinned_zone = \(changes.pinnedZone ?? server.pinnedZone), updated_at = \(time)
             WHERE id = \(server.id) AND is_deleted = 0
            """)
    }

    package func setMetadata(
        _ id: ServerID, _ metadata: [String: String], at time: Timestamp, _ transaction: any Transaction
    ) throws {
        let text = JSON.object(metadata.mapValues(JSON.string)).text()
        try transaction.execute(
            "UPDATE servers SET metadata = \(text), updated_at = \(time) WHERE id = \(id) AND is_deleted = 0")
    }

    package func setTags(
        _ id: ServerID, _ tags: [String], at time: Timestamp?, _ transaction: any Transaction
    ) throws {
        try transaction.execute("DELETE FROM server_tags WHERE server_id = \(id)")
        for tag in tags {
            try transaction.execute("INSERT INTO server_tags (server_id, tag) VALUES (\(id), \(tag))")
        }
        let text = JSON.array(tags.map(JSON.string)).text()
        try transaction.execute("UPDATE servers SET tags = \(text) WHERE id = \(id)")
        if let time { try transaction.execute("UPDATE servers SET updated_at = \(time) WHERE id = \(id)") }
    }

    package func setLock(
        _ id: ServerID, by holder: String?, reason: String?, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            "UPDATE servers SET locked_by = \(holder), locked_reason = \(reason) WHERE id = \(id) AND is_deleted = 0")
    }
}
