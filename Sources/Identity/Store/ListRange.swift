// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// Which part of a list a caller wants: names by comparison, an order, and a page of it.
package struct ListRange: Sendable {
    package static let maximum = 10_000

    /// keystone: `name__contains` and the like.
    package struct NameTest: Sendable {
        package enum Comparison: String, Sendable { case exact, contains, startswith, endswith }

        package var comparison: Comparison
        package var text: String
        package var ignoresCase: Bool

        package init(_ comparison: Comparison, _ text: String, ignoresCase: Bool) {
            self.comparison = comparison
            self.text = text
            self.ignoresCase = ignoresCase
        }

        fileprivate var condition: SQL {
            let column: SQL = ignoresCase ? "name_key" : "name"
            let text = ignoresCase ? text.nameKey : text
            let literal = text.unicodeScalars.reduce(into: "") { literal, scalar in
                if scalar == "%" || scalar == "_" || scalar == "!" { literal += "!" }
                literal.unicodeScalars.append(scalar)
            }
            switch comparison {
            case .exact: return "\(column) = \(text)"
            case .contains: return "\(column) LIKE \("%" + literal + "%") ESCAPE '!'"
            case .startswith: return "\(column) LIKE \(literal + "%") ESCAPE '!'"
            case .endswith: return "\(column) LIKE \("%" + literal) ESCAPE '!'"
            }
        }
    }

    package var names: [NameTest] = []
    package var sortsByID = false
    package var isDescending = false
    package var marker: String?
    package var limit = Self.maximum

    package init() {}
}

package struct ListPart<Element: Sendable>: Sendable {
    package var elements: [Element] = []
    package var isTruncated = false

    package init() {}
}

extension ListRange {
    /// Reads until there is a page and one more of what `isWanted` takes.
    ///
    /// The table has columns `id` and, with names, `name` and `name_key`. Throws `.notFound` when the marker is not
    /// among `conditions`.
    func read<Element>(
        _ columns: SQL, from table: StaticString, where conditions: SQL, hasNames: Bool = true, _ tx: any Transaction,
        isWanted: (Element) -> Bool = { _ in true }, _ map: (any Row) throws -> Element
    ) throws -> ListPart<Element> {
        var wanted = conditions
        if hasNames { wanted += "AND \(SQL.all(names.map(\.condition)))" }
        var keys = [PageOrder.Key("id", isText: true, isDescending: isDescending)]
        if hasNames, !sortsByID { keys.insert(.init("name_key", isText: true, isDescending: isDescending), at: 0) }
        let order = PageOrder(keys)
        if let marker {
            let place: SQL = "SELECT \(order.columns) FROM \(name: table) WHERE id = \(marker) AND \(wanted)"
            guard let values = try tx.first(place, order.values) else {
                throw CloudError.notFound("Marker \(marker.prefix(64)) could not be found.")
            }
            wanted += "AND \(order.after(values))"
        }
        var part = ListPart<Element>()
        try tx.forEach(
            "SELECT \(columns) FROM \(name: table) WHERE \(wanted) ORDER BY \(order.clause)",
            while: { row in
                let element = try map(row)
                guard isWanted(element) else { return true }
                part.isTruncated = part.elements.count >= limit
                if !part.isTruncated { part.elements.append(element) }
                return !part.isTruncated
            })
        return part
    }
}
