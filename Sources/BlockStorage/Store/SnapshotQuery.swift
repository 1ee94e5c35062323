// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// Which snapshots a list shows, and in which order.
package struct SnapshotQuery: Sendable {
    package enum SortKey: String, Sendable, CaseIterable, RowSortKey {
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case id, status
        case name = "display_name"
        case description = "display_description"
        case volume = "volume_id"
        case size = "volume_size"
        case project = "project_id"
        case user = "user_id"

        var column: StaticString {
            switch self {
            case .createdAt: "created_at"
            case .updatedAt: "COALESCE(updated_at, 0)"
            case .id: "id"
            case .status: "status"
            case .name: "COALESCE(name, '')"
            case .description: "COALESCE(description, '')"
            case .volume: "volume_id"
            case .size: "size_gib"
            case .project: "project_id"
            case .user: "user_id"
            }
        }

        var isNumeric: Bool { self == .createdAt || self == .updatedAt || self == .size }
    }

    package var project: ProjectID?
    package var id: VolumeSnapshotID?
    package var user: UserID?
    package var name: String?
    package var nameContains: String?
    package var status: String?
    package var volume: String?
    package var sizeGiB: Int?
    package var zone: String?
    package var metadata: [String: String] = [:]
    package var created: [VolumeQuery.TimeBound] = []
    package var updated: [VolumeQuery.TimeBound] = []
    package var sort: [(key: SortKey, isDescending: Bool)] = []
    package var marker: VolumeSnapshotID?
    package var limit: Int?
    package var offset = 0

    package init() {}

    private var conditions: SQL {
        var sql: SQL = "1 = 1"
        if let project { sql += "AND project_id = \(project)" }
        if let id { sql += "AND id = \(id)" }
        if let user { sql += "AND user_id = \(user)" }
        if let name { sql += "AND name = \(name)" }
        if let nameContains { sql += "AND \(TextMatch.contains("name", nameContains))" }
        if let status { sql += "AND status = \(status)" }
        if let volume { sql += "AND volume_id = \(volume)" }
        if let sizeGiB { sql += "AND size_gib = \(sizeGiB)" }
        if let zone { sql += "AND volume_id IN (SELECT id FROM volumes WHERE zone = \(zone))" }
        sql += "AND \(VolumeQuery.conditions("created_at", created))"
        sql += "AND \(VolumeQuery.conditions("COALESCE(updated_at, 0)", updated))"
        return sql
    }

    private var order: RowOrder { RowOrder("volume_snapshots", sort) }

    /// Throws `.notFound` when the marker is not there. One more than `limit` is read, to know whether more follow.
    package func run(_ transaction: any Transaction) throws -> [VolumeSnapshot] {
        var sql: SQL = "SELECT \(VolumeSnapshotStore.columns) FROM volume_snapshots WHERE \(conditions)"
        if let marker {
            guard let rest = try order.after(marker.rawValue, of: project, transaction) else {
                throw VolumeErrors.notFound(marker)
            }
            sql += "AND \(rest)"
        }
        sql += "ORDER BY \(order.sql)"
        guard !metadata.isEmpty else {
            sql += RowOrder.cut(limit: limit.map { $0 + 1 }, offset: offset)
            return try transaction.query(sql, VolumeSnapshotStore.snapshot)
        }
        return try RowOrder.page(
            sql, limit: limit.map { $0 + 1 }, offset: offset, transaction, VolumeSnapshotStore.snapshot,
            where: { snapshot in metadata.allSatisfy { snapshot.metadata[$0.key] == $0.value } })
    }

    /// Of all pages.
    package func count(_ transaction: any Transaction) throws -> Int {
        guard !metadata.isEmpty else {
            return try transaction.count("SELECT COUNT(*) FROM volume_snapshots WHERE \(conditions)")
        }
        var query = self
        (query.marker, query.limit, query.offset) = (nil, nil, 0)
        return try query.run(transaction).count
    }
}
