// SPDX-License-Identifier: Apache-2.0

/// A character of ASCII, as one byte of UTF-8. Written as a literal: `"/"`.
package struct ASCIICharacter: Sendable, Hashable, ExpressibleByUnicodeScalarLiteral {
    package let byte: UInt8

    package init(unicodeScalarLiteral scalar: Unicode.Scalar) {
        precondition(scalar.isASCII, "not a character of ASCII")
        byte = UInt8(scalar.value)
    }
}

/// Text as the bytes that it is on the wire.
///
/// `String`'s own operations work on characters as a reader sees them: a slash before a combining mark is no slash, CR
/// and LF are one character, and two spellings of "é" are one name. Names and paths that come from outside are bytes.
extension StringProtocol where SubSequence == Substring {
    private var bytes: Substring.UTF8View { self[...].utf8 }

    package func split(
        byte: ASCIICharacter, maxSplits: Int = .max, omittingEmptySubsequences: Bool = true
    ) -> [Substring] {
        let parts = bytes.split(
            separator: byte.byte, maxSplits: maxSplits, omittingEmptySubsequences: omittingEmptySubsequences)
        return parts.map { Substring($0) }
    }

    package func firstIndex(ofByte byte: ASCIICharacter) -> Index? { bytes.firstIndex(of: byte.byte) }

    package func lastIndex(ofByte byte: ASCIICharacter) -> Index? { bytes.lastIndex(of: byte.byte) }

    package func containsByte(_ byte: ASCIICharacter) -> Bool { bytes.contains(byte.byte) }

    /// Where `text` stands for the first time; nil for empty text.
    package func range(ofBytes text: some StringProtocol) -> Range<Index>? {
        let wanted = text.utf8
        guard let first = wanted.first else { return nil }
        var rest = bytes
        while let start = rest.firstIndex(of: first) {
            rest = rest[start...]
            if rest.starts(with: wanted) { return start..<rest.index(start, offsetBy: wanted.count) }
            rest = rest.dropFirst()
        }
        return nil
    }

    package func containsBytes(_ text: some StringProtocol) -> Bool { range(ofBytes: text) != nil }

    package func hasBytePrefix(_ prefix: some StringProtocol) -> Bool { bytes.starts(with: prefix.utf8) }

    package func hasByteSuffix(_ suffix: some StringProtocol) -> Bool {
        bytes.reversed().starts(with: suffix.utf8.reversed())
    }

    /// What stands behind `prefix`; nil without it.
    package func removing(bytePrefix prefix: some StringProtocol) -> Substring? {
        guard hasBytePrefix(prefix) else { return nil }
        return Substring(bytes.dropFirst(prefix.utf8.count))
    }

    /// What stands before `suffix`; nil without it.
    package func removing(byteSuffix suffix: some StringProtocol) -> Substring? {
        guard hasByteSuffix(suffix) else { return nil }
        return Substring(bytes.dropLast(suffix.utf8.count))
    }

    /// What stands behind as many of `byte` as it begins with.
    package func dropping(leading byte: ASCIICharacter) -> Substring {
        Substring(bytes.drop { $0 == byte.byte })
    }

    /// What stands behind the byte at `index`.
    package func text(after index: Index) -> Substring {
        let bytes = bytes
        return Substring(bytes[bytes.index(after: index)...])
    }

    /// From the first of `byte` on; empty without one.
    package func suffix(fromFirst byte: ASCIICharacter) -> Substring {
        Substring(bytes.drop { $0 != byte.byte })
    }

    /// What stands before the first of `ends`.
    package func prefix(upToAny ends: ASCIICharacter...) -> Substring {
        Substring(bytes.prefix { byte in !ends.contains { $0.byte == byte } })
    }

    /// Without white space of ASCII at both ends. Other white space belongs to names.
    package var trimmed: String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var rest = bytes.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(Substring(rest))
    }

    /// Capitals of ASCII made small; everything else keeps its bytes, which `lowercased()` does not promise.
    package func asciiLowercased() -> String {
        func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
        guard bytes.contains(where: isCapital) else { return String(self) }
        return String(decoding: bytes.map { isCapital($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    package func isByteEqual(to other: some StringProtocol) -> Bool {
        bytes.elementsEqual(other.utf8)
    }

    /// Whether this text stands before `other` in a listing.
    package func isByteOrdered(before other: some StringProtocol) -> Bool {
        bytes.lexicographicallyPrecedes(other.utf8)
    }
}

/// The same for the commonest case, which is worth code of its own: every header of every request passes here.
extension String {
    package func hasBytePrefix(_ prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

    package func isByteEqual(to other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    package func isByteOrdered(before other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }

    package static func areByteEqual(_ left: String?, _ right: String?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        return left.isByteEqual(to: right)
    }
}

/// A name as a key of sets and dictionaries: two are the same when their bytes are.
package struct ByteText: Sendable, Hashable, Comparable, Codable, ExpressibleByStringLiteral, CustomStringConvertible {
    package let text: String

    package init(_ text: some StringProtocol) { self.text = String(text) }
    package init(stringLiteral text: String) { self.text = text }
    package init(from decoder: any Decoder) throws { text = try String(from: decoder) }
    package func encode(to encoder: any Encoder) throws { try text.encode(to: encoder) }

    package var description: String { text }

    package static func == (left: ByteText, right: ByteText) -> Bool { left.text.isByteEqual(to: right.text) }
    package static func < (left: ByteText, right: ByteText) -> Bool { left.text.isByteOrdered(before: right.text) }
    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
