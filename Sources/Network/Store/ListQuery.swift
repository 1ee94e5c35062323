// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// An attribute by which rows are filtered or sorted.
package struct ListAttribute: Sendable {
    package enum Kind: Sendable {
        case text, integer, boolean
        /// Filtered only, by a fragment of its own.
        case custom(@Sendable ([String]) throws -> SQL)
    }

    package let name: String
    let column: SQL
    let kind: Kind
    package let isSortKey: Bool

    init(_ name: String, _ column: SQL, _ kind: Kind = .text, isSortKey: Bool = true) {
        self.name = name
        self.column = column
        self.kind = kind
        self.isSortKey = isSortKey
    }

    /// A filter that is no column.
    static func filter(_ name: String, _ condition: @escaping @Sendable ([String]) throws -> SQL) -> ListAttribute {
        ListAttribute(name, "", .custom(condition), isSortKey: false)
    }

    func condition(_ values: [String]) throws -> SQL {
        switch kind {
        case .custom(let make): return try make(values)
        case .text:
            if values.count == 1 { return "\(column) = \(values[0])" }
            return "\(column) IN \(list: values)"
        case .integer:
            let numbers = values.compactMap(Int64.init)
            return numbers.reduce(into: "(1 = 0" as SQL) { $0 += "OR \(column) = \($1)" } + ")"
        case .boolean:
            return try values.reduce(into: "(1 = 0" as SQL) { $0 += "OR \(column) = \(try Self.flag($1))" } + ")"
        }
    }

    static func flag(_ text: String) throws -> Bool {
        switch text.lowercased() {
        case "true", "1", "yes", "on", "t", "y": return true
        case "false", "0", "no", "off", "f", "n": return false
        default: throw NetworkFault.invalidInput("'\(text.prefix(64))' cannot be converted to boolean")
        }
    }
}

/// How one kind of object is listed: its FROM clause, its columns, what it is filtered and sorted by.
package struct ListSchema: Sendable {
    /// `FROM ports p`.
    let from: SQL
    /// The table's alias, with a dot: `p.`.
    let id: SQL
    let attributes: [String: ListAttribute]

    init(from: SQL, id: SQL, tags: SQL, _ attributes: [ListAttribute]) {
        self.from = from
        self.id = id
        var all: [String: ListAttribute] = [:]
        for attribute in attributes { all[attribute.name] = attribute }
        for name in ["tags", "tags-any", "not-tags", "not-tags-any"] {
            all[name] = .filter(name) { Self.tagCondition(name, tags, $0) }
        }
        self.attributes = all
    }

    package func knows(_ filter: String) -> Bool { attributes[filter] != nil }
    package func sorts(by key: String) -> Bool { attributes[key]?.isSortKey ?? false }

    /// `tags=a,b`: both; `tags-any`: one of them; `not-…`: the opposite.
    private static func tagCondition(_ name: String, _ column: SQL, _ values: [String]) -> SQL {
        let tags = values.flatMap { $0.split(separator: ",") }
        let isAny = name.hasSuffix("any")
        var condition: SQL = isAny ? "(1 = 0" : "(1 = 1"
        for tag in tags {
            // The list is canonical JSON, so a tag is in it exactly when its quoted text is.
            let quoted = JSON.string(String(tag)).text()
            condition += isAny ? "OR" : "AND"
            condition += "replace(\(column), \(quoted), '') <> \(column)"
        }
        condition += ")"
        return name.hasPrefix("not") ? "NOT" + condition : condition
    }
}

/// What a list call asks for, checked against nothing yet.
package struct ListQuery: Sendable {
    package var filters: [(name: String, values: [String])] = []
    package var sorts: [(key: String, isAscending: Bool)] = []
    package var limit: Int?
    package var marker: String?
    package var isReversed = false
    /// Attributes to show; nil for all.
    package var fields: Set<String>?

    package init() {}
}

