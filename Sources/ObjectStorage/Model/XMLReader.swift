// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// An element of a small XML document. Prefixes of namespaces are dropped; white space beside elements is kept in
/// `text`.
package struct XMLElement: Sendable, Equatable {
    package var name: String
    package var attributes: [String: String]
    package var children: [XMLElement]
    /// All text directly inside, in order.
    package var text: String

    package init(_ name: String, text: String = "", attributes: [String: String] = [:], children: [XMLElement] = []) {
        self.name = name
        self.text = text
        self.attributes = attributes
        self.children = children
    }

    package subscript(name: String) -> XMLElement? { children.first { $0.name == name } }
    package func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
    /// The text of the child of that name, without white space at both ends.
    package func value(_ name: String) -> String? { self[name]?.text.trimmed }
}

package struct XMLError: Error, Sendable, Equatable {
    package let message: String
    package let offset: Int
}

/// Reads what clients send: UTF-8, elements, attributes, text, comments. There are no entities but XML's own five, no
/// document types, no processing instructions but the declaration: nothing in a document makes it larger than it is.
package struct XMLReader {
    package struct Limits: Sendable {
        package var bytes = 2 << 20
        package var depth = 16
        package var elements = 100_000
        package var attributes = 32
        package init() {}
    }

    private let bytes: [UInt8]
    private let limits: Limits
    private var position = 0
    private var elements = 0

    private init(_ bytes: [UInt8], _ limits: Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// The root element.
    package static func read(_ bytes: [UInt8], limits: Limits = Limits()) throws(XMLError) -> XMLElement {
        guard bytes.count <= limits.bytes else { throw XMLError(message: "too long", offset: limits.bytes) }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw XMLError(message: "not UTF-8", offset: 0) }
        var reader = XMLReader(bytes, limits)
        return try reader.document()
    }

    // MARK: Document

    private mutating func document() throws(XMLError) -> XMLElement {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        if has("<?xml ") { try declaration() }
        try skipMisc()
        guard has("<") else { throw error("no element") }
        let root = try element(depth: 1)
        try skipMisc()
        guard position == bytes.count else { throw error("text after the end") }
        return root
    }

    private mutating func declaration() throws(XMLError) {
        let start = position
        try skip(past: "?>")
        let text = String(decoding: bytes[start..<position], as: UTF8.self).asciiLowercased()
        guard let place = text.range(ofBytes: "encoding") else { return }
        let rest = text[place.upperBound...].trimmed.dropping(leading: "=").trimmed
        let name = rest.utf8.isEmpty ? "" : rest.text(after: rest.startIndex).prefix(upToAny: "\"", "'")
        guard ["utf-8", "utf8", "us-ascii"].contains(name) else { throw error("not UTF-8") }
    }

    /// White space and comments between the parts of a document.
    private mutating func skipMisc() throws(XMLError) {
        while true {
            skipSpace()
            guard has("<!--") else { return }
            try comment()
        }
    }

    private mutating func comment() throws(XMLError) {
        position += 4
        try skip(past: "-->")
    }

    // MARK: Elements

    private mutating func element(depth: Int) throws(XMLError) -> XMLElement {
        guard depth <= limits.depth else { throw error("too deep") }
        elements += 1
        guard elements <= limits.elements else { throw error("too many elements") }
        position += 1
        let tag = try name()
        var element = XMLElement(Self.local(tag))
        guard try attributes(of: &element) else { return element }
        var text: [UInt8] = []
        while true {
            guard position < bytes.count else { throw error("\(element.name) is not closed") }
            if bytes[position] != UInt8(ascii: "<") {
                try character(into: &text)
            } else if has("</") {
                position += 2
                guard try name().isByteEqual(to: tag) else { throw error("\(element.name) is closed by another") }
                skipSpace()
                try expect(">")
                element.text = String(decoding: text, as: UTF8.self)
                return element
            } else if has("<!--") {
                try comment()
            } else if has("<![CDATA[") {
                position += 9
                let start = position
                try skip(past: "]]>")
                text += bytes[start..<position - 3]
            } else if has("<!") || has("<?") {
                throw error("not allowed here")
            } else {
                element.children.append(try self.element(depth: depth + 1))
            }
        }
    }

    /// Up to the end of the tag. False: the element is empty.
    private mutating func attributes(of element: inout XMLElement) throws(XMLError) -> Bool {
        while true {
            let hasSpace = skipSpace()
            if has("/>") {
                position += 2
                return false
            }
            if has(">") {
                position += 1
                return true
            }
            guard hasSpace, element.attributes.count < limits.attributes else { throw error("a wrong tag") }
            let attribute = try name()
            skipSpace()
            try expect("=")
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") || bytes[position] == UInt8(ascii: "'")
            else { throw error("a value without quotes") }
            let quote = bytes[position]
            position += 1
            var value: [UInt8] = []
            while position < bytes.count, bytes[position] != quote {
                guard bytes[position] != UInt8(ascii: "<") else { throw error("a wrong value") }
                try character(into: &value)
            }
            guard position < bytes.count else { throw error("a value is not closed") }
            position += 1
            guard element.attributes[attribute] == nil else { throw error("an attribute twice") }
            element.attributes[attribute] = String(decoding: value, as: UTF8.self)
        }
    }

    private mutating func name() throws(XMLError) -> String {
        let start = position
        while position < bytes.count, Self.isNameByte(bytes[position]) { position += 1 }
        guard position > start, position - start <= 256, !Self.isDigitOrDash(bytes[start]) else {
            throw error("a wrong name")
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// One character of text, with XML's own entities resolved.
    private mutating func character(into text: inout [UInt8]) throws(XMLError) {
        let byte = bytes[position]
        guard byte == UInt8(ascii: "&") else {
            guard byte >= 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D else {
                throw error("a control character")
            }
            text.append(byte)
            position += 1
            return
        }
        guard let end = bytes[position...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw error("a wrong entity")
        }
        let entity = String(decoding: bytes[position + 1..<end], as: UTF8.self)
        switch entity {
        case "amp": text.append(UInt8(ascii: "&"))
        case "lt": text.append(UInt8(ascii: "<"))
        case "gt": text.append(UInt8(ascii: ">"))
        case "quot": text.append(UInt8(ascii: "\""))
        case "apos": text.append(UInt8(ascii: "'"))
        default:
            guard entity.hasBytePrefix("#") else { throw error("an unknown entity") }
            let isHex = entity.hasBytePrefix("#x")
            let digits = entity.removing(bytePrefix: isHex ? "#x" : "#") ?? ""
            guard !digits.hasBytePrefix("+"), let value = UInt32(digits, radix: isHex ? 16 : 10), value != 0,
                let scalar = Unicode.Scalar(value)
            else { throw error("a wrong character") }
            text += Array(String(Character(scalar)).utf8)
        }
        position = end + 1
    }

    // MARK: Parts

    private func error(_ message: String) -> XMLError { XMLError(message: message, offset: position) }

    private func has(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { return false }
        return text.withUTF8Buffer { bytes[position..<position + count].elementsEqual($0) }
    }

    private mutating func expect(_ text: StaticString) throws(XMLError) {
        guard has(text) else { throw error("\(text) is missing") }
        position += text.utf8CodeUnitCount
    }

    private mutating func skip(past text: StaticString) throws(XMLError) {
        while position < bytes.count, !has(text) { position += 1 }
        try expect(text)
    }

    @discardableResult
    private mutating func skipSpace() -> Bool {
        let start = position
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        return position > start
    }

    private static func local(_ name: String) -> String {
        name.lastIndex(ofByte: ":").map { String(name.text(after: $0)) } ?? name
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"), 0x80...0xFF:
            true
        default: false
        }
    }

    private static func isDigitOrDash(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
}
