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

    package static func + (left: SQL, right: SQL) -> SQL {
        var result = left
        result.text += " " + right.text
        result.binds += right.binds
        return result
    }

    package static func += (left: inout SQL, right: SQL) { left = left + right }

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
