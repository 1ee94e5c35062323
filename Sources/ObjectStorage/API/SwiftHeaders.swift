// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore

/// Header fields by name in lower case. Of a field that was repeated the values stand in one, with commas.
package struct SwiftHeaders: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var values: [String: String] = [:]

    package init() {}
    package init(_ values: [String: String]) { self.values = values }
    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { values[name] = value }
    }

    package init(_ headers: HTTPHeaders) {
        for field in headers.fields {
            let name = field.name.asciiLowercased()
            values[name] = values[name].map { $0 + "," + field.value } ?? field.value
        }
    }

    /// `name` in lower case. Nil removes.
    package subscript(name: String) -> String? {
        get { values[name] }
        set { values[name] = newValue }
    }

    package func isTrue(_ name: String) -> Bool { values[name].map(SwiftText.isTrue) ?? false }

    package mutating func merge(_ others: [String: String]) { values.merge(others) { _, new in new } }

    package mutating func removeAll(where matches: (String) -> Bool) {
        for name in values.keys where matches(name) { values[name] = nil }
    }

    /// Adds `item` to a list with commas, once.
    package mutating func append(_ name: String, _ item: String) {
        guard let old = values[name] else {
            values[name] = item
            return
        }
        let items = old.split(byte: ",").map { $0.trimmed.asciiLowercased() }
        if !items.contains(item.asciiLowercased()) { values[name] = old + ", " + item }
    }

    /// As they are sent: `X-Object-Meta-Color`.
    package var wire: HTTPHeaders {
        var headers = HTTPHeaders()
        for (name, value) in values.sorted(by: { $0.key < $1.key }) { headers.add(SwiftText.titled(name), value) }
        return headers
    }
}

package enum SwiftText {
    /// What counts as yes in headers and queries.
    package static func isTrue(_ text: String) -> Bool {
        ["true", "1", "yes", "on", "t", "y"].contains(text.asciiLowercased())
    }

    /// `x-object-meta-color` is `X-Object-Meta-Color`.
    package static func titled(_ name: String) -> String {
        var isStart = true
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            let isLower = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            bytes.append(isStart && isLower ? byte & 0xDF : byte)
            isStart = !isLower && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func quoted(_ path: String) -> String { Percent.encode(path, keepsSlash: true) }

    package static func escapedXML(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// `[A-Za-z0-9]` and so on only: all of it digits.
    package static func isNumber(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
