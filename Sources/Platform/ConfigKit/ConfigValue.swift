// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A type that an option can have.
package protocol ConfigValue: Sendable {
    /// For people: `number`, `text`, `true or false`.
    static var kind: String { get }
    /// Nil when `text` is not one.
    static func parse(_ text: String) -> Self?
    /// How it is written; read back by `parse`.
    var configText: String { get }
}

extension String: ConfigValue {
    package static var kind: String { "text" }
    package static func parse(_ text: String) -> String? { text }
    package var configText: String { self }
}

extension Int: ConfigValue {
    package static var kind: String { "number" }
    package static func parse(_ text: String) -> Int? { Int(text) }
    package var configText: String { "\(self)" }
}

extension Int64: ConfigValue {
    package static var kind: String { "number" }
    package static func parse(_ text: String) -> Int64? { Int64(text) }
    package var configText: String { "\(self)" }
}

extension Double: ConfigValue {
    package static var kind: String { "decimal number" }
    package static func parse(_ text: String) -> Double? { Double(text).flatMap { $0.isFinite ? $0 : nil } }
    package var configText: String { "\(self)" }
}

extension Bool: ConfigValue {
    package static var kind: String { "true or false" }
    package static func parse(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on": true
        case "false", "no", "off": false
        default: nil
        }
    }
    package var configText: String { "\(self)" }
}

/// Never shown: not in the reference, not in a message.
extension Secret: ConfigValue {
    package static var kind: String { "secret text" }
    package static func parse(_ text: String) -> Secret? { Secret(text) }
    package var configText: String { "***" }
}

/// Several, between commas where they are written as one text.
extension Array: ConfigValue where Element: ConfigValue {
    package static var kind: String { "list of \(Element.kind)" }
    package static func parse(_ text: String) -> [Element]? {
        let parts = text.split(separator: ",").map { part in
            Element.parse(String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
        }
        let values = parts.compactMap { $0 }
        return values.count == parts.count ? values : nil
    }
    package var configText: String { map(\.configText).joined(separator: ",") }
}

/// Both ends included.
extension ClosedRange: ConfigValue where Bound == Int {
    package static var kind: String { "range such as 1-4094" }
    package static func parse(_ text: String) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let lower = ends[0], let upper = ends[1], lower <= upper else { return nil }
        return lower...upper
    }
    package var configText: String { "\(lowerBound)-\(upperBound)" }
}

/// None where the text is empty.
extension Optional: ConfigValue where Wrapped: ConfigValue {
    package static var kind: String { Wrapped.kind }
    package static func parse(_ text: String) -> Wrapped?? {
        text.isEmpty ? .some(nil) : Wrapped.parse(text).map { .some($0) }
    }
    package var configText: String { self?.configText ?? "" }
}

/// `250ms`, `30s`, `5m`, `12h`, `7d`.
extension Duration: ConfigValue {
    package static var kind: String { "time such as 30s, 5m or 12h" }

    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    package static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits),
            let unit = units.first(where: { $0.suffix == text.dropFirst(digits.count) })
        else { return nil }
        let (milliseconds, isTooLarge) = count.multipliedReportingOverflow(by: unit.milliseconds)
        return isTooLarge ? nil : .milliseconds(milliseconds)
    }

    package var configText: String {
        let milliseconds = microseconds / 1000
        let unit = Self.units.last { milliseconds % $0.milliseconds == 0 && milliseconds != 0 } ?? Self.units[1]
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}

/// A choice of words: an enum of strings needs no more than to say that it is a `ConfigValue`.
extension ConfigValue where Self: RawRepresentable & CaseIterable, RawValue == String {
    package static var kind: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }
    package static func parse(_ text: String) -> Self? { Self(rawValue: text) }
    package var configText: String { rawValue }
}
