// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import PatternKit
import PolicyKit

/// Reads the filters and the order of `GET /servers` (nova: servers.py, `_get_servers`).
struct ServerListReader {
    let request: APIRequest
    let context: CallContext

    struct Result {
        var query: ServerQuery
        var ip: TextPattern?
        var ip6: TextPattern?
        /// A filter that nothing can meet.
        var isEmpty = false
    }

    private static let everybody: Set<String> = [
        "reservation_id", "name", "status", "image", "flavor", "ip", "changes-since", "all_tenants",
    ]
    private static let everybodySince83: Set<String> = [
        "availability_zone", "config_drive", "key_name", "created_at", "launched_at", "terminated_at", "power_state",
        "task_state", "vm_state", "progress", "user_id",
    ]
    private static let known: Set<String> = everybody.union(everybodySince83).union([
        "project_id", "tenant_id", "launch_index", "image_ref", "kernel_id", "ramdisk_id", "hostname", "host", "node",
        "uuid", "display_name", "description", "display_description", "locked_by", "root_device_name", "access_ip_v4",
        "access_ip_v6", "auto_disk_config", "sort_key", "sort_dir", "soft_deleted", "deleted", "ip6", "limit", "marker",
        "tags", "tags-any", "not-tags", "not-tags-any", "changes-before", "locked",
    ])
    /// Upstream refuses to filter by what it would have to join.
    private static let joined: Set<String> = [
        "block_device_mapping", "services", "metadata", "system_metadata", "info_cache", "security_groups",
        "pci_devices",
    ]

    private var isAdmin: Bool { context.allows("os_compute_api:servers:allow_all_filters", [:]) }

    /// Whether the caller may filter by `name`; upstream ignores the filters of others.
    private func may(_ name: String) -> Bool {
        if isAdmin || Self.everybody.contains(name) { return true }
        switch name {
        case "ip6": return context.has(5)
        case "tags", "tags-any", "not-tags", "not-tags-any": return context.has(26)
        case "changes-before": return context.has(66)
        case "locked": return context.has(73)
        case "hostname": return context.has(90)
        default: return context.has(83) && Self.everybodySince83.contains(name)
        }
    }

    private func value(_ name: String) -> String? { may(name) ? request.query(name) : nil }

    private func pattern(_ names: String...) throws -> TextPattern? {
        for name in names {
            if let text = value(name), !text.isEmpty { return try TextPattern(text) }
        }
        return nil
    }

    func read(maximum: Int, allTenantsPolicy: PolicyName) throws -> Result {
        for (name, _) in request.http.query where Self.joined.contains(name) || name.hasPrefix("_") {
            throw CloudError.badRequest("Invalid filter field: \(name.prefix(64)).")
        }
        try ComputeWire.checkQuery(request, context, Self.known)
        var result = Result(query: ServerQuery())
        try readScope(&result, allTenantsPolicy)
        try readStates(&result)
        try readTimes(&result)
        try readFields(&result)
        try readPatterns(&result)
        try readOrder(&result)
        result.query.limit = try ComputeWire.limit(request, maximum: maximum)
        result.query.marker = request.query("marker").map { ID($0) }
        if result.query.limit == 0 { result.isEmpty = true }
        return result
    }

    private func readScope(_ result: inout Result, _ policy: PolicyName) throws {
        var isForAll = false
        if let text = request.query("all_tenants") {
            switch text.lowercased() {
            case "", "1", "t", "true", "on", "y", "yes": isForAll = true
            case "0", "f", "false", "off", "n", "no": break
            default:
                throw CloudError.badRequest("Invalid value for 'all_tenants': \(text.prefix(64))")
            }
        }
        if isForAll {
            try context.authorize([:], as: policy)
            result.query.project = (value("project_id") ?? value("tenant_id")).map { ID($0) }
        } else if let project = context.projectID {
            result.query.project = project
        } else {
            result.query.user = context.principal.userID
        }
        if let user = value("user_id") { result.query.user = ID(user) }
    }

    private func readStates(_ result: inout Result) throws {
        let statuses = Set(request.queryAll("status").map { $0.uppercased() }).sorted()
        if !statuses.isEmpty {
            let states = statuses.compactMap { ServerState.filter(status: $0) }
            if states.isEmpty {
                guard !context.has(38) else { throw CloudError.badRequest("Invalid status value") }
                result.isEmpty = true
            }
            result.query.states = states.flatMap(\.self)
            if states.joined().contains(where: { $0.vm == .deleted }) {
                guard isAdmin else {
                    throw CloudError.forbidden("Only administrators may list deleted instances")
                }
                result.query.isDeleted = true
            }
        } else if let text = value("vm_state") {
            guard let vm = VMState(rawValue: text) else {
                result.isEmpty = true
                return
            }
            result.query.states = [StateCondition(vm)]
            if vm == .deleted { result.query.isDeleted = true }
        }
        if let text = value("task_state") {
            guard let task = ServerTask(rawValue: text) else {
                result.isEmpty = true
                return
            }
            result.query.states = VMState.allCases.map { StateCondition($0, .only([task])) }
        }
        if let text = value("power_state") {
            guard let power = Int(text).flatMap(PowerState.init(rawValue:)) else {
                result.isEmpty = true
                return
            }
            result.query.power = power
        }
    }

