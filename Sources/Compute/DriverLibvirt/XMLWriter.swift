// SPDX-License-Identifier: Apache-2.0

/// Writes XML. Names are known when compiling; every value is escaped, so no text of a tenant can become markup.
struct XMLWriter {
    private(set) var text = ""
    private var depth = 0

    typealias Attributes = KeyValuePairs<StaticString, String>

    /// An element without content.
    mutating func element(_ name: StaticString, _ attributes: Attributes = [:]) {
        open(name, attributes)
        text += "/>\n"
    }

    mutating func element(_ name: StaticString, _ attributes: Attributes = [:], text content: String) {
        open(name, attributes)
        text += ">"
        escape(content)
        text += "</\(name)>\n"
    }

    mutating func element(
        _ name: StaticString, _ attributes: Attributes = [:], _ body: (inout XMLWriter) throws -> Void
    ) rethrows {
        open(name, attributes)
        text += ">\n"
        depth += 1
        try body(&self)
        depth -= 1
        indent()
        text += "</\(name)>\n"
    }

    private mutating func open(_ name: StaticString, _ attributes: Attributes) {
        indent()
        text += "<\(name)"
        for (key, value) in attributes {
            text += " \(key)='"
            escape(value)
            text += "'"
        }
    }

    private mutating func indent() {
        for _ in 0..<depth { text += "  " }
    }

    static func escaped(_ value: String) -> String {
        var writer = XMLWriter()
        writer.escape(value)
        return writer.text
    }

    private mutating func escape(_ value: String) {
        for scalar in value.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "'": text += "&apos;"
            case "\"": text += "&quot;"
            // Written as they are, a parser would turn them into spaces inside an attribute.
            case "\t", "\n", "\r": text += "&#\(scalar.value);"
            default: text.unicodeScalars.append(Self.isAllowed(scalar) ? scalar : "\u{FFFD}")
            }
        }
    }

    /// XML 1.0 has no way to write the other characters, not even as references.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }
}
