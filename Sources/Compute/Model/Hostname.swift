// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Names that guests have of themselves.
package enum Hostname {
    private static let maximumLength = 63

    /// A host name made of a server's name: letters, digits and dashes, lower case (nova: sanitize_hostname).
    /// `fallback` when nothing is left.
    package static func sanitized(_ name: String, fallback: String) -> String {
        var result = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case " ", "_", ".": result.append("-")
            case "a"..."z", "0"..."9", "-": result.unicodeScalars.append(scalar)
            case "A"..."Z": result += scalar.properties.lowercaseMapping
            default: continue
            }
        }
        let trimmed = trim(result)
        return trimmed.isEmpty ? fallback : trim(String(trimmed.prefix(maximumLength)))
    }

    /// nova 2.90: letters, digits and inner dashes, 2 to 63. From 2.94 a fully qualified name.
    package static func isValid(_ name: String, allowsDomain: Bool) -> Bool {
        let bytes = name.utf8
        guard bytes.count >= (allowsDomain ? 1 : 2), bytes.count <= (allowsDomain ? 255 : 63) else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        if allowsDomain {
            return bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
        }
        guard let first = bytes.first, let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x2D }
    }

    private static func trim(_ text: String) -> String {
        var rest = Substring(text)
        while let first = rest.first, first == "-" || first == "." { rest.removeFirst() }
        while let last = rest.last, last == "-" || last == "." { rest.removeLast() }
        return String(rest)
    }
}
