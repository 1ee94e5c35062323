// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// Which volumes a list shows, and in which order.
package struct VolumeQuery: Sendable {
    package enum SortKey: String, Sendable, CaseIterable, RowSortKey {
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case id, status, size, host, bootable
        case name = "display_name"
        case zone = "availability_zone"
        case project = "project_id"
        case user = "user_id"
        case type = "volume_type_id"
        case multiattach
        case migration = "migration_status"
        case description = "display_description"
        case launchedAt = "launched_at"
        case snapshot = "snapshot_id"
        case source = "source_volid"
        case group = "group_id"

        var column: StaticString {
            switch self {
            case .createdAt: "created_at"
            case .updatedAt: "COALESCE(updated_at, 0)"
            case .id: "id"
            case .status: "status"
            case .size: "size_gib"
            case .host: "COALESCE(host, '')"
            case .bootable: "is_bootable"
            case .name: "COALESCE(name, '')"
            case .zone: "zone"
            case .project: "project_id"
            case .user: "user_id"
            case .type: "type_id"
            case .multiattach: "is_multiattach"
            case .migration: "COALESCE(migration, '')"
            case .description: "COALESCE(description, '')"
            case .launchedAt: "COALESCE(launched_at, 0)"
            case .snapshot: "COALESCE(snapshot_id, '')"
            case .source: "COALESCE(source_volume_id, '')"
            case .group: "COALESCE(group_id, '')"
            }
        }

        var isNumeric: Bool {
            switch self {
            case .createdAt, .updatedAt, .size, .bootable, .multiattach, .launchedAt: true
            default: false
            }
        }
    }

    package struct TimeBound: Sendable {
        package enum Operator: String, Sendable { case gt, gte, eq, neq, lt, lte }
        package var comparison: Operator
        package var time: Timestamp
        package init(_ comparison: Operator, _ time: Timestamp) {
            self.comparison = comparison
            self.time = time
        }
    }

    package var project: ProjectID?
    package var ids: [VolumeID]?
    package var user: UserID?
    package var name: String?
    package var nameContains: String?
    package var status: String?
    package var description: String?
    package var sizeGiB: Int?
    package var zone: String?
    package var host: String?
    package var isBootable: Bool?
    package var isMultiattach: Bool?
    package var isEncrypted: Bool?
    package var migration: String?
    package var snapshot: String?
    package var source: String?
    package var image: String?
    package var group: String?
    package var type: VolumeTypeID?
    package var metadata: [String: String] = [:]
    package var imageMetadata: [String: String] = [:]
    package var created: [TimeBound] = []
    package var updated: [TimeBound] = []
    package var sort: [(key: SortKey, isDescending: Bool)] = []
    package var marker: VolumeID?
    package var limit: Int?
    package var offset = 0
    /// Nothing matches: a filter names what cannot be.
    package var isEmpty = false

    package init() {}

    private var conditions: SQL {
        var sql: SQL = "1 = 1"
        if let project { sql += "AND project_id = \(project)" }
        if let ids { sql += "AND id IN \(list: ids)" }
        if let user { sql += "AND user_id = \(user)" }
        if let name { sql += "AND name = \(name)" }
        if let nameContains { sql += "AND \(TextMatch.contains("name", nameContains))" }
        if let status { sql += "AND status = \(status)" }
        if let description { sql += "AND description = \(description)" }
        if let sizeGiB { sql += "AND size_gib = \(sizeGiB)" }
        if let zone { sql += "AND zone = \(zone)" }
        if let host { sql += "AND (host = \(host) OR host >= \(host + "#") AND host < \(host + "$"))" }
        if let isBootable { sql += "AND is_bootable = \(isBootable)" }
        if let isMultiattach { sql += "AND is_multiattach = \(isMultiattach)" }
        if let isEncrypted { sql += isEncrypted ? "AND key_id IS NOT NULL" : "AND key_id IS NULL" }
        if let migration { sql += "AND migration = \(migration)" }
        if let snapshot { sql += "AND snapshot_id = \(snapshot)" }
        if let source { sql += "AND source_volume_id = \(source)" }
        if let image { sql += "AND image_id = \(image)" }
        if let group { sql += "AND group_id = \(group)" }
        if let type { sql += "AND type_id = \(type)" }
        sql += "AND \(Self.conditions("created_at", created))"
        sql += "AND \(Self.conditions("COALESCE(updated_at, 0)", updated))"
        return sql
    }

    static func conditions(_ column: StaticString, _ bounds: [TimeBound]) -> SQL {
        SQL.all(bounds.map { condition(column, $0) })
    }

    private static func condition(_ column: StaticString, _ bound: TimeBound) -> SQL {
        switch bound.comparison {
        case .gt: "\(name: column) > \(bound.time)"
        case .gte: "\(name: column) >= \(bound.time)"
        case .eq: "\(name: column) = \(bound.time)"
        case .neq: "\(name: column) <> \(bound.time)"
        case .lt: "\(name: column) < \(bound.time)"
        case .lte: "\(name: column) <= \(bound.time)"
        }
    }

    private var order: RowOrder { RowOrder("volumes", sort) }

    private var filtersInMemory: Bool { !metadata.isEmpty || !imageMetadata.isEmpty }

    private func matches(_ volume: Volume) -> Bool {
        metadata.allSatisfy { volume.metadata[$0.key] == $0.value }
            && imageMetadata.allSatisfy { volume.imageMetadata[$0.key] == $0.value }
    }

    /// Throws `.notFound` when the marker is not there. One more than `limit` is read, to know whether more follow.
    package func run(_ transaction: any Transaction) throws -> [Volume] {
        guard !isEmpty else { return [] }
        var found: SQL = "FROM volumes WHERE \(conditions)"
        if let marker {
            guard let rest = try order.after(marker.rawValue, of: project, transaction) else {
                throw VolumeErrors.notFound(marker)
            }
            found += "AND \(rest)"
        }
        found += "ORDER BY \(order.sql)"
        guard filtersInMemory else {
            found += RowOrder.cut(limit: limit.map { $0 + 1 }, offset: offset)
            // Whole rows are read for the page alone, whatever the engine has to sort.
            return try transaction.query(
                """
                SELECT \(VolumeStore.columns) FROM volumes WHERE id IN (SELECT id \(found)) ORDER BY \(order.sql)
                """, VolumeStore.volume)
        }
        // Engines differ in how they look into JSON, so this does. Reads until enough rows match.
        return try RowOrder.page(
            "SELECT \(VolumeStore.columns) \(found)", limit: limit.map { $0 + 1 }, offset: offset, transaction,
            VolumeStore.volume, where: matches)
    }

    /// Of all pages.
    package func count(_ transaction: any Transaction) throws -> Int {
        guard !isEmpty else { return 0 }
        guard filtersInMemory else {
            return try transaction.count("SELECT COUNT(*) FROM volumes WHERE \(conditions)")
        }
        var query = self
        (query.marker, query.limit, query.offset) = (nil, nil, 0)
        return try query.run(transaction).count
    }
}