    private func readTimes(_ result: inout Result) throws {
        result.query.changedSince = try ComputeWire.time(request, "changes-since")
        if may("changes-before") { result.query.changedBefore = try ComputeWire.time(request, "changes-before") }
        if let since = result.query.changedSince, let before = result.query.changedBefore, before < since {
            throw CloudError.badRequest("The value of changes-since must be less than or equal to changes-before.")
        }
        if let text = value("deleted") {
            result.query.isDeleted = ["true", "1", "yes", "on", "t", "y"].contains(text.lowercased())
        } else if result.query.changedSince != nil || result.query.changedBefore != nil {
            // Those who follow changes must hear of the end, too.
            result.query.isDeleted = nil
        }
    }

    private func readFields(_ result: inout Result) throws {
        if let text = value("image") ?? value("image_ref") {
            result.query.imageID = text.split(separator: "/").last.map(String.init) ?? text
        }
        if let text = value("flavor") {
            result.query.flavorID = text.split(separator: "/").last.map(String.init) ?? text
        }
        if let text = value("uuid") { result.query.ids = [ID(text)] }
        result.query.host = value("host")
        result.query.zone = value("availability_zone")
        result.query.keyName = value("key_name")
        result.query.launchIndex = value("launch_index").flatMap(Int.init)
        if let text = value("config_drive") {
            result.query.hasConfigDrive = ["true", "1", "yes"].contains(text.lowercased())
        }
        if context.has(73), let text = value("locked") {
            switch text.lowercased() {
            case "true", "1", "t", "on", "y", "yes": result.query.isLocked = true
            case "false", "0", "f", "off", "n", "no": result.query.isLocked = false
            default: throw CloudError.badRequest("Invalid value '\(text.prefix(64))' for 'locked'.")
            }
        }
        guard context.has(26) else { return }
        func tags(_ name: String) -> [String] { value(name).map { $0.split(separator: ",").map(String.init) } ?? [] }
        result.query.tagsAll = tags("tags")
        result.query.tagsAny = tags("tags-any")
        result.query.tagsNotAll = tags("not-tags")
        result.query.tagsNotAny = tags("not-tags-any")
    }

    private func readPatterns(_ result: inout Result) throws {
        result.ip = try pattern("ip")
        result.ip6 = try pattern("ip6")
        let fields: [(ServerQuery.PatternField, TextPattern?)] = [
            (.name, try pattern("name", "display_name")), (.hostname, try pattern("hostname")),
            (.description, try pattern("description", "display_description")), (.node, try pattern("node")),
            (.reservationID, try pattern("reservation_id")), (.accessIPv4, try pattern("access_ip_v4")),
            (.accessIPv6, try pattern("access_ip_v6")),
        ]
        result.query.patterns = fields.compactMap { field, pattern in pattern.map { (field, $0) } }
    }

    private func readOrder(_ result: inout Result) throws {
        let keys = request.queryAll("sort_key")
        let directions = request.queryAll("sort_dir")
        guard directions.allSatisfy({ $0 == "asc" || $0 == "desc" }) else {
            throw CloudError.badRequest("Unknown sort direction, must be one of: asc, desc")
        }
        for (index, text) in keys.enumerated() {
            // Without rights to see hosts the order must not tell them.
            if !isAdmin, text == "host" || text == "node" { continue }
            guard let key = ServerQuery.SortKey(rawValue: text == "locked" ? "locked_by" : text) else {
                if Self.ignoredSortKeys.contains(text), !context.has(75) { continue }
                throw CloudError.badRequest(
                    "Invalid input for query parameters sort_key. Value: \(text.prefix(64)). "
                        + "'\(text.prefix(64))' is not one of the sort keys")
            }
            // A key that comes again changes no order.
            guard !result.query.sort.contains(where: { $0.0 == key }) else { continue }
            let direction = directions.isEmpty ? "desc" : directions[min(index, directions.count - 1)]
            result.query.sort.append((key, direction == "desc"))
        }
        if keys.isEmpty, let direction = directions.first {
            result.query.sort = [(.createdAt, direction == "desc")]
        }
    }

    /// Columns of upstream's that it once sorted by.
    private static let ignoredSortKeys: Set<String> = [
        "architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted",
        "deleted_at", "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on",
        "locked", "memory_mb", "os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus",
        "vm_mode", "kernel_id", "ramdisk_id", "root_device_name", "progress",
    ]
}
