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
    ///
    /// What a project sees is made of parts: each is asked for its own part of the page, because an index follows a
    /// condition and an order together, but no OR.
    func clauses() throws -> SQL {
        let order = order
        var conditions: SQL = "os_hidden = \(isHidden)"
        if let visibility, visibility != "all" { conditions += "AND visibility = \(visibility)" }
        conditions += "AND \(filtered)"
        if let marker { conditions += "AND \(order.after(place(of: marker)))" }
        var ids: SQL = ""
        for (index, part) in seen.enumerated() {
            if index > 0 { ids += "UNION ALL" }
            ids += """
                SELECT id FROM (SELECT id FROM images WHERE \(part) AND \(conditions)
                ORDER BY \(order.clause) LIMIT \(limit)) AS part
                """
        }
        return "WHERE id IN (\(ids)) ORDER BY \(order.clause) LIMIT \(limit)"
    }

    /// Public images, the viewer's own, those shared with it, and community images when they are asked for.
    private var seen: [SQL] {
        let showsCommunity = visibility != nil
        var parts: [SQL] = []
        if isAdmin {
            if showsCommunity { return ["1 = 1"] }
            parts = ["visibility = 'public'", "visibility = 'private'", "visibility = 'shared'"]
            if let viewer { parts.append("(owner = \(viewer) AND visibility = 'community')") }
            return parts
        }
        parts.append("visibility = 'public'")
        if showsCommunity { parts.append("visibility = 'community'") }
        guard let viewer else { return parts }
        let status: SQL = memberStatus.map { "AND status = \($0)" } ?? ""
        parts.append("owner = \(viewer)")
        parts.append(
            """
            (visibility = 'shared'
             AND id IN (SELECT image_id FROM image_members WHERE member_id = \(viewer) \(status)))
            """)
        return parts
    }

    /// Tags and properties are looked up together, however many a caller names.
    private var filtered: SQL {
        var conditions: [SQL] = []
        var tags: Set<String> = []
        var properties: [String: Set<String>] = [:]
        for filter in filters {
            switch filter {
            case .text(let field, let values): conditions.append("\(Self.column(field)) IN \(list: values)")
            case .number(let field, let comparison, let value):
                conditions.append(Self.compare(Self.column(field), comparison, .integer(value)))
            case .time(let isUpdate, let comparison, let time):
                let column: SQL = isUpdate ? "updated_at" : "created_at"
                conditions.append(Self.compare(column, comparison, .integer(time.microseconds)))
            case .isProtected(let flag): conditions.append("protected = \(flag)")
            case .tag(let tag): tags.insert(tag)
            case .property(let name, let value): properties[name, default: []].insert(value)
            }
        }
        if !tags.isEmpty {
            conditions.append("id IN (\(SQL.keys("image_id", of: "image_tags", withAll: tags, in: "tag")))")
        }
        if !properties.isEmpty { conditions.append(Self.having(properties)) }
        return SQL.all(conditions)
    }

    /// A property has one value.
    private static func having(_ properties: [String: Set<String>]) -> SQL {
        let having: SQL = "id IN (SELECT image_id FROM image_properties WHERE"
        var rows: SQL = ""
        for (name, values) in properties.sorted(by: { $0.key < $1.key }) {
            guard values.count == 1, let value = values.first else { return "1 = 0" }
            if properties.count == 1 { return "\(having) name = \(name) AND value = \(value))" }
            rows += rows.text.isEmpty ? "(\(name), \(value))" : ", (\(name), \(value))"
        }
        return """
            \(having) (name, value) IN (VALUES \(rows)) GROUP BY image_id HAVING COUNT(*) = \(properties.count))
            """
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
    private var sortsToTheEnd: [Sort] {
        let direction = sorts.count == 1 ? sorts[0].isAscending : false
        var order = sorts
        for key in [SortKey.created_at, .id] where !order.contains(where: { $0.key == key }) {
            order.append(Sort(key, isAscending: direction))
        }
        return order
    }

    private var order: PageOrder {
        PageOrder(
            sortsToTheEnd.map { sort in
                let isNumeric = [.size, .created_at, .updated_at].contains(sort.key)
                return PageOrder.Key(Self.expression(sort.key), isText: !isNumeric, isDescending: !sort.isAscending)
            })
    }

    private func place(of image: Image) -> [SQLValue] { sortsToTheEnd.map { Self.value($0.key, of: image) } }

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
}
