// SPDX-License-Identifier: Apache-2.0

/// A piece of XML that libvirt wrote, to look into and to change. Not for documents of tenants: it knows neither
/// namespaces nor document types.
struct XMLElement: Sendable, Equatable {
    enum Node: Sendable, Equatable {
        case element(XMLElement)
        case text(String)
    }

    var name: String
    var attributes: [(name: String, value: String)] = []
    var children: [Node] = []

    init(_ name: String) { self.name = name }

    static func == (left: XMLElement, right: XMLElement) -> Bool {
        left.name == right.name && left.children == right.children
            && left.attributes.elementsEqual(right.attributes) { $0 == $1 }
    }

    subscript(attribute: String) -> String? { attributes.first { $0.name == attribute }?.value }

    var elements: [XMLElement] {
        children.compactMap { if case .element(let element) = $0 { element } else { nil } }
    }

    func first(_ name: String) -> XMLElement? { elements.first { $0.name == name } }

    /// The text between its tags.
    var content: String {
        children.map { if case .text(let text) = $0 { text } else { "" } }.joined()
    }

    /// Calls `change` on each child element of this name; nil removes it.
    mutating func update(_ name: String, _ change: (XMLElement) -> XMLElement?) {
        children = children.compactMap { node in
            guard case .element(let element) = node, element.name == name else { return node }
            return change(element).map(Node.element)
        }
    }

    /// Puts the child elements in the place of those of the same name.
    mutating func replace(_ element: XMLElement) {
        guard let index = children.firstIndex(where: { $0.name == element.name }) else {
            return children.append(.element(element))
        }
        children[index] = .element(element)
    }

    var text: String {
        var writer = XMLText()
        writer.write(self)
        return writer.text
    }
}

extension XMLElement.Node {
    var name: String? { if case .element(let element) = self { element.name } else { nil } }
}

private struct XMLText {
    var text = ""

    mutating func write(_ element: XMLElement) {
        text += "<\(element.name)"
        for (name, value) in element.attributes { text += " \(name)='\(XMLWriter.escaped(value))'" }
        guard !element.children.isEmpty else {
            text += "/>"
            return
        }
        text += ">"
        for child in element.children {
            switch child {
            case .element(let inner): write(inner)
            case .text(let content): text += XMLWriter.escaped(content)
            }
        }
        text += "</\(element.name)>"
    }
}

/// Reads what libvirt writes.
struct XMLReader {
    struct Malformed: Error, CustomStringConvertible {
        let offset: Int
        var description: String { "malformed XML at byte \(offset)" }
    }
    private static let maximumDepth = 64

    private let bytes: [UInt8]
    private var position = 0

    static func read(_ text: String) throws(Malformed) -> XMLElement {
        var reader = XMLReader(bytes: Array(text.utf8))
        try reader.skipMisc()
        return try reader.element(depth: 0)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var malformed: Malformed { Malformed(offset: position) }

    private func starts(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[position..<position + count]) }
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func skip(past end: StaticString) throws(Malformed) {
        while !starts(end) {
            guard position < bytes.count else { throw malformed }
            position += 1
        }
        position += end.utf8CodeUnitCount
    }

    /// Declarations and comments around the one element.
    private mutating func skipMisc() throws(Malformed) {
        while true {
            skipSpace()
            if starts("<?") {
                try skip(past: "?>")
            } else if starts("<!--") {
                try skip(past: "-->")
            } else {
                return
            }
        }
    }

    private mutating func name() throws(Malformed) -> String {
        let start = position
        while position < bytes.count, ![0x20, 0x09, 0x0A, 0x0D, 0x2F, 0x3D, 0x3E].contains(bytes[position]) {
            position += 1
        }
        guard position > start else { throw malformed }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func element(depth: Int) throws(Malformed) -> XMLElement {
        guard depth < Self.maximumDepth, starts("<") else { throw malformed }
        position += 1
        var element = XMLElement(try name())
        while true {
            skipSpace()
            if starts("/>") {
                position += 2
                return element
            }
            if starts(">") {
                position += 1
                break
            }
            element.attributes.append(try attribute())
        }
        while !starts("</") {
            guard position < bytes.count else { throw malformed }
            if starts("<!--") {
                try skip(past: "-->")
            } else if starts("<") {
                element.children.append(.element(try self.element(depth: depth + 1)))
            } else {
                element.children.append(.text(try content(until: UInt8(ascii: "<"))))
            }
        }
        position += 2
        guard try name() == element.name else { throw malformed }
        skipSpace()
        guard starts(">") else { throw malformed }
        position += 1
        return element
    }

    private mutating func attribute() throws(Malformed) -> (name: String, value: String) {
        let name = try name()
        skipSpace()
        guard starts("=") else { throw malformed }
        position += 1
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "'") || bytes[position] == UInt8(ascii: "\"")
        else { throw malformed }
        let quote = bytes[position]
        position += 1
        let value = try content(until: quote)
        position += 1
        return (name, value)
    }

    private mutating func content(until end: UInt8) throws(Malformed) -> String {
        var result: [UInt8] = []
        while position < bytes.count, bytes[position] != end {
            if bytes[position] == UInt8(ascii: "&") {
                result.append(contentsOf: try reference().utf8)
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        guard position < bytes.count else { throw malformed }
        return String(decoding: result, as: UTF8.self)
    }

    private mutating func reference() throws(Malformed) -> String {
        guard let end = bytes[position...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw malformed }
        let name = String(decoding: bytes[(position + 1)..<end], as: UTF8.self)
        let text: String?
        switch name {
        case "lt": text = "<"
        case "gt": text = ">"
        case "amp": text = "&"
        case "quot": text = "\""
        case "apos": text = "'"
        default:
            let number =
                name.hasPrefix("#x")
                ? UInt32(name.dropFirst(2), radix: 16)
                : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
            text = number.flatMap(Unicode.Scalar.init).map { String(Character($0)) }
        }
        guard let text else { throw malformed }
        position = end + 1
        return text
    }
}
