// SPDX-License-Identifier: Apache-2.0

/// Header fields as text, without loss.
///
/// HTTP gives header values no encoding. Nearly all are UTF-8; of the others each byte that is none becomes one of the
/// last 128 scalars of Unicode, which nobody may give a meaning, and becomes that byte again when it is sent. Who sends
/// these scalars himself gets them back, too: they are kept byte by byte.
package enum WireText {
    /// Byte 0x80 is U+10FF80. Their UTF-8 is four bytes that begin with 0xF4 0x8F 0xBE or 0xF4 0x8F 0xBF.
    private static let escapes: ClosedRange<UInt32> = 0x10FF80...0x10FFFF
    private static let base: UInt32 = 0x10FF00
    private static let lead: UInt8 = 0xF4

    package static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        if !bytes.contains(lead), let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = ""
        var rest = bytes[...]
        while let first = rest.first {
            if let scalar = scalar(rest), !escapes.contains(scalar.value) {
                text.unicodeScalars.append(scalar)
                rest = rest.dropFirst(UTF8.width(scalar))
            } else {
                if let escape = Unicode.Scalar(base + UInt32(first)) { text.unicodeScalars.append(escape) }
                rest = rest.dropFirst()
            }
        }
        return text
    }

    package static func text(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { text($0) } }

    /// What is sent for `text`.
    package static func bytes(_ text: String) -> [UInt8] {
        guard isEscaped(text) else { return Array(text.utf8) }
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            if escapes.contains(scalar.value) {
                bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                bytes.append(contentsOf: String(scalar).utf8)
            }
        }
        return bytes
    }

    /// How many bytes are sent for `text`: for limits.
    package static func byteCount(_ text: String) -> Int {
        guard isEscaped(text) else { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + (escapes.contains($1.value) ? 1 : UTF8.width($1)) }
    }

    /// Whether `bytes(text)` differs from its UTF-8: the value is no text for its owner.
    package static func isEscaped(_ text: String) -> Bool {
        text.utf8.contains(lead) && text.unicodeScalars.contains { escapes.contains($0.value) }
    }

    /// The scalar that `bytes` begin with; nil when they begin with none.
    private static func scalar(_ bytes: Slice<UnsafeRawBufferPointer>) -> Unicode.Scalar? {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
        return scalar
    }
}
