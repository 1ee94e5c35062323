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
    }

    /// A text column that a pattern filters.
    package enum PatternField: String, Sendable {
        case name, hostname, keyName, description, node, zone, reservationID, flavor, host, accessIPv4, accessIPv6
    }

    package var project: ProjectID?
    package var user: UserID?
    package var ids: [ServerID]?
    package var isDeleted: Bool? = false
    /// Any of these, each a condition on state and task.
    package var states: [(vm: VMState?, task: ServerTask?)]?
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
            var any: SQL = "1 = 0"
            for (vm, task) in states {
                guard let vm else { continue }
                if let task {
                    any += "OR (vm_state = \(vm.rawValue) AND task_state = \(task.rawValue))"
                } else if vm == .active {
                    any +=
                        "OR (vm_state = 'active' AND COALESCE(task_state, '') NOT IN ('rebooting', 'rebooting_hard'))"
                } else {
                    any += "OR vm_state = \(vm.rawValue)"
                }
            }
            sql += "AND (\(any))"
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

    private var tagConditions: SQL {
        var sql: SQL = ""
        let of: SQL = "FROM server_tags WHERE server_tags.server_id = servers.id AND tag IN"
        if !tagsAll.isEmpty { sql += "AND (SELECT COUNT(*) \(of) \(list: tagsAll)) = \(Set(tagsAll).count)" }
        if !tagsAny.isEmpty { sql += "AND EXISTS (SELECT 1 \(of) \(list: tagsAny))" }
        if !tagsNotAll.isEmpty { sql += "AND (SELECT COUNT(*) \(of) \(list: tagsNotAll)) < \(Set(tagsNotAll).count)" }
        if !tagsNotAny.isEmpty { sql += "AND NOT EXISTS (SELECT 1 \(of) \(list: tagsNotAny))" }
        return sql
    }

    /// The order, always ending in the id so that it is total.
    private var order: [(column: StaticString, isDescending: Bool)] {
        var order: [(column: StaticString, isDescending: Bool)] = []
        for (key, isDescending) in sort.isEmpty ? [(key: SortKey.createdAt, isDescending: true)] : sort {
            order.append((key.column, isDescending))
        }
        order.append(("id", order.last?.isDescending ?? true))
        return order
    }

    /// Rows after the marker in this order: larger in the first column that differs.
    private func after(_ values: [SQLValue]) -> SQL {
        var sql: SQL = "1 = 0"
        let order = order
        for index in order.indices {
            var part: SQL = "1 = 1"
            for earlier in 0..<index { part += "AND \(name: order[earlier].column) = \(values[earlier])" }
            part +=
                order[index].isDescending
                ? "AND \(name: order[index].column) < \(values[index])"
                : "AND \(name: order[index].column) > \(values[index])"
            sql += "OR (\(part))"
        }
        return sql
    }

    /// Throws `.badRequest` when the marker is not there. One more than `limit` is read, to know whether more follow.
    package func run(_ transaction: any Transaction) throws -> [Server] {
        var sql: SQL = "SELECT \(ServerStore.columns) FROM servers WHERE \(conditions)"
        if let marker {
            guard let values = try markerValues(marker, transaction) else {
                throw CloudError.badRequest("marker [\(marker)] not found")
            }
            sql += "AND (\(after(values)))"
        }
        sql += "ORDER BY"
        for (index, part) in order.enumerated() {
            if index > 0 { sql += "," }
            sql += part.isDescending ? "\(name: part.column) DESC" : "\(name: part.column) ASC"
        }
        guard patterns.isEmpty else { return try filtered(sql, transaction) }
        if let limit { sql += "LIMIT \(limit + 1)" }
        var servers: [Server] = []
        servers.reserveCapacity(min(limit.map { $0 + 1 } ?? 64, 1024))
        try transaction.forEach(sql) { servers.append(ServerStore.server($0)) }
        return servers
    }

    /// Patterns are no business of SQL's: engines differ. Reads until enough rows match.
    private func filtered(_ sql: SQL, _ transaction: any Transaction) throws -> [Server] {
        struct Enough: Error {}
        let tests = try patterns.map { (field: $0.field, matcher: try $0.pattern.compiled()) }
        var servers: [Server] = []
        do {
            try transaction.forEach(sql) { row in
                let server = ServerStore.server(row)
                guard try tests.allSatisfy({ try $0.matcher.matches(Self.text(of: $0.field, server)) }) else { return }
                servers.append(server)
                if let limit, servers.count > limit { throw Enough() }
            }
        } catch is Enough {}
        return servers
    }

    private static func text(of field: PatternField, _ server: Server) -> String {
        switch field {
        case .name: server.name
        case .hostname: server.hostname
        case .keyName: server.keyName ?? ""
        case .description: server.description ?? ""
        case .node: server.hypervisorHostname ?? ""
        case .zone: server.zone ?? ""
        case .reservationID: server.reservationID
        case .flavor: server.flavor.id
        case .host: server.host ?? ""
        case .accessIPv4: server.accessIPv4
        case .accessIPv6: server.accessIPv6
        }
    }

    /// Within the caller's own rows: a marker of another project is as unknown as one that never was.
    private func markerValues(_ marker: ServerID, _ transaction: any Transaction) throws -> [SQLValue]? {
        var sql: SQL = "SELECT"
        for (index, part) in order.enumerated() {
            sql += index == 0 ? "\(name: part.column)" : ", \(name: part.column)"
        }
        sql += "FROM servers WHERE id = \(marker)"
        if let project { sql += "AND project_id = \(project)" }
        let numeric: Set<String> = [
            "created_at", "updated_at", "power_state", "launch_index", "config_drive", "COALESCE(launched_at, 0)",
            "COALESCE(terminated_at, 0)",
        ]
        let order = order
        return try transaction.first(sql) { row in
            order.indices.map { index in
                numeric.contains(order[index].column.description) ? .integer(row.int64(index)) : .text(row.text(index))
            }
        }
    }
}
