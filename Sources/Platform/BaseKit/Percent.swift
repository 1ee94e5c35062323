// SPDX-License-Identifier: Apache-2.0

/// Percent-encoding of URLs (RFC 3986).
package enum Percent {
    /// Nil when an escape is cut short, is not hexadecimal, or the result is not UTF-8.
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        let utf8 = text.utf8
        guard utf8.contains(where: { $0 == UInt8(ascii: "%") || plusIsSpace && $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        var iterator = utf8.makeIterator()
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = iterator.next().flatMap(Hex.value), let low = iterator.next().flatMap(Hex.value) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Encodes what may not stand in a request's target as it is, and leaves escapes and delimiters alone.
    package static func encodeTarget(_ bytes: UnsafeRawBufferPointer) -> String {
        let plain: ClosedRange<UInt8> = 0x21...0x7E
        if bytes.allSatisfy(plain.contains) { return String(decoding: bytes, as: UTF8.self) }
        var result: [UInt8] = []
        for byte in bytes {
            if plain.contains(byte) {
                result.append(byte)
            } else {
                result.append(UInt8(ascii: "%"))
                result.append(contentsOf: Hex.encode([byte]).uppercased().utf8)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// With escapes replaced by their bytes; what is no escape stays as it is.
    package static func unquoted(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let high = Hex.value(rest[rest.startIndex]),
                let low = Hex.value(rest[rest.startIndex + 1])
            {
                result.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return result
    }

    package static func encode(_ text: String, keepsSlash: Bool = false) -> String {
        encode(bytes: text.utf8, keepsSlash: keepsSlash)
    }

    package static func encode(bytes: some Sequence<UInt8>, keepsSlash: Bool = false) -> String {
        var result = ""
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "/") where keepsSlash: result.append("/")
            default: result += "%" + Hex.encode([byte]).uppercased()
            }
        }
        return result
    }

    /// The pairs of a query string; nil when one is not decodable.
    package static func query<Text: StringProtocol>(
        _ text: Text
    ) -> [(name: String, value: String)]? where Text.SubSequence == Substring {
        var pairs: [(name: String, value: String)] = []
        for part in text.split(byte: "&") {
            let halves = part.split(byte: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(halves[0], plusIsSpace: true),
                let value = decode(halves.count > 1 ? halves[1] : "", plusIsSpace: true)
            else { return nil }
            pairs.append((name, value))
        }
        return pairs
    }
}
