// SPDX-License-Identifier: Apache-2.0

/// Writes XML straight into bytes.
package struct XMLWriter: Sendable {
    package private(set) var bytes: [UInt8]

    package init(capacity: Int = 512) {
        bytes = []
        bytes.reserveCapacity(capacity)
        bytes += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8
    }

    /// A document with one root.
    package static func document(
        _ root: StaticString, namespace: StaticString? = nil, capacity: Int = 512, _ body: (inout XMLWriter) -> Void
    ) -> [UInt8] {
        var writer = XMLWriter(capacity: capacity)
        writer.element(root, namespace: namespace, body)
        return writer.bytes
    }

    package mutating func element(
        _ name: StaticString, namespace: StaticString? = nil, attributes: [(StaticString, String)] = [],
        _ body: (inout XMLWriter) -> Void
    ) {
        put("<")
        put(name)
        if let namespace {
            put(" xmlns=\"")
            put(namespace)
            put("\"")
        }
        for (attribute, value) in attributes {
            put(" ")
            put(attribute)
            put("=\"")
            escape(value)
            put("\"")
        }
        put(">")
        body(&self)
        close(name)
    }

    package mutating func element(_ name: StaticString, _ text: String) {
        put("<")
        put(name)
        put(">")
        escape(text)
        close(name)
    }

    package mutating func element(_ name: StaticString, _ number: some BinaryInteger) { element(name, String(number)) }
    package mutating func element(_ name: StaticString, _ flag: Bool) { element(name, flag ? "true" : "false") }

    /// Text inside of an element that is open.
    package mutating func text(_ text: String) { escape(text) }

    /// With a name that is no constant, such as a field of an error.
    package mutating func element(dynamic name: String, _ text: String) {
        bytes += "<\(name)>".utf8
        escape(text)
        bytes += "</\(name)>".utf8
    }

    private mutating func put(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }

    private mutating func close(_ name: StaticString) {
        put("</")
        put(name)
        put(">")
    }

    private mutating func escape(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): put("&amp;")
            case UInt8(ascii: "<"): put("&lt;")
            case UInt8(ascii: ">"): put("&gt;")
            case UInt8(ascii: "\""): put("&quot;")
            // XML 1.0 has no such characters: who has them in a name asks for `encoding-type=url`. Readers of Amazon's
            // own answers know this form.
            case 0..<0x20 where byte != 0x09 && byte != 0x0A: bytes += "&#x\(String(byte, radix: 16));".utf8
            default: bytes.append(byte)
            }
        }
    }
}
