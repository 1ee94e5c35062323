// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// What the rows of a table may be sorted by.
protocol RowSortKey {
    /// Never NULL: wrapped in COALESCE where the column may be.
    var column: StaticString { get }
    var isNumeric: Bool { get }
    static var createdAt: Self { get }
}

/// How the rows of a table are sorted, and which of them follow a marker. Ends in the id, so that it is total.
struct RowOrder: Sendable {
    struct Part: Sendable {
        /// Never NULL: wrapped in COALESCE where the column may be.
        let column: StaticString
        let isNumeric: Bool
        let isDescending: Bool
    }

    let table: StaticString
    private(set) var parts: [Part]

    /// Without an id among the parts, it comes last and goes as `isDescending` says.
    init(_ table: StaticString, _ parts: [Part], idIsDescending: Bool) {
        self.table = table
        self.parts = parts
        if !parts.contains(where: { $0.column.description == "id" }) {
            self.parts.append(Part(column: "id", isNumeric: false, isDescending: idIsDescending))
        }
    }

    /// Newest first, unless `sort` says otherwise.
    init<Key: RowSortKey>(_ table: StaticString, _ sort: [(key: Key, isDescending: Bool)]) {
        let sort = sort.isEmpty ? [(key: .createdAt, isDescending: true)] : sort
        self.init(
            table,
            sort.map { Part(column: $0.key.column, isNumeric: $0.key.isNumeric, isDescending: $0.isDescending) },
            idIsDescending: sort.last?.isDescending ?? true)
    }

    private var order: PageOrder {
        PageOrder(
            parts.map { PageOrder.Key("\(name: $0.column)", isText: !$0.isNumeric, isDescending: $0.isDescending) })
    }

    /// What comes after `ORDER BY`.
    var sql: SQL { order.clause }

    /// What cuts a page out. Engines want a limit before an offset.
    static func cut(limit: Int?, offset: Int) -> SQL {
        guard offset > 0 else { return limit.map { "LIMIT \($0)" } ?? "" }
        return "LIMIT \(limit ?? Int(Int32.max)) OFFSET \(offset)"
    }

    /// As `cut`, for rows that the engine cannot choose: reads until so many match.
    static func page<Element>(
        _ select: SQL, limit: Int?, offset: Int, _ transaction: any Transaction, _ map: (any Row) throws -> Element,
        where matches: (Element) -> Bool
    ) throws -> [Element] {
        var (page, skipped): ([Element], Int) = ([], 0)
        guard limit != 0 else { return page }
        try transaction.forEach(
            select,
            while: { row in
                let element = try map(row)
                guard matches(element) else { return true }
                guard skipped >= offset else {
                    skipped += 1
                    return true
                }
                page.append(element)
                return page.count != limit
            })
        return page
    }

    /// The condition of the rows after the marker. Nil: there is no such row. One of another project than `project` is
    /// as absent as one that never was.
    func after(
        _ marker: String, of project: ProjectID? = nil, _ transaction: any Transaction
    ) throws -> SQL? {
        let order = order
        var select: SQL = "SELECT \(order.columns) FROM \(name: table) WHERE id = \(marker)"
        if let project { select += "AND project_id = \(project)" }
        return try transaction.first(select, order.values).map(order.after)
    }
}

/// Filters by a part of a text.
enum TextMatch {
    /// Whatever the case; the text's own signs stand for themselves.
    static func contains(_ column: StaticString, _ text: String) -> SQL {
        "LOWER(\(name: column)) LIKE \(pattern(text)) ESCAPE '!'"
    }

    private static func pattern(_ text: String) -> String {
        var pattern = "%"
        for scalar in text.lowercased().unicodeScalars {
            if scalar == "%" || scalar == "_" || scalar == "!" { pattern += "!" }
            pattern.unicodeScalars.append(scalar)
        }
        return pattern + "%"
    }
}
