// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// One header block of a tar archive (POSIX ustar, with GNU's and pax' long names).
package struct TarHeader: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case file
        /// The name of the entry that follows.
        case longName
        /// Attributes of the entry that follows.
        case attributes
        /// Directories, links, devices: nothing that an object could be.
        case other
    }

    package static let blockBytes = 512
    /// More than any object, and far from where sums overflow.
    package static let maximumEntryBytes: Int64 = 1 << 50

    package var name: String
    package var sizeBytes: Int64
    package var kind: Kind

    /// Nil: an empty block, which ends an archive. Throws for what is no header.
    package static func read(_ block: ArraySlice<UInt8>) throws(TarFault) -> TarHeader? {
        guard block.count == blockBytes else { throw TarFault(text: "truncated header") }
        let bytes = Array(block)
        if bytes.allSatisfy({ $0 == 0 }) { return nil }
        guard let sum = number(bytes[148..<156]) else { throw TarFault(text: "bad checksum") }
        let total = bytes.enumerated().reduce(Int64(0)) {
            $0 + ((148..<156).contains($1.offset) ? 32 : Int64($1.element))
        }
        guard total == sum else { throw TarFault(text: "bad checksum") }
        guard let size = number(bytes[124..<136]), (0...maximumEntryBytes).contains(size) else {
            throw TarFault(text: "invalid header")
        }
        var name = text(bytes[0..<100])
        let isStandard = bytes[257..<262].elementsEqual("ustar".utf8)
        let prefix = text(bytes[345..<500])
        if isStandard, bytes[262] == 0, !prefix.isEmpty { name = prefix + "/" + name }
        let kind: Kind =
            switch bytes[156] {
            case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): name.hasByteSuffix("/") ? .other : .file
            case UInt8(ascii: "L"): .longName
            case UInt8(ascii: "x"), UInt8(ascii: "X"): .attributes
            default: .other
            }
        return TarHeader(name: name, sizeBytes: size, kind: kind)
    }

    /// Octal digits, or a number of 8 bytes behind a set bit.
    private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        if let first = field.first, first & 0x80 != 0 {
            guard field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }), first == 0x80 else { return nil }
            let value = field.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return Int64(exactly: value)
        }
        let digits = field.filter { $0 != 0 && $0 != 0x20 }
        guard digits.allSatisfy({ (0x30...0x37).contains($0) }), digits.count <= 12 else { return nil }
        return digits.reduce(0) { $0 * 8 + Int64($1 - 0x30) }
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        WireText.text(Array(field.prefix { $0 != 0 }))
    }

    /// `28 path=…\n`: the attributes of a pax header.
    package static func attributes(_ bytes: [UInt8]) -> [String: String] {
        var result: [String: String] = [:]
        var rest = bytes[...]
        while let space = rest.firstIndex(of: 0x20), let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
            length > space - rest.startIndex + 1, length <= rest.count
        {
            let record = rest[(space + 1)..<(rest.startIndex + length)]
            if let equals = record.firstIndex(of: UInt8(ascii: "=")) {
                let value = record[(equals + 1)...].dropLast()
                result[String(decoding: record[..<equals], as: UTF8.self)] = WireText.text(Array(value))
            }
            rest = rest.dropFirst(length)
        }
        return result
    }
}

/// Why bytes are no archive.
package struct TarFault: Error, Sendable {
    package let text: String
    package init(text: String) { self.text = text }
}
