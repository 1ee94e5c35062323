// SPDX-License-Identifier: Apache-2.0

/// The order of a list's rows and the rows behind a marker, in words that an index answers: a page costs what it holds,
/// wherever in the list it lies.
package struct PageOrder: Sendable {
    package struct Key: Sendable {
        /// Never NULL: wrapped in COALESCE where the column may be.
        package let column: SQL
        package let isText: Bool
        package let isDescending: Bool

        package init(_ column: SQL, isText: Bool, isDescending: Bool) {
            self.column = column
            self.isText = isText
            self.isDescending = isDescending
        }

        fileprivate var isColumn: Bool { !column.text.utf8.contains(UInt8(ascii: "(")) }
    }

    package let keys: [Key]

    /// The last key is unique among the rows, so that the order is total.
    package init(_ keys: [Key]) {
        precondition(!keys.isEmpty, "an order without keys")
        self.keys = keys
    }

    /// What stands behind `ORDER BY`.
    package var clause: SQL {
        var clause: SQL = ""
        for (index, key) in keys.enumerated() {
            let direction: SQL = key.isDescending ? "DESC" : "ASC"
            clause += "\(key.column) \(direction)" + (index + 1 < keys.count ? "," : "")
        }
        return clause
    }

    /// What a SELECT of a marker's row asks for.
    package var columns: SQL { Self.row(keys.map(\.column)) }

    /// The marker's place, out of a row of `columns`.
    package func values(_ row: any Row) -> [SQLValue] {
        keys.indices.map { keys[$0].isText ? .text(row.text($0)) : .integer(row.int64($0)) }
    }

    /// The condition of the rows behind the one with `values`, as one operand of AND.
    package func after(_ values: [SQLValue]) -> SQL {
        precondition(values.count == keys.count, "\(values.count) values for \(keys.count) keys")
        return after(values, from: 0)
    }

    private func after(_ values: [SQLValue], from start: Int) -> SQL {
        let (first, value) = (keys[start], values[start])
        let beyond: SQL = first.isDescending ? "<" : ">"
        let rest = keys[start...]
        if rest.count == 1 { return "\(first.column) \(beyond) \(value)" }
        // An index follows a row's comparison, but no OR.
        guard rest.contains(where: { $0.isDescending != first.isDescending }) else {
            let marker = Self.row(values[start...].map { "\($0)" })
            let row: SQL = "(\(Self.row(rest.map(\.column)))) \(beyond) (\(marker))"
            // SQLite follows a comparison of rows to columns only.
            return first.isColumn ? row : "(\(first.column) \(beyond)= \(value) AND \(row))"
        }
        return """
            (\(first.column) \(beyond)= \(value)
             AND (\(first.column) \(beyond) \(value) OR \(after(values, from: start + 1))))
            """
    }

    private static func row(_ parts: some Sequence<SQL>) -> SQL {
        var row: SQL = ""
        for part in parts { row = row.text.isEmpty ? part : "\(row), \(part)" }
        return row
    }
}