extension ListSchema {
    /// The objects that `query` asks for among those that `visible` holds, in order.
    func list<T>(
        _ query: ListQuery, columns: SQL, where visible: SQL, _ transaction: any Transaction,
        missing: (String) -> CloudError, _ map: (any Row) throws -> T
    ) throws -> [T] {
        var conditions = visible
        for (name, values) in query.filters {
            guard let attribute = attributes[name] else {
                throw CloudError.badRequest(
                    "['\(name.prefix(64))'] is invalid attribute for filtering", kind: "HTTPBadRequest")
            }
            conditions += "AND" + (try attribute.condition(values))
        }
        let keys = try sortKeys(query)
        if let marker = query.marker {
            conditions += "AND" + (try after(marker, keys, visible, transaction, missing))
        }
        var statement: SQL = "SELECT \(columns) \(from) WHERE \(conditions) ORDER BY"
        for (index, key) in keys.enumerated() {
            if index > 0 { statement += "," }
            statement += "\(Self.sortable(key.column, key.isText))" + (key.isAscending ? "" : "DESC")
        }
        if let limit = query.limit { statement += "LIMIT \(limit)" }
        let rows = try transaction.query(statement, map)
        return query.isReversed ? rows.reversed() : rows
    }

    private typealias SortKey = (column: SQL, isText: Bool, isAscending: Bool)

    /// What rows are ordered by; `id` at the end makes the order whole. A column that is there already decides nothing
    /// more, so there are never more keys than columns.
    private func sortKeys(_ query: ListQuery) throws -> [SortKey] {
        var keys: [SortKey] = []
        var columns: Set<String> = []
        for sort in query.sorts {
            guard let attribute = attributes[sort.key], attribute.isSortKey else {
                throw CloudError.badRequest(
                    "['\(sort.key.prefix(64))'] is invalid attribute for sort_keys", kind: "HTTPBadRequest")
            }
            guard columns.insert(attribute.column.text).inserted else { continue }
            keys.append((attribute.column, attribute.isText, sort.isAscending != query.isReversed))
        }
        if columns.insert(id.text).inserted { keys.append((id, true, !query.isReversed)) }
        return keys
    }

    /// Rows behind the marker: the first key that differs decides. A marker that the caller may not see does not exist:
    /// else the rows behind it would tell what it holds.
    private func after(
        _ marker: String, _ keys: [SortKey], _ visible: SQL, _ transaction: any Transaction,
        _ missing: (String) -> CloudError
    ) throws -> SQL {
        var columns: SQL = ""
        for (index, key) in keys.enumerated() {
            columns += index == 0 ? "" : ","
            columns += Self.sortable(key.column, key.isText)
        }
        let values = try transaction.first("SELECT \(columns) \(from) WHERE \(id) = \(marker) AND \(visible)") { row in
            keys.indices.map { keys[$0].isText ? SQLValue.text(row.text($0)) : .integer(row.int64($0)) }
        }
        guard let values else { throw missing(marker) }
        var condition: SQL = "(1 = 0"
        for last in keys.indices {
            condition += "OR (1 = 1"
            for index in 0..<last {
                condition += "AND \(Self.sortable(keys[index].column, keys[index].isText)) = \(values[index])"
            }
            condition += "AND \(Self.sortable(keys[last].column, keys[last].isText))"
            condition += keys[last].isAscending ? "> \(values[last])" : "< \(values[last])"
            condition += ")"
        }
        return condition + ")"
    }

    /// NULL has no place in an order that paging goes by. `id` is never NULL and keeps its index.
    private static func sortable(_ column: SQL, _ isText: Bool) -> SQL {
        if column.text.hasSuffix(".id") { return column }
        return isText ? "COALESCE(\(column), '')" : "COALESCE(\(column), 0)"
    }
}

extension ListAttribute {
    fileprivate var isText: Bool { if case .text = kind { true } else { false } }
}

/// Whose rows a caller may list.
package struct Viewer: Sendable {
    package var seesAll: Bool
    /// Nil for a token without a project, and when the rule refuses the caller's own rows.
    package var project: ProjectID?

    package init(seesAll: Bool, project: ProjectID?) {
        self.seesAll = seesAll
        self.project = project
    }

    package static let everything = Viewer(seesAll: true, project: nil)

    /// Rows of the caller's own, `column` being their project.
    func owns(_ column: SQL) -> SQL {
        if seesAll { return "1 = 1" }
        guard let project else { return "1 = 0" }
        return "\(column) = \(project)"
    }

    /// Ids of objects that RBAC entries show to this caller.
    func granted(_ objectType: StaticString) -> SQL {
        """
        SELECT object_id FROM network_rbac WHERE target_project IN \(list: [project?.rawValue ?? "*", "*"]) \
        AND object_type = \(objectType.description)
        """
    }
}
