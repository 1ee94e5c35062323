// SPDX-License-Identifier: Apache-2.0

/// Writes JSON straight into bytes. The caller keeps the nesting right; commas are the writer's business.
///
/// This is the hot path of every list call: no intermediate value, no reflection, no existential.
package struct JSONWriter: ~Copyable {
    private var bytes: [UInt8] = []
    private var needsComma = false

    package init(capacity: Int = 512) { bytes.reserveCapacity(capacity) }

    package consuming func finish() -> [UInt8] { bytes }

    package consuming func string() -> String { String(decoding: bytes, as: UTF8.self) }

    package var count: Int { bytes.count }

    // MARK: Structure

    package mutating func beginObject() {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    package mutating func endObject() {
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    package mutating func beginArray() {
        separate()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    package mutating func endArray() {
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// A key known when compiling: copied as it is, so it must need no escape.
    package mutating func key(_ key: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func key(dynamic key: String) {
        separate()
        quote(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    package mutating func value(_ value: String) {
        separate()
        quote(value)
        needsComma = true
    }

    package mutating func value(_ value: Int) { self.value(Int64(value)) }

    package mutating func value(_ value: Int64) {
        separate()
        digits(value)
        needsComma = true
    }

    package mutating func value(_ value: Double) {
        separate()
        bytes.append(contentsOf: (value.isFinite ? "\(value)" : "null").utf8)
        needsComma = true
    }

    package mutating func value(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
        needsComma = true
    }

    package mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
        needsComma = true
    }

    /// Text that is already one valid JSON value, such as a column that this program wrote.
    package mutating func raw(_ json: String) {
        separate()
        bytes.append(contentsOf: json.utf8)
        needsComma = true
    }

    package mutating func value(_ value: JSON) {
        switch value {
        case .null: null()
        case .bool(let flag): self.value(flag)
        case .int(let number): self.value(number)
        case .double(let number): self.value(number)
        case .string(let text): self.value(text)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let fields):
            beginObject()
            for (key, field) in fields.sorted(by: { $0.key < $1.key }) {
                self.key(dynamic: key)
                self.value(field)
            }
            endObject()
        }
    }

    // MARK: Fields

    package mutating func field(_ key: StaticString, _ value: String) {
        self.key(key)
        self.value(value)
    }
    package mutating func field(_ key: StaticString, _ value: String?) {
        self.key(key)
        if let value { self.value(value) } else { null() }
    }
    package mutating func field(_ key: StaticString, _ value: Int) {
        self.key(key)
        self.value(value)
    }
    package mutating func field(_ key: StaticString, _ value: Int?) {
        self.key(key)
        if let value { self.value(value) } else { null() }
    }
    package mutating func field(_ key: StaticString, _ value: Int64) {
        self.key(key)
        self.value(value)
    }
    package mutating func field(_ key: StaticString, _ value: Bool) {
        self.key(key)
        self.value(value)
    }
    package mutating func field(_ key: StaticString, _ value: Double) {
        self.key(key)
        self.value(value)
    }
    package mutating func field<Tag>(_ key: StaticString, _ value: ID<Tag>) { field(key, value.rawValue) }
    package mutating func field<Tag>(_ key: StaticString, _ value: ID<Tag>?) { field(key, value?.rawValue) }
    package mutating func field(_ key: StaticString, _ value: JSON) {
        self.key(key)
        self.value(value)
    }
    package mutating func field(_ key: StaticString, _ value: [String]) {
        self.key(key)
        beginArray()
        for element in value { self.value(element) }
        endArray()
    }
    package mutating func field(_ key: StaticString, _ value: [String: String]) {
        self.key(key)
        beginObject()
        fields(value)
        endObject()
    }
    /// Into the open object, in order of their names.
    package mutating func fields(_ fields: [String: String]) {
        for (name, text) in fields.sorted(by: { $0.key < $1.key }) {
            key(dynamic: name)
            value(text)
        }
    }
    package mutating func nullField(_ key: StaticString) {
        self.key(key)
        null()
    }
    package mutating func object(_ key: StaticString, _ body: (inout JSONWriter) throws -> Void) rethrows {
        self.key(key)
        beginObject()
        try body(&self)
        endObject()
    }
    package mutating func array(_ key: StaticString, _ body: (inout JSONWriter) throws -> Void) rethrows {
        self.key(key)
        beginArray()
        try body(&self)
        endArray()
    }

    /// The bytes of one object.
    package static func object(capacity: Int = 512, _ body: (inout JSONWriter) throws -> Void) rethrows -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        writer.beginObject()
        try body(&writer)
        writer.endObject()
        return writer.finish()
    }

    // MARK: Private

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func digits(_ value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var copy = text
        copy.withUTF8 { utf8 in
            var start = 0
            for index in 0..<utf8.count {
                let byte = utf8[index]
                if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") { continue }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<index]))
                escape(byte)
                start = index + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(Hex.digit(byte >> 4))
            bytes.append(Hex.digit(byte & 0xF))
        }
    }
}
