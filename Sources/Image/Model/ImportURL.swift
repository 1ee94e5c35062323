// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A URL that an import may name. Narrower than URLs are: what two readers could understand differently (a user's
/// name, a backslash, a blank, letters outside ASCII) is none, so that what is checked is what is fetched.
package struct ImportURL: Sendable, Equatable {
    package static let maximumLength = 2048

    package let text: String
    /// `http`, `https`, or whatever else stands there, in small letters.
    package let scheme: String
    /// In small letters; an IPv6 address without its brackets.
    package let host: String
    /// Nil where the URL names none.
    package let port: Int?
    /// From the first slash after the host on; begins with `/`, or is empty.
    let rest: String

    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumLength, bytes.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x5C }),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0
        else { return nil }
        let scheme = bytes[..<colon]
        guard scheme.allSatisfy({ Self.isLetter($0) || Self.isDigit($0) || $0 == 0x2B || $0 == 0x2D || $0 == 0x2E }),
            Self.isLetter(scheme[0]), bytes[colon...].starts(with: Array("://".utf8))
        else { return nil }
        let start = colon + 3
        let end = bytes[start...].firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? bytes.count
        guard let (host, port) = Self.authority(bytes[start..<end]) else { return nil }
        self.text = text
        self.scheme = String(decoding: scheme, as: UTF8.self).lowercased()
        self.host = host
        self.port = port
        rest = String(decoding: bytes[end...], as: UTF8.self)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func authority(_ bytes: ArraySlice<UInt8>) -> (host: String, port: Int?)? {
        var host = bytes
        var port: Int?
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = bytes[bytes.startIndex + 1..<close]
            let behind = bytes[(close + 1)...]
            guard IPAddress(String(decoding: host, as: UTF8.self))?.isIPv6 == true else { return nil }
            if !behind.isEmpty {
                guard behind.first == UInt8(ascii: ":"), let number = number(behind.dropFirst()) else { return nil }
                port = number
            }
        } else {
            if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
                host = bytes[..<colon]
                guard let number = number(bytes[(colon + 1)...]) else { return nil }
                port = number
            }
            guard !host.isEmpty, host.count <= 253,
                host.allSatisfy({ isLetter($0) || isDigit($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F })
            else { return nil }
        }
        var name = String(decoding: host, as: UTF8.self).lowercased()
        // A dot at the end changes no name.
        if name.hasSuffix(".") { name.removeLast() }
        return name.isEmpty ? nil : (name, port)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...5).contains(digits.count), digits.allSatisfy(isDigit),
            let number = Int(String(decoding: digits, as: UTF8.self)), (1...65_535).contains(number)
        else { return nil }
        return number
    }

    /// Where a redirect leads; nil when that is no URL.
    func following(_ location: String) -> ImportURL? {
        if location.hasPrefix("//") { return ImportURL("\(scheme):\(location)") }
        let bracketed = host.contains(":") ? "[\(host)]" : host
        let origin = "\(scheme)://\(bracketed)" + (port.map { ":\($0)" } ?? "")
        if location.hasPrefix("/") { return ImportURL(origin + location) }
        let head = location.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if head.contains(":") { return ImportURL(location) }
        let path = rest.prefix { $0 != "?" && $0 != "#" }
        let directory = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return ImportURL(origin + directory + location)
    }
}
