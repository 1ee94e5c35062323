// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PatternKit

package struct FlavorStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, name, description, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_factor, is_public,
        extra_specs, created_at
        """

    private static func flavor(_ row: any Row) throws -> Flavor {
        Flavor(
            id: row.text(0), name: row.text(1), description: row.textOrNil(2), vcpus: row.int(3),
            memoryMiB: row.int(4), rootGiB: row.int(5), ephemeralGiB: row.int(6), swapMiB: row.int(7),
            rxtxFactor: Double(row.text(8)) ?? 1, isPublic: row.bool(9),
            extraSpecs: try StoredMap.read(row.text(10)), createdAt: row.timestamp(11))
    }

    package func flavor(_ id: String, _ transaction: any Transaction) throws -> Flavor? {
        try transaction.first("SELECT \(Self.columns) FROM flavors WHERE id = \(id)", Self.flavor)
    }

    package func exists(_ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM flavors")
    }

    package func hasAccess(_ id: String, _ project: ProjectID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM flavor_access WHERE flavor_id = \(id) AND project_id = \(project)")
    }

    /// `project` sees its own private flavors beside the public ones; nil: an administrator, whom the filter obeys.
    package func list(
        _ filter: FlavorFilter, visibleTo project: ProjectID?, _ transaction: any Transaction
    ) throws -> [Flavor] {
        var sql: SQL = "SELECT \(Self.columns) FROM flavors WHERE 1 = 1"
        if let project {
            sql += """
                AND (is_public = 1 OR id IN (SELECT flavor_id FROM flavor_access WHERE project_id = \(project)))
                """
        } else if let isPublic = filter.isPublic {
            sql += "AND is_public = \(isPublic)"
        }
        if filter.minDiskGiB > 0 { sql += "AND root_gib >= \(filter.minDiskGiB)" }
        if filter.minMemoryMiB > 0 { sql += "AND memory_mib >= \(filter.minMemoryMiB)" }
        let pattern = try filter.name.map { try TextPattern($0).compiled() }
        let column = try Self.column(filter.sortKey)
        if let marker = filter.marker {
            guard
                let value = try transaction.first(
                    "SELECT \(name: column) FROM flavors WHERE id = \(marker)",
                    {
                        Self.isNumeric(column) ? SQLValue.integer($0.int64(0)) : SQLValue.text($0.text(0))
                    })
            else { throw CloudError.badRequest("marker [\(marker)] not found") }
            let beyond: SQL = filter.isDescending ? "<" : ">"
            sql += "AND (\(name: column), id) \(beyond) (\(value), \(marker))"
        }
        sql += filter.isDescending ? "ORDER BY \(name: column) DESC, id DESC" : "ORDER BY \(name: column), id"
        if pattern == nil { sql += "LIMIT \(filter.limit + 1)" }
        var flavors: [Flavor] = []
        try transaction.forEach(
            sql,
            while: { row in
                let flavor = try Self.flavor(row)
                if try pattern?.matches(flavor.name) ?? true { flavors.append(flavor) }
                return flavors.count <= filter.limit
            })
        return flavors
    }

    private static func column(_ key: String) throws -> StaticString {
        switch key {
        case "flavorid", "id": "id"
        case "name": "name"
        case "created_at", "updated_at": "created_at"
        case "memory_mb": "memory_mib"
        case "root_gb": "root_gib"
        case "ephemeral_gb": "ephemeral_gib"
        case "swap": "swap_mib"
        case "vcpus": "vcpus"
        case "is_public": "is_public"
        case "description": "COALESCE(description, '')"
        case "rxtx_factor", "disabled", "vcpu_weight": "id"
        default: throw CloudError.badRequest("Invalid input for query parameters sort_key. Value: \(key.prefix(64)).")
        }
    }

    private static func isNumeric(_ column: StaticString) -> Bool {
        !["id", "name", "COALESCE(description, '')"].contains(column.description)
    }

    // MARK: Write

    package func insert(_ flavor: Flavor, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO flavors (\(Self.columns)) VALUES (
                \(flavor.id), \(flavor.name), \(flavor.description), \(flavor.vcpus), \(flavor.memoryMiB),
                \(flavor.rootGiB), \(flavor.ephemeralGiB), \(flavor.swapMiB), \("\(flavor.rxtxFactor)"),
                \(flavor.isPublic), \(StoredMap.text(flavor.extraSpecs)), \(flavor.createdAt)
            )
            """)
    }

    package func setDescription(_ id: String, _ description: String?, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE flavors SET description = \(description) WHERE id = \(id)")
    }

    package func setExtraSpecs(_ id: String, _ specs: [String: String], _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE flavors SET extra_specs = \(StoredMap.text(specs)) WHERE id = \(id)")
    }

    package func delete(_ id: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM flavor_access WHERE flavor_id = \(id)")
        try transaction.execute("DELETE FROM flavors WHERE id = \(id)")
    }

    // MARK: Access

    package func access(_ id: String, _ transaction: any Transaction) throws -> [ProjectID] {
        try transaction.query("SELECT project_id FROM flavor_access WHERE flavor_id = \(id) ORDER BY project_id") {
            $0.id(0)
        }
    }

    package func allow(_ id: String, _ project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute("INSERT INTO flavor_access (flavor_id, project_id) VALUES (\(id), \(project))")
    }

    /// False: it had no access.
    package func disallow(_ id: String, _ project: ProjectID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM flavor_access WHERE flavor_id = \(id) AND project_id = \(project)") > 0
    }
}

/// A map of strings in a TEXT column.
enum StoredMap {
    static func read(_ text: String) throws -> [String: String] {
        if text == "{}" { return [:] }
        guard case .object(let fields) = try JSONReader.read(text) else { return [:] }
        return fields.compactMapValues(\.string)
    }

    static func text(_ map: [String: String]) -> String { JSON.object(map.mapValues(JSON.string)).text() }
}
