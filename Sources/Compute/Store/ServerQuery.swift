// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import PatternKit

/// Which servers a list shows, and in which order.
package struct ServerQuery: Sendable {
    package enum SortKey: String, Sendable, CaseIterable {
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case name = "display_name"
        case id = "uuid"
        case vm = "vm_state"
        case task = "task_state"
        case power = "power_state"
        case host, node
        case image = "image_ref"
        case flavor = "instance_type_id"
        case project = "project_id"
        case user = "user_id"
        case zone = "availability_zone"
        case hostname
        case keyName = "key_name"
        case launchedAt = "launched_at"
        case terminatedAt = "terminated_at"
        case launchIndex = "launch_index"
        case description = "display_description"
        case accessIPv4 = "access_ip_v4"
        case accessIPv6 = "access_ip_v6"
        case locked = "locked_by"
        case configDrive = "config_drive"
        case diskConfig = "auto_disk_config"

        var column: StaticString {
            switch self {
            case .createdAt: "created_at"
            case .updatedAt: "updated_at"
            case .name: "name"
            case .id: "id"
            case .vm: "vm_state"
            case .task: "COALESCE(task_state, '')"
            case .power: "power_state"
            case .host: "COALESCE(host, '')"
            case .node: "COALESCE(hypervisor_hostname, '')"
            case .image: "COALESCE(image_id, '')"
            case .flavor: "flavor_id"
            case .project: "project_id"
            case .user: "user_id"
            case .zone: "COALESCE(zone, '')"
            case .hostname: "hostname"
            case .keyName: "COALESCE(key_name, '')"
            case .launchedAt: "COALESCE(launched_at, 0)"
            case .terminatedAt: "COALESCE(terminated_at, 0)"
            case .launchIndex: "launch_index"
            case .description: "COALESCE(description, '')"
            case .accessIPv4: "access_ipv4"
            case .accessIPv6: "access_ipv6"
            case .locked: "COALESCE(locked_by, '')"
            case .configDrive: "config_drive"
            case .diskConfig: "disk_config"
            }
        }

        var isNumeric: Bool {
            switch self {
            case .createdAt, .updatedAt, .power, .launchIndex, .configDrive, .launchedAt, .terminatedAt: true
            default: false
            }
        }
    }

    /// A text column that a pattern filters.
    package enum PatternField: String, Sendable {
        case name, hostname, keyName, description, node, zone, reservationID, flavor, host, accessIPv4, accessIPv6

        var column: StaticString {
            switch self {
            case .name: "name"
            case .hostname: "hostname"
            case .keyName: "key_name"
            case .description: "description"
            case .node: "hypervisor_hostname"
            case .zone: "zone"
            case .reservationID: "reservation_id"
            case .flavor: "flavor_id"
            case .host: "host"
            case .accessIPv4: "access_ipv4"
            case .accessIPv6: "access_ipv6"
            }
        }
    }

    package var project: ProjectID?
    package var user: UserID?
    package var ids: [ServerID]?
    package var isDeleted: Bool? = false
    /// Any of these, each a condition on state and task.
    package var states: [StateCondition]?
    package var power: PowerState?
    package var flavorID: String?
    package var imageID: String?
    package var host: String?
    package var node: String?
    package var zone: String?
    package var keyName: String?
    package var launchIndex: Int?
    package var isLocked: Bool?
    package var hasConfigDrive: Bool?
    package var changedSince: Timestamp?
    package var changedBefore: Timestamp?
    package var tagsAll: [String] = []
    package var tagsAny: [String] = []
    package var tagsNotAll: [String] = []
    package var tagsNotAny: [String] = []
    package var patterns: [(field: PatternField, pattern: TextPattern)] = []
    package var sort: [(key: SortKey, isDescending: Bool)] = []
    package var marker: ServerID?
    package var limit: Int?

    package init() {}

    /// Conditions that SQL decides.
    private var conditions: SQL {
        var sql: SQL = "1 = 1"
        if let isDeleted { sql += "AND is_deleted = \(isDeleted)" }
        if let project { sql += "AND project_id = \(project)" }
        if let user { sql += "AND user_id = \(user)" }
        if let ids { sql += "AND id IN \(list: ids)" }
        if let states {
            var any: SQL = states.isEmpty ? "1 = 0" : ""
            for (index, condition) in states.enumerated() {
                any += index == 0 ? "(\(Self.sql(condition)))" : "OR (\(Self.sql(condition)))"
            }
            sql += "AND (\(any))"
        } else {
            // nova: db/main/api.py, `soft_deleted`
            sql += "AND vm_state <> \(VMState.softDeleted.rawValue)"
        }
        if let power { sql += "AND power_state = \(power.rawValue)" }
        if let flavorID { sql += "AND flavor_id = \(flavorID)" }
        if let imageID { sql += "AND image_id = \(imageID)" }
        if let host { sql += "AND host = \(host)" }
        if let node { sql += "AND hypervisor_hostname = \(node)" }
        if let zone { sql += "AND zone = \(zone)" }
        if let keyName { sql += "AND key_name = \(keyName)" }
        if let launchIndex { sql += "AND launch_index = \(launchIndex)" }
        if let isLocked { sql += isLocked ? "AND locked_by IS NOT NULL" : "AND locked_by IS NULL" }
        if let hasConfigDrive { sql += "AND config_drive = \(hasConfigDrive)" }
        if let changedSince { sql += "AND updated_at >= \(changedSince)" }
        if let changedBefore { sql += "AND updated_at <= \(changedBefore)" }
        sql += tagConditions
        return sql
    }

    private static func sql(_ condition: StateCondition) -> SQL {
        let vm: SQL = "vm_state = \(condition.vm.rawValue)"
        switch condition.tasks {
        case .any: return vm
        case .only(let tasks): return vm + "AND task_state IN \(list: tasks.map(\.rawValue).sorted())"
        case .allBut(let tasks):
            return vm + "AND COALESCE(task_state, '') NOT IN \(list: tasks.map(\.rawValue).sorted())"
        }
    }

    /// What has a tag is few, so it is looked up; what has not is many, so each row is asked.
    private var tagConditions: SQL {
        var sql: SQL = ""
        let own: SQL = "FROM server_tags WHERE server_tags.server_id = servers.id AND tag IN"
        if !tagsAll.isEmpty {
            sql += "AND id IN (\(SQL.keys("server_id", of: "server_tags", withAll: tagsAll, in: "tag")))"
        }
        if !tagsAny.isEmpty { sql += "AND id IN (SELECT server_id FROM server_tags WHERE tag IN \(list: tagsAny))" }
        if !tagsNotAll.isEmpty {
            sql += "AND (SELECT COUNT(*) \(own) \(list: tagsNotAll)) < \(Set(tagsNotAll).count)"
        }
        if !tagsNotAny.isEmpty { sql += "AND NOT EXISTS (SELECT 1 \(own) \(list: tagsNotAny))" }
        return sql
    }

    /// The order, always ending in the id so that it is total.
    private var order: PageOrder {
        let sort = sort.isEmpty ? [(key: SortKey.createdAt, isDescending: true)] : sort
        var keys = sort.map {
            PageOrder.Key("\(name: $0.key.column)", isText: !$0.key.isNumeric, isDescending: $0.isDescending)
        }
        keys.append(PageOrder.Key("id", isText: true, isDescending: sort.last?.isDescending ?? true))
        return PageOrder(keys)
    }

    /// Throws `.badRequest` when the marker is not there. One more than `limit` is read, to know whether more follow.
    package func run(_ transaction: any Transaction) throws -> [Server] {
        let order = order
        var found: SQL = "FROM servers WHERE \(conditions)"
        if let marker {
            guard let values = try markerValues(marker, order, transaction) else {
                throw CloudError.badRequest("marker [\(marker)] not found")
            }
            found += "AND \(order.after(values))"
        }
        found += "ORDER BY \(order.clause)"
        guard patterns.isEmpty else { return try filtered(found, transaction) }
        // Rows are wide: those of the page alone are read, whatever the engine has to sort.
        if let limit {
            found = "FROM servers WHERE id IN (SELECT id \(found) LIMIT \(limit + 1)) ORDER BY \(order.clause)"
        }
        var servers: [Server] = []
        servers.reserveCapacity(min(limit.map { $0 + 1 } ?? 64, 1024))
        try transaction.forEach("SELECT \(ServerStore.columns) \(found)") { servers.append(try ServerStore.server($0)) }
        return servers
    }

    /// Patterns are no business of SQL's: engines differ. Reads what they are held against, until enough rows match.
    private func filtered(_ found: SQL, _ transaction: any Transaction) throws -> [Server] {
        let matchers = try patterns.map { try $0.pattern.compiled() }
        var columns: SQL = "id"
        for (field, _) in patterns { columns += ", \(name: field.column)" }
        var ids: [ServerID] = []
        try transaction.forEach(
            "SELECT \(columns) \(found)",
            while: { row in
                for (index, matcher) in matchers.enumerated() {
                    guard try matcher.matches(row.textOrNil(index + 1) ?? "") else { return true }
                }
                ids.append(row.id(0))
                return limit.map { ids.count <= $0 } ?? true
            })
        var servers: [ServerID: Server] = [:]
        for part in ids.slices() {
            try transaction.forEach("SELECT \(ServerStore.columns) FROM servers WHERE id IN \(list: part)") { row in
                let server = try ServerStore.server(row)
                servers[server.id] = server
            }
        }
        return ids.compactMap { servers[$0] }
    }

    /// Within the caller's own rows: a marker of another project is as unknown as one that never was.
    private func markerValues(
        _ marker: ServerID, _ order: PageOrder, _ transaction: any Transaction
    ) throws -> [SQLValue]? {
        var sql: SQL = "SELECT \(order.columns) FROM servers WHERE id = \(marker)"
        if let project { sql += "AND project_id = \(project)" }
        return try transaction.first(sql, order.values)
    }
}
