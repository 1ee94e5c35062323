// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PlacementCore

/// The little of JSON Schema that placement's bodies need, with the words of upstream's validator, which clients see.
indirect enum PlacementSchema: Sendable {
    struct Fields: Sendable {
        var properties: [String: PlacementSchema] = [:]
        var required: [String] = []
        /// For keys that are no fixed property.
        var pattern: (key: KeyPattern, schema: PlacementSchema)?
        var allowsOthers = false
        var minimumCount = 0
    }

    enum KeyPattern: Sendable {
        case uuid, word, customWord, suffix

        var text: String {
            switch self {
            case .uuid: "^[0-9a-fA-F-]{36}$"
            case .word: "^[A-Z0-9_]+$"
            case .customWord: "^CUSTOM_[A-Z0-9_]+$"
            case .suffix: "[a-zA-Z0-9_-]{1,64}"
            }
        }

        func matches(_ key: String) -> Bool {
            switch self {
            case .uuid:
                key.utf8.count == 36 && key.utf8.allSatisfy { Hex.value($0) != nil || $0 == UInt8(ascii: "-") }
            case .word: PlacementNames.isWord(key)
            case .customWord:
                key.hasPrefix(PlacementNames.customPrefix)
                    && PlacementNames.isWord(String(key.dropFirst(PlacementNames.customPrefix.count)))
            // Upstream's pattern has no anchors, so one such character is enough.
            case .suffix: key.unicodeScalars.contains { GroupSuffix.isCharacter($0) }
            }
        }
    }

    case object(Fields)
    case string(ClosedRange<Int> = 0...Int.max, pattern: KeyPattern? = nil)
    case uuid
    case integer(ClosedRange<Int64> = Int64.min...Int64.max)
    case number(maximum: Double)
    case array(PlacementSchema, minimumCount: Int = 0, isUnique: Bool = false)
    case nullable(PlacementSchema)

    /// Throws `.badRequest` for the first thing that does not fit.
    func validate(_ value: JSON) throws {
        do {
            try check(value)
        } catch {
            throw CloudError.badRequest(
                "JSON does not validate: \(error.message)\n\nFailed validating '\(error.rule)' in schema\(error.path)")
        }
    }

    struct Mismatch: Error {
        let rule: String
        let message: String
        /// Where in the schema, as upstream's validator writes it: `['properties']['total']`.
        private(set) var path = ""

        func below(_ keys: String...) -> Mismatch {
            var deeper = self
            deeper.path = keys.map { "['\($0)']" }.joined() + path
            return deeper
        }

        init(_ rule: String, _ value: JSON, _ reason: String) {
            self.rule = rule
            var shown = PythonText.of(value)
            if shown.utf8.count > 512 { shown = String(shown.prefix(512)) + "…" }
            message = "\(shown) \(reason)"
        }

        init(_ rule: String, _ message: String) {
            self.rule = rule
            self.message = message
        }
    }

    func check(_ value: JSON) throws(Mismatch) {
        switch self {
        case .object(let fields): try Self.checkObject(value, fields)
        case .string(let length, let pattern): try Self.checkString(value, length, pattern)
        case .uuid:
            guard let text = value.string else { throw Mismatch("type", value, "is not of type 'string'") }
            guard UUIDText.isUUID(text) else { throw Mismatch("format", value, "is not a 'uuid'") }
        case .integer(let range):
            guard let number = value.int else { throw Mismatch("type", value, "is not of type 'integer'") }
            if number < range.lowerBound {
                throw Mismatch("minimum", value, "is less than the minimum of \(range.lowerBound)")
            }
            if number > range.upperBound {
                throw Mismatch("maximum", value, "is greater than the maximum of \(range.upperBound)")
            }
        case .number(let maximum): try Self.checkNumber(value, maximum)
        case .array(let item, let minimumCount, let isUnique): try Self.checkArray(value, item, minimumCount, isUnique)
        case .nullable(let inner): if !value.isNull { try inner.check(value) }
        }
    }

    private static func checkObject(_ value: JSON, _ fields: Fields) throws(Mismatch) {
        guard case .object(let entries) = value else { throw Mismatch("type", value, "is not of type 'object'") }
        for name in fields.required where entries[name] == nil {
            throw Mismatch("required", "'\(name)' is a required property")
        }
        guard entries.count >= fields.minimumCount else {
            throw Mismatch("minProperties", value, "does not have enough properties")
        }
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            if let schema = fields.properties[name] {
                do { try schema.check(entry) } catch { throw error.below("properties", name) }
            } else if let pattern = fields.pattern, pattern.key.matches(name) {
                do { try pattern.schema.check(entry) } catch {
                    throw error.below("patternProperties", pattern.key.text)
                }
            } else if !fields.allowsOthers {
                if let pattern = fields.pattern {
                    throw Mismatch(
                        "additionalProperties", "'\(name)' does not match any of the regexes: '\(pattern.key.text)'")
                }
                throw Mismatch(
                    "additionalProperties", "Additional properties are not allowed ('\(name)' was unexpected)")
            }
        }
    }

    private static func checkString(_ value: JSON, _ length: ClosedRange<Int>, _ pattern: KeyPattern?) throws(Mismatch)
    {
        guard let text = value.string else { throw Mismatch("type", value, "is not of type 'string'") }
        let count = text.unicodeScalars.count
        if count < length.lowerBound {
            throw Mismatch("minLength", value, length.lowerBound == 1 ? "should be non-empty" : "is too short")
        }
        if count > length.upperBound { throw Mismatch("maxLength", value, "is too long") }
        if let pattern, !pattern.matches(text) { throw Mismatch("pattern", value, "does not match '\(pattern.text)'") }
        guard !text.utf8.contains(0) else { throw Mismatch("pattern", "the text has a NUL character") }
    }

    private static func checkNumber(_ value: JSON, _ maximum: Double) throws(Mismatch) {
        let number: Double
        switch value {
        case .int(let integer): number = Double(integer)
        case .double(let double): number = double
        default: throw Mismatch("type", value, "is not of type 'number'")
        }
        if number > maximum { throw Mismatch("maximum", value, "is greater than the maximum of \(maximum)") }
    }

    private static func checkArray(_ value: JSON, _ item: PlacementSchema, _ minimumCount: Int, _ isUnique: Bool)
        throws(Mismatch)
    {
        guard case .array(let elements) = value else { throw Mismatch("type", value, "is not of type 'array'") }
        guard elements.count >= minimumCount else { throw Mismatch("minItems", value, "should be non-empty") }
        for element in elements {
            do { try item.check(element) } catch { throw error.below("items") }
        }
        if isUnique, Set(elements.map { $0.text() }).count != elements.count {
            throw Mismatch("uniqueItems", value, "has non-unique elements")
        }
    }
}

/// A value as Python shows it, since upstream's messages quote bodies that way.
enum PythonText {
    static func of(_ value: JSON) -> String {
        switch value {
        case .null: "None"
        case .bool(let flag): flag ? "True" : "False"
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .string(let text): "'\(text)'"
        case .array(let elements): "[" + elements.map(of).joined(separator: ", ") + "]"
        case .object(let fields):
            "{" + fields.sorted { $0.key < $1.key }.map { "'\($0.key)': \(of($0.value))" }.joined(separator: ", ") + "}"
        }
    }
}
