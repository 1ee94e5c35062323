// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A value bound to a statement.
package enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case text(String)
    case blob([UInt8])
}

/// SQL whose interpolated values become binds. There is no way to put a tenant's text into the statement itself.
///
///     let sql: SQL = "SELECT id FROM ports WHERE network_id = \(network) AND name IN \(list: names)"
package struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// With `?` for each bind.
    package private(set) var text: String
    package private(set) var binds: [SQLValue]

    package init(stringLiteral value: String) {
        text = value
        binds = []
    }

    package init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
        binds = stringInterpolation.binds
    }

    /// How many values one statement lists: engines bound a statement's binds, and those of its other conditions come
    /// on top. Longer lists go in slices.
    package static let maximumListed = 500

    package static func + (left: SQL, right: SQL) -> SQL {
        var result = left
        result.text += " " + right.text
        result.binds += right.binds
        return result
    }

    /// All of `conditions`, as one operand of AND; true when there are none. A tree rather than a chain, because
    /// engines limit how deep an expression may be (SQLite: 1000), and callers choose how many there are.
    package static func all(_ conditions: [SQL]) -> SQL { conditions.isEmpty ? "1 = 1" : all(conditions[...]) }

    private static func all(_ conditions: ArraySlice<SQL>) -> SQL {
        guard conditions.count > 1 else { return "(\(conditions[conditions.startIndex]))" }
        let middle = conditions.startIndex + conditions.count / 2
        return "(\(all(conditions[..<middle])) AND \(all(conditions[middle...])))"
    }

    /// The values of `key` in `table` that have every one of `values` in `column`; a pair of both is there once at
    /// most.
    ///
    /// One query, however many values a caller names: one for each would be slow long before it is too deep.
    package static func keys(
        _ key: StaticString, of table: StaticString, withAll values: some Sequence<String>, in column: StaticString
    ) -> SQL {
        let values = Set(values).sorted()
        let rows: SQL = "SELECT \(name: key) FROM \(name: table) WHERE \(name: column)"
        if values.count == 1 { return rows + "= \(values[0])" }
        return rows + "IN \(list: values) GROUP BY \(name: key) HAVING COUNT(*) = \(values.count)"
    }

    package static func += (left: inout SQL, right: SQL) {
        left.text += " " + right.text
        left.binds += right.binds
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""
        fileprivate var binds: [SQLValue] = []

        package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

        package mutating func appendLiteral(_ literal: String) { text += literal }

        private mutating func bind(_ value: SQLValue) {
            text += "?"
            binds.append(value)
        }

        package mutating func appendInterpolation(_ value: String) { bind(.text(value)) }
        package mutating func appendInterpolation(_ value: String?) { bind(value.map(SQLValue.text) ?? .null) }
        package mutating func appendInterpolation(_ value: Int) { bind(.integer(Int64(value))) }
        package mutating func appendInterpolation(_ value: Int?) { bind(value.map { .integer(Int64($0)) } ?? .null) }
        package mutating func appendInterpolation(_ value: Int64) { bind(.integer(value)) }
        package mutating func appendInterpolation(_ value: Int64?) { bind(value.map(SQLValue.integer) ?? .null) }
        package mutating func appendInterpolation(_ value: Bool) { bind(.integer(value ? 1 : 0)) }
        package mutating func appendInterpolation(_ value: Bool?) { bind(value.map { .integer($0 ? 1 : 0) } ?? .null) }
        package mutating func appendInterpolation(_ value: [UInt8]) { bind(.blob(value)) }
        package mutating func appendInterpolation(_ value: Timestamp) { bind(.integer(value.microseconds)) }
        package mutating func appendInterpolation(_ value: Timestamp?) {
            bind(value.map { .integer($0.microseconds) } ?? .null)
        }
        package mutating func appendInterpolation<Tag>(_ value: ID<Tag>) { bind(.text(value.rawValue)) }
        package mutating func appendInterpolation<Tag>(_ value: ID<Tag>?) {
            bind(value.map { .text($0.rawValue) } ?? .null)
        }
        package mutating func appendInterpolation(_ value: SQLValue) { bind(value) }

        /// `(?, ?, …)`. An empty list becomes `(NULL)`, which nothing equals.
        package mutating func appendInterpolation(list values: some Sequence<String>) {
            var separator = "("
            for value in values {
                text += separator
                bind(.text(value))
                separator = ", "
            }
            text += separator == "(" ? "(NULL)" : ")"
        }
        package mutating func appendInterpolation<Tag>(list values: some Sequence<ID<Tag>>) {
            appendInterpolation(list: values.map(\.rawValue))
        }

        /// A fragment of the program's own, with its binds.
        package mutating func appendInterpolation(_ fragment: SQL) {
            text += fragment.text
            binds += fragment.binds
        }

        /// A table or column name of the program's own. A `StaticString`, so it cannot come from a request.
        package mutating func appendInterpolation(name: StaticString) { text += name.description }
    }
}

extension Array {
    /// In order, in slices that one statement can list.
    package func slices(of count: Int = SQL.maximumListed) -> [ArraySlice<Element>] {
        stride(from: 0, to: self.count, by: count).map { self[$0..<Swift.min($0 + count, self.count)] }
    }
}

/// One row of a result, valid inside the closure it is given to. Columns count from 0, in the order of the SELECT.
package protocol Row {
    func text(_ column: Int) -> String
    func textOrNil(_ column: Int) -> String?
    func int(_ column: Int) -> Int
    func intOrNil(_ column: Int) -> Int?
    func int64(_ column: Int) -> Int64
    func int64OrNil(_ column: Int) -> Int64?
    func blob(_ column: Int) -> [UInt8]
    func isNull(_ column: Int) -> Bool
    var columnCount: Int { get }
    func columnName(_ column: Int) -> String
}

extension Row {
    package func bool(_ column: Int) -> Bool { int64(column) != 0 }
    package func timestamp(_ column: Int) -> Timestamp { Timestamp(microseconds: int64(column)) }
    package func timestampOrNil(_ column: Int) -> Timestamp? { int64OrNil(column).map(Timestamp.init(microseconds:)) }
    package func id<Tag>(_ column: Int, _: Tag.Type = Tag.self) -> ID<Tag> { ID(text(column)) }
    package func idOrNil<Tag>(_ column: Int, _: Tag.Type = Tag.self) -> ID<Tag>? { textOrNil(column).map { ID($0) } }
}
