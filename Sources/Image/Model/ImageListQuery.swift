// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// What a list asks for: filters, order, page. Also who asks, because what one may see is part of the query.
package struct ImageListQuery: Sendable {
    package enum Comparison: String, Sendable { case gt, gte, lt, lte, neq, eq }

    package enum SortKey: String, Sendable, CaseIterable {
        case name, status, container_format, disk_format, size, id, created_at, updated_at
    }

    package struct Sort: Sendable, Equatable {
        package var key: SortKey
        package var isAscending: Bool
        package init(_ key: SortKey, isAscending: Bool) {
            self.key = key
            self.isAscending = isAscending
        }
    }

    package enum TextField: String, Sendable, CaseIterable {
        case id, name, status, container_format, disk_format, owner, checksum, os_hash_value, os_hash_algo
    }

    package enum NumberField: String, Sendable, CaseIterable { case size, virtual_size, min_disk, min_ram }

    package enum Filter: Sendable {
        case text(TextField, [String])
        case number(NumberField, Comparison, Int64)
        case time(isUpdate: Bool, Comparison, Timestamp)
        case isProtected(Bool)
        case tag(String)
        case property(String, String)
    }

    /// Nil: an administrator, who sees every row.
    package var viewer: ProjectID?
    package var isAdmin = false
    /// Nil: no visibility was asked for; then other projects' community images stay out.
    package var visibility: String?
    package var memberStatus: String? = "accepted"
    package var isHidden = false
    package var filters: [Filter] = []
    package var sorts: [Sort] = []
    package var limit = 25
    package var marker: Image?

    package init() {}

    /// Everything behind `FROM images`.
    func clauses() throws -> SQL {
        var conditions: [SQL] = ["os_hidden = \(isHidden)"]
        if !isAdmin { conditions.append(seen) }
        if let visibility {
            if visibility != "all" { conditions.append("visibility = \(visibility)") }
        } else if let viewer {
            conditions.append("(owner = \(viewer) OR visibility <> 'community')")
        } else {
            conditions.append("visibility <> 'community'")
        }
        conditions += filters.map(Self.condition)
        let order = completeOrder
        if let marker { conditions.append(Self.after(marker, order)) }
        var sql: SQL = "WHERE"
        for (index, condition) in conditions.enumerated() { sql += index == 0 ? condition : "AND \(condition)" }
        sql += "ORDER BY"
        for (index, sort) in order.enumerated() {
            if index > 0 { sql += "," }
            sql += sort.isAscending ? "\(Self.expression(sort.key)) ASC" : "\(Self.expression(sort.key)) DESC"
        }
        return sql + "LIMIT \(limit)"
    }

    /// Public and community images, the viewer's own, and those shared with it.
    private var seen: SQL {
        guard let viewer else { return "visibility IN ('public', 'community')" }
        let status: SQL = memberStatus.map { "AND status = \($0)" } ?? ""
        return """
            (visibility IN ('public', 'community') OR owner = \(viewer)
             OR (visibility = 'shared'
                 AND id IN (SELECT image_id FROM image_members WHERE member_id = \(viewer) \(status))))
            """
    }

    private static func condition(_ filter: Filter) -> SQL {
        switch filter {
        case .text(let field, let values): "\(column(field)) IN \(list: values)"
        case .number(let field, let comparison, let value): compare(column(field), comparison, .integer(value))
        case .time(let isUpdate, let comparison, let time):
            compare(isUpdate ? "updated_at" : "created_at", comparison, .integer(time.microseconds))
        case .isProtected(let flag): "protected = \(flag)"
        case .tag(let tag): "id IN (SELECT image_id FROM image_tags WHERE tag = \(tag))"
        case .property(let name, let value):
            "id IN (SELECT image_id FROM image_properties WHERE name = \(name) AND value = \(value))"
        }
    }

    private static func compare(_ left: SQL, _ comparison: Comparison, _ right: SQLValue) -> SQL {
        switch comparison {
        case .gt: "\(left) > \(right)"
        case .gte: "\(left) >= \(right)"
        case .lt: "\(left) < \(right)"
        case .lte: "\(left) <= \(right)"
        case .neq: "\(left) <> \(right)"
        case .eq: "\(left) = \(right)"
        }
    }

    private static func column(_ field: TextField) -> SQL {
        switch field {
        case .id: "id"
        case .name: "name"
        case .status: "status"
        case .container_format: "container_format"
        case .disk_format: "disk_format"
        case .owner: "owner"
        case .checksum: "checksum"
        case .os_hash_value: "os_hash_value"
        case .os_hash_algo: "os_hash_algo"
        }
    }

    private static func column(_ field: NumberField) -> SQL {
        switch field {
        case .size: "size"
        case .virtual_size: "virtual_size"
        case .min_disk: "min_disk"
        case .min_ram: "min_ram"
        }
    }

    // MARK: Order

    /// The order asked for, made total by age and id (glance: `image_get_all`).
    private var completeOrder: [Sort] {
        let direction = sorts.count == 1 ? sorts[0].isAscending : false
        var order = sorts
        for key in [SortKey.created_at, .id] where !order.contains(where: { $0.key == key }) {
            order.append(Sort(key, isAscending: direction))
        }
        return order
    }

    /// A column that may be null sorts as its least value, on both engines.
    private static func expression(_ key: SortKey) -> SQL {
        switch key {
        case .name: "COALESCE(name, '')"
        case .status: "status"
        case .container_format: "COALESCE(container_format, '')"
        case .disk_format: "COALESCE(disk_format, '')"
        case .size: "COALESCE(size, -1)"
        case .id: "id"
        case .created_at: "created_at"
        case .updated_at: "updated_at"
        }
    }

    private static func value(_ key: SortKey, of image: Image) -> SQLValue {
        switch key {
        case .name: .text(image.name ?? "")
        case .status: .text(image.status.rawValue)
        case .container_format: .text(image.containerFormat ?? "")
        case .disk_format: .text(image.diskFormat ?? "")
        case .size: .integer(image.sizeBytes ?? -1)
        case .id: .text(image.id.rawValue)
        case .created_at: .integer(image.createdAt.microseconds)
        case .updated_at: .integer(image.updatedAt.microseconds)
        }
    }

    /// The rows behind `marker`: `a > x OR (a = x AND (b > y OR …))`.
    private static func after(_ marker: Image, _ order: [Sort]) -> SQL {
        var result: SQL = "1 = 0"
        for sort in order.reversed() {
            let (left, right) = (expression(sort.key), value(sort.key, of: marker))
            let beyond: SQL = sort.isAscending ? "\(left) > \(right)" : "\(left) < \(right)"
            result = "(\(beyond) OR (\(left) = \(right) AND \(result)))"
        }
        return result
    }
}
