// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Reads the fields of one JSON object, strictly: a wrong type, a bad length or an unknown field is a `.badRequest`
/// that names the field. Ask for every known field, then call `finish()`.
package struct ObjectReader {
    private var fields: [String: JSON]
    private let path: String
    /// Upstream's service ignores fields that it does not know.
    private let allowsUnknown: Bool

    package init(_ json: JSON?, path: String = "", allowsUnknown: Bool = false) throws {
        guard case .object(let fields)? = json else {
            throw Self.invalid(path.isEmpty ? "body" : path, json ?? .null, "is not of type 'object'")
        }
        self.fields = fields
        self.path = path
        self.allowsUnknown = allowsUnknown
    }

    /// The object under `key` of a body that has that key alone, such as `{"server": {…}}`.
    package static func envelope(_ key: String, in body: JSON, allowsUnknown: Bool = false) throws -> ObjectReader {
        guard case .object(let fields) = body, let inner = fields[key] else {
            throw CloudError.badRequest("Invalid input for field/attribute body. '\(key)' is a required property")
        }
        if !allowsUnknown, let other = fields.keys.sorted().first(where: { $0 != key }) {
            throw unknown(other, in: "body")
        }
        return try ObjectReader(inner, path: key, allowsUnknown: allowsUnknown)
    }

    package func has(_ key: String) -> Bool { fields[key] != nil }
    package func isNull(_ key: String) -> Bool { fields[key] == .null }
    package var remainingKeys: [String] { fields.keys.sorted() }

    /// Any value, or nil when the field is absent. Takes the field.
    package mutating func value(_ key: String) -> JSON? { fields.removeValue(forKey: key) }

    /// Nil when absent. A null is refused: use `nullableString`.
    package mutating func string(_ key: String, _ length: ClosedRange<Int> = 0...255) throws -> String? {
        guard let value = value(key) else { return nil }
        return try text(value, key, length)
    }

    package mutating func requiredString(_ key: String, _ length: ClosedRange<Int> = 0...255) throws -> String {
        guard let value = try string(key, length) else { throw missing(key) }
        return value
    }

    /// `.none` when absent, `.some(nil)` when null.
    package mutating func nullableString(_ key: String, _ length: ClosedRange<Int> = 0...255) throws -> String?? {
        guard let value = value(key) else { return .none }
        return value.isNull ? .some(nil) : .some(try text(value, key, length))
    }

    package mutating func int(_ key: String, _ range: ClosedRange<Int64> = Int64.min...Int64.max) throws -> Int64? {
        guard let value = value(key) else { return nil }
        guard case .int(let number) = value else { throw invalid(key, value, "is not of type 'integer'") }
        guard range.contains(number) else {
            throw invalid(key, value, "is not between \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }

    package mutating func requiredInt(_ key: String, _ range: ClosedRange<Int64> = Int64.min...Int64.max) throws
        -> Int64
    {
        guard let value = try int(key, range) else { throw missing(key) }
        return value
    }

    /// An integer, or a string of one, as nova takes for flavors and sizes.
    package mutating func looseInt(_ key: String, _ range: ClosedRange<Int64> = Int64.min...Int64.max) throws -> Int64?
    {
        if case .string(let text)? = fields[key], let number = Int64(text) { fields[key] = .int(number) }
        return try int(key, range)
    }

    package mutating func bool(_ key: String) throws -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .bool(let flag) = value else { throw invalid(key, value, "is not of type 'boolean'") }
        return flag
    }

    /// A boolean, or one of the words and numbers that upstream takes for one.
    package mutating func looseBool(_ key: String) throws -> Bool? {
        guard let value = value(key) else { return nil }
        switch value {
        case .bool(let flag): return flag
        case .int(0): return false
        case .int(1): return true
        case .string(let text):
            switch text.lowercased() {
            case "true", "1", "yes", "on", "t", "y": return true
            case "false", "0", "no", "off", "f", "n": return false
            default: throw invalid(key, value, "is not of type 'boolean'")
            }
        default: throw invalid(key, value, "is not of type 'boolean'")
        }
    }

    package mutating func array(_ key: String, _ count: ClosedRange<Int> = 0...10_000) throws -> [JSON]? {
        guard let value = value(key) else { return nil }
        guard case .array(let elements) = value else { throw invalid(key, value, "is not of type 'array'") }
        guard elements.count <= count.upperBound else { throw invalid(key, "[…]", "is too long") }
        guard elements.count >= count.lowerBound else { throw invalid(key, value, "is too short") }
        return elements
    }

    package mutating func strings(_ key: String, _ count: ClosedRange<Int> = 0...10_000) throws -> [String]? {
        try array(key, count)?.map { element in
            guard case .string(let text) = element else { throw invalid(key, element, "is not of type 'string'") }
            return text
        }
    }

    package mutating func object(_ key: String, allowsUnknown: Bool = false) throws -> ObjectReader? {
        guard let value = value(key) else { return nil }
        return try ObjectReader(value, path: path.isEmpty ? key : "\(path).\(key)", allowsUnknown: allowsUnknown)
    }

    /// A map of strings, such as metadata.
    package mutating func stringMap(
        _ key: String, keyLength: ClosedRange<Int> = 1...255, valueLength: ClosedRange<Int> = 0...255
    )
        throws -> [String: String]?
    {
        guard let value = value(key) else { return nil }
        guard case .object(let entries) = value else { throw invalid(key, value, "is not of type 'object'") }
        var map: [String: String] = [:]
        for (name, entry) in entries {
            guard keyLength.contains(name.count) else { throw invalid(key, .string(name), "is too long or empty") }
            map[name] = try text(entry, "\(key)/\(name)", valueLength)
        }
        return map
    }

    /// Refuses what nobody asked for.
    package func finish() throws {
        guard !allowsUnknown, let unknown = fields.keys.sorted().first else { return }
        throw Self.unknown(unknown, in: path)
    }

    private static func unknown(_ key: String, in path: String) -> CloudError {
        .badRequest(
            "Invalid input for field/attribute \(path). Additional properties are not allowed "
                + "('\(key.prefix(64))' was unexpected)")
    }

    package func missing(_ key: String) -> CloudError {
        .badRequest("Invalid input for field/attribute \(path). '\(key)' is a required property")
    }

    package func invalid(_ key: String, _ value: JSON, _ reason: String) -> CloudError {
        Self.invalid(path.isEmpty ? key : "\(path).\(key)", value, reason)
    }

    private static func invalid(_ name: String, _ value: JSON, _ reason: String) -> CloudError {
        var shown = value.text()
        if shown.utf8.count > 200 { shown = String(shown.prefix(200)) + "…" }
        return .badRequest("Invalid input for field/attribute \(name). Value: \(shown). \(shown) \(reason)")
    }

    private func text(_ value: JSON, _ key: String, _ length: ClosedRange<Int>) throws -> String {
        guard case .string(let text) = value else { throw invalid(key, value, "is not of type 'string'") }
        // A database or a guest would stumble over NUL; upstream refuses it for most names.
        guard !text.utf8.contains(0) else { throw invalid(key, "…", "contains a NUL character") }
        let count = text.unicodeScalars.count
        guard count <= length.upperBound else { throw invalid(key, "…", "is too long") }
        guard count >= length.lowerBound else { throw invalid(key, value, "is too short") }
        return text
    }
}
