// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// An attribute by which rows are filtered or sorted.
package struct ListAttribute: Sendable {
    package enum Kind: Sendable {
        case text, integer, boolean
        /// Shown, and so filtered, by the second.
        case time
        /// Filtered only, by a fragment of its own.
        case custom(@Sendable ([String]) throws -> SQL)
    }

    package let name: String
    let column: SQL
    let kind: Kind
    package let isSortKey: Bool
    /// Wrapped before rows are ordered by it, because paging cannot go by NULL.
    let isNullable: Bool

    init(_ name: String, _ column: SQL, _ kind: Kind = .text, isSortKey: Bool = true, isNullable: Bool = false) {
        self.name = name
        self.column = column
        self.kind = kind
        self.isSortKey = isSortKey
        self.isNullable = isNullable
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
            let numbers = try Self.bounded(values, name).compactMap(Int64.init)
            return numbers.reduce(into: "(1 = 0" as SQL) { $0 += "OR \(column) = \($1)" } + ")"
        case .time:
            return try Self.bounded(values, name).reduce(into: "(1 = 0" as SQL) { condition, text in
                guard let time = Timestamp(iso8601: text) else { return }
                condition += "OR (\(column) >= \(Timestamp(seconds: time.seconds)) "
                condition += "AND \(column) < \(Timestamp(seconds: time.seconds + 1)))"
            } + ")"
        case .boolean:
            let flags = Set(try values.map(Self.flag))
            return flags.reduce(into: "(1 = 0" as SQL) { $0 += "OR \(column) = \($1)" } + ")"
        }
    }

    /// Conditions that are not a list: a database takes a chain of a thousand at most.
    private static let longestChain = 100

    /// `values`, each once, when one statement can ask for all of them.
    static func bounded(_ values: some Sequence<String>, _ name: String) throws -> [String] {
        var seen: Set<String> = []
        let values = values.filter { seen.insert($0).inserted }
        guard values.count <= longestChain else {
            throw NetworkFault.invalidInput("'\(name)' is filtered by at most \(longestChain) values")
        }
        return values
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

    /// `tags` nil: objects of this kind have none.
    init(from: SQL, id: SQL, tags: SQL?, _ attributes: [ListAttribute]) {
        self.from = from
        self.id = id
        var all: [String: ListAttribute] = [:]
        for attribute in attributes { all[attribute.name] = attribute }
        if let tags {
            for name in ["tags", "tags-any", "not-tags", "not-tags-any"] {
                all[name] = .filter(name) { try Self.tagCondition(name, tags, $0) }
            }
        }
        if let updated = all["updated_at"]?.column {
            all["changed_since"] = .filter("changed_since") { try Self.changedCondition(updated, $0) }
        }
        self.attributes = all
    }

    package func knows(_ filter: String) -> Bool { attributes[filter] != nil }
    package func sorts(by key: String) -> Bool { attributes[key]?.isSortKey ?? false }

    private static func changedCondition(_ column: SQL, _ values: [String]) throws -> SQL {
        guard values.count == 1, let time = Timestamp(iso8601: values[0]) else {
            throw NetworkFault.invalidInput(
                "The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SS[Z]")
        }
        return "\(column) >= \(time)"
    }

    /// `tags=a,b`: both; `tags-any`: one of them; `not-…`: the opposite.
    private static func tagCondition(_ name: String, _ column: SQL, _ values: [String]) throws -> SQL {
        let tags = try ListAttribute.bounded(values.flatMap { $0.split(separator: ",").map(String.init) }, name)
        let isAny = name.hasSuffix("any")
        var condition: SQL = isAny ? "(1 = 0" : "(1 = 1"
        for tag in tags {
            // The list is canonical JSON, so a tag is in it exactly when its quoted text is.
            let quoted = JSON.string(tag).text()
            condition += isAny ? "OR" : "AND"
            condition += "replace(\(column), \(quoted), '') <> \(column)"
        }
        condition += ")"
        if name.hasPrefix("not") { return "NOT" + condition }
        // In the words of an index of what has tags at all.
        return tags.isEmpty ? condition : "(\(column) <> '[]' AND \(condition))"
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
    /// The objects that `query` asks for among those that one of `visible` holds, in order.
    ///
    /// Each of `visible` is asked for its own part of the page, because an index follows a condition and an order
    /// together, but no OR. What is shown is read for the page's rows alone.
    func list<T>(
        _ query: ListQuery, columns: SQL, where visible: Visibility, _ transaction: any Transaction,
        missing: (String) -> CloudError, _ map: (any Row) throws -> T
    ) throws -> [T] {
        var conditions: SQL = ""
        for (name, values) in query.filters {
            guard let attribute = attributes[name] else {
                throw CloudError.badRequest(
                    "['\(name.prefix(64))'] is invalid attribute for filtering", kind: "HTTPBadRequest")
            }
            conditions += "AND" + (try attribute.condition(values))
        }
        let order = try order(query)
        if let marker = query.marker {
            conditions += "AND" + (try after(marker, order, visible.any, transaction, missing))
        }
        let wanted: SQL
        if let limit = query.limit, visible.parts.count > 1 || !conditions.text.isEmpty || !query.sorts.isEmpty {
            wanted = "\(id) IN (\(page(of: visible, conditions, order, limit)))"
        } else {
            wanted = visible.any + conditions
        }
        var statement: SQL = "SELECT \(columns) \(from) WHERE \(wanted) ORDER BY \(order.clause)"
        if let limit = query.limit { statement += "LIMIT \(limit)" }
        let rows = try transaction.query(statement, map)
        return query.isReversed ? rows.reversed() : rows
    }

    /// The ids of a page, and of what would be on it if there were less in other parts.
    private func page(of visible: Visibility, _ conditions: SQL, _ order: PageOrder, _ limit: Int) -> SQL {
        var ids: SQL = ""
        for (index, part) in visible.parts.enumerated() {
            if index > 0 { ids += "UNION ALL" }
            ids += """
                SELECT id FROM (SELECT \(id) AS id \(from) WHERE \(part) \(conditions)
                ORDER BY \(order.clause) LIMIT \(limit)) AS part
                """
        }
        return ids
    }

    /// What rows are ordered by; `id` at the end makes the order whole. A column that is there already decides nothing
    /// more, so there are never more keys than columns.
    private func order(_ query: ListQuery) throws -> PageOrder {
        var keys: [PageOrder.Key] = []
        var columns: Set<String> = []
        for sort in query.sorts {
            guard let attribute = attributes[sort.key], attribute.isSortKey else {
                throw CloudError.badRequest(
                    "['\(sort.key.prefix(64))'] is invalid attribute for sort_keys", kind: "HTTPBadRequest")
            }
            guard columns.insert(attribute.column.text).inserted else { continue }
            keys.append(attribute.key(isDescending: sort.isAscending == query.isReversed))
        }
        if columns.insert(id.text).inserted {
            // With the last key's direction, one index gives the whole order.
            let isDescending = keys.last?.isDescending ?? query.isReversed
            keys.append(PageOrder.Key(id, isText: true, isDescending: isDescending))
        }
        return PageOrder(keys)
    }

    /// Rows behind the marker. A marker that the caller may not see does not exist: else the rows behind it would tell
    /// what it holds.
    private func after(
        _ marker: String, _ order: PageOrder, _ visible: SQL, _ transaction: any Transaction,
        _ missing: (String) -> CloudError
    ) throws -> SQL {
        let statement: SQL = "SELECT \(order.columns) \(from) WHERE \(id) = \(marker) AND \(visible)"
        guard let values = try transaction.first(statement, order.values) else { throw missing(marker) }
        return order.after(values)
    }
}

extension ListAttribute {
    fileprivate func key(isDescending: Bool) -> PageOrder.Key {
        let isText = if case .text = kind { true } else { false }
        let least: SQL = isText ? "''" : "0"
        return PageOrder.Key(
            isNullable ? "COALESCE(\(column), \(least))" : column, isText: isText, isDescending: isDescending)
    }
}

/// Which rows a caller may list: those that one of the conditions holds. Few rows are held by two.
struct Visibility: Sendable, ExpressibleByStringInterpolation {
    let parts: [SQL]

    init(_ parts: [SQL]) {
        precondition(!parts.isEmpty, "no condition shows every row")
        self.parts = parts
    }

    init(stringLiteral value: String) { parts = [SQL(stringLiteral: value)] }
    init(stringInterpolation: SQL.StringInterpolation) { parts = [SQL(stringInterpolation: stringInterpolation)] }

    /// As one condition.
    var any: SQL {
        var any: SQL = ""
        for part in parts { any = any.text.isEmpty ? part : "\(any) OR \(part)" }
        return parts.count == 1 ? any : "(\(any))"
    }
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

    /// Rows of the caller's own, and those of others in what is the caller's. `host` is the project of what a row is
    /// in, where that is another's: an index leads to each part.
    func owns(_ column: SQL, orHosts host: SQL) -> Visibility {
        guard !seesAll, let project else { return Visibility([owns(column)]) }
        return Visibility([owns(column), "\(host) = \(project)"])
    }

    /// Rows of the caller's own, `column` being their project, and those that RBAC entries show to the caller.
    func ownsOrGranted(_ column: SQL, _ id: SQL, _ objectType: StaticString) -> Visibility {
        seesAll ? "1 = 1" : Visibility([owns(column), "\(id) IN (\(granted(objectType)))"])
    }

    /// Ids of objects that RBAC entries show to this caller.
    func granted(_ objectType: StaticString) -> SQL {
        """
        SELECT object_id FROM network_rbac WHERE target_project IN \(list: [project?.rawValue ?? "*", "*"]) \
        AND object_type = \(objectType.description)
        """
    }
}
