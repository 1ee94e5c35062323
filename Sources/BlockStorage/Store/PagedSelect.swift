// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// One table as lists of it are sorted and cut into pages.
struct PagedSelect: Sendable {
    struct Key: Sendable {
        /// Never NULL: wrapped in COALESCE where the column may be.
        let column: StaticString
        let isNumeric: Bool
        init(_ column: StaticString, isNumeric: Bool = false) {
            self.column = column
            self.isNumeric = isNumeric
        }
    }

    let table: StaticString
    let columns: SQL
    /// By the name that the API gives.
    let keys: [String: Key]
    /// Columns of text that a list may be filtered by, by the name that the API gives.
    let filters: [String: StaticString]
    /// The column of the owner, where there is one.
    let owner: StaticString
    /// What a marker that is not there is called.
    let notFound: @Sendable (String) -> CloudError

    init(
        _ table: StaticString, columns: SQL, keys: [String: Key], filters: [String: StaticString] = [:],
        owner: StaticString = "project_id", notFound: @escaping @Sendable (String) -> CloudError
    ) {
        self.table = table
        self.columns = columns
        self.keys = keys
        self.filters = filters
        self.owner = owner
        self.notFound = notFound
    }

    /// The conditions of a filter; nil when nothing can match, because there is no such field.
    func conditions(_ filter: ResourceFilter) -> SQL? {
        var sql: SQL = ""
        if let project = filter.project { sql += "AND \(name: owner) = \(project)" }
        for (field, value) in filter.equals.sorted(by: { $0.key < $1.key }) {
            guard let column = filters[field] else { return nil }
            sql += "AND \(name: column) = \(value)"
        }
        for (field, value) in filter.contains.sorted(by: { $0.key < $1.key }) {
            guard let column = filters[field] else { return nil }
            sql += "AND \(TextMatch.contains(column, value))"
        }
        return sql
    }

    func list<T>(
        _ filter: ResourceFilter, and condition: SQL = "", _ page: ResourcePage, _ transaction: any Transaction,
        _ map: (any Row) throws -> T
    ) throws -> [T] {
        guard let conditions = conditions(filter) else { return [] }
        return try query(where: conditions + condition, page, transaction, map)
    }

    func count(_ filter: ResourceFilter, and condition: SQL = "", _ transaction: any Transaction) throws -> Int {
        guard let conditions = conditions(filter) else { return 0 }
        return try transaction.count("SELECT COUNT(*) FROM \(name: table) WHERE 1 = 1" + conditions + condition)
    }

    /// The rows of a page, in order. `condition` begins with `AND`, or is empty.
    func query<T>(
        where condition: SQL, _ page: ResourcePage, _ transaction: any Transaction, _ map: (any Row) throws -> T
    ) throws -> [T] {
        var parts = try page.sort.map { sort in
            guard let key = keys[sort.key] else {
                throw VolumeErrors.invalidInput("Sort key supplied is invalid: \(sort.key.prefix(64))")
            }
            return RowOrder.Part(column: key.column, isNumeric: key.isNumeric, isDescending: sort.isDescending)
        }
        let isDescending = parts.first?.isDescending ?? true
        if !page.sort.contains(where: { $0.key == "created_at" }), let created = keys["created_at"] {
            parts.append(.init(column: created.column, isNumeric: created.isNumeric, isDescending: isDescending))
        }
        let order = RowOrder(table, parts, idIsDescending: isDescending)
        var found: SQL = "SELECT id FROM \(name: table) WHERE 1 = 1"
        found += condition
        if let marker = page.marker {
            guard let rest = try order.after(marker, transaction) else { throw notFound(marker) }
            found += "AND \(rest)"
        }
        found += "ORDER BY \(order.sql) LIMIT \(page.limit) OFFSET \(page.offset)"
        // Whole rows are read for the page alone, whatever the engine has to sort.
        return try transaction.query(
            "SELECT \(columns) FROM \(name: table) WHERE id IN (\(found)) ORDER BY \(order.sql)", map)
    }
}

/// A list of texts as one column holds it: a JSON array.
enum TextList {
    static func list(_ text: String) throws -> [String] {
        if text == "[]" { return [] }
        guard case .array(let elements) = try JSONReader.read(text) else { return [] }
        return elements.compactMap(\.string)
    }

    static func text(_ list: [String]) -> String { JSON.array(list.map(JSON.string)).text() }
}
