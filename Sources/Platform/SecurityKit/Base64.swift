// SPDX-License-Identifier: Apache-2.0

/// Base64 (RFC 4648). Decoding is strict: no white space, no foreign character, no bits left over.
package enum Base64 {
    package enum Alphabet: Sendable {
        case standard, urlSafe
    }

    package static func encode(_ bytes: [UInt8], _ alphabet: Alphabet = .standard, padded: Bool = true) -> String {
        let digits = alphabet == .standard ? standardDigits : urlSafeDigits
        return String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { buffer in
            var position = 0
            var index = 0
            while index < bytes.count {
                let count = min(3, bytes.count - index)
                let word =
                    UInt32(bytes[index]) << 16 | (count > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
                    | (count > 2 ? UInt32(bytes[index + 2]) : 0)
                for digit in 0...count {
                    buffer[position] = digits[Int(word >> UInt32(18 - 6 * digit) & 0x3F)]
                    position += 1
                }
                if padded {
                    for _ in count..<3 {
                        buffer[position] = UInt8(ascii: "=")
                        position += 1
                    }
                }
                index += 3
            }
            return position
        }
    }

    /// The bytes, or nil when `text` is no Base64. Padding must be right or, when `padded` is false, absent.
    package static func decode(_ text: String, _ alphabet: Alphabet = .standard, padded: Bool = true) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0, alphabet, padded: padded) }
    }

    private static func decode(_ digits: UnsafeBufferPointer<UInt8>, _ alphabet: Alphabet, padded: Bool) -> [UInt8]? {
        var count = digits.count
        if padded {
            guard count.isMultiple(of: 4) else { return nil }
            if count > 0, digits[count - 1] == UInt8(ascii: "=") { count -= 1 }
            if count > 0, count + 1 == digits.count, digits[count - 1] == UInt8(ascii: "=") { count -= 1 }
        }
        guard count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 3 / 4)
        var word: UInt32 = 0
        var bits = 0
        for index in 0..<count {
            guard let value = value(digits[index], alphabet) else { return nil }
            word = word << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        // A text has one value and a value has one text, so that no altered token passes as another's cache key.
        guard word & ((1 << UInt32(bits)) - 1) == 0 else { return nil }
        return bytes
    }

    private static func value(_ digit: UInt8, _ alphabet: Alphabet) -> UInt8? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): alphabet == .standard ? 62 : nil
        case UInt8(ascii: "/"): alphabet == .standard ? 63 : nil
        case UInt8(ascii: "-"): alphabet == .urlSafe ? 62 : nil
        case UInt8(ascii: "_"): alphabet == .urlSafe ? 63 : nil
        default: nil
        }
    }

    private static let standardDigits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafeDigits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
}
