// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// What S3's clients compute over a body besides its MD5.
package enum S3ChecksumAlgorithm: String, Sendable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"
    case sha512 = "SHA512"
    case md5 = "MD5"

    private static let prefix = "x-amz-checksum-"

    /// `x-amz-checksum-crc32`.
    package var header: String { Self.prefix + rawValue.asciiLowercased() }

    /// Nil: the header is none of a checksum that is known.
    package init?(header: String) {
        guard let name = header.asciiLowercased().removing(bytePrefix: Self.prefix) else { return nil }
        guard let known = Self.allCases.first(where: { $0.rawValue.asciiLowercased().isByteEqual(to: name) }) else {
            return nil
        }
        self = known
    }

    package var element: StaticString {
        switch self {
        case .crc32: "ChecksumCRC32"
        case .crc32c: "ChecksumCRC32C"
        case .crc64nvme: "ChecksumCRC64NVME"
        case .sha1: "ChecksumSHA1"
        case .sha256: "ChecksumSHA256"
        case .sha512: "ChecksumSHA512"
        case .md5: "ChecksumMD5"
        }
    }

    package var cyclic: CyclicChecksum.Kind? {
        switch self {
        case .crc32: .crc32
        case .crc32c: .crc32c
        case .crc64nvme: .crc64nvme
        default: nil
        }
    }

    /// A whole body at once.
    package func of(_ bytes: [UInt8]) -> [UInt8] {
        var computation = S3ChecksumComputation(self)
        computation.update(bytes)
        return computation.finish()
    }
}

/// A checksum while its body passes by.
package struct S3ChecksumComputation: Sendable {
    private enum State: Sendable {
        case cyclic(CyclicChecksum)
        case digest(Digest)
        /// Held by whoever updates it.
        case taken
    }

    package let algorithm: S3ChecksumAlgorithm
    private var state: State

    package init(_ algorithm: S3ChecksumAlgorithm) {
        self.algorithm = algorithm
        state =
            switch algorithm {
            case .crc32: .cyclic(CyclicChecksum(.crc32))
            case .crc32c: .cyclic(CyclicChecksum(.crc32c))
            case .crc64nvme: .cyclic(CyclicChecksum(.crc64nvme))
            case .sha1: .digest(Digest(.sha1))
            case .sha256: .digest(Digest(.sha256))
            case .sha512: .digest(Digest(.sha512))
            case .md5: .digest(Digest(.md5))
            }
    }

    package mutating func update(_ bytes: [UInt8]) {
        switch state {
        case .cyclic(var checksum):
            checksum.update(bytes)
            state = .cyclic(checksum)
        case .digest(var digest):
            // Let go first, so that the digest is changed where it is.
            state = .taken
            digest.update(bytes)
            state = .digest(digest)
        case .taken: preconditionFailure("a checksum is updated by one at a time")
        }
    }

    package func finish() -> [UInt8] {
        switch state {
        case .cyclic(let checksum): checksum.finish()
        case .digest(let digest): digest.finish()
        case .taken: preconditionFailure("a checksum is finished when no one updates it")
        }
    }
}

/// The checksum that an object was stored with.
package struct S3Checksum: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// Of all bytes.
        case whole = "FULL_OBJECT"
        /// Of the parts' checksums; a dash and their number stand behind it.
        case composite = "COMPOSITE"
    }

    package var algorithm: S3ChecksumAlgorithm
    package var kind: Kind
    /// In base 64. Empty: an upload that is to have one.
    package var value: String

    package init(_ algorithm: S3ChecksumAlgorithm, _ kind: Kind = .whole, value: String = "") {
        self.algorithm = algorithm
        self.kind = kind
        self.value = value
    }

    package init(_ algorithm: S3ChecksumAlgorithm, bytes: [UInt8]) {
        self.init(algorithm, value: Base64.encode(bytes))
    }

    /// As it is kept with an object.
    package var text: String {
        "\(algorithm.rawValue) \(kind.rawValue)" + (value.isEmpty ? "" : " " + value)
    }

    /// What `text` wrote; nil for anything else.
    package init?(kept text: String?) {
        let words = (text ?? "").split(byte: " ").map(String.init)
        guard (2...3).contains(words.count), let algorithm = S3ChecksumAlgorithm(rawValue: words[0]),
            let kind = Kind(rawValue: words[1])
        else { return nil }
        self.init(algorithm, kind, value: words.count == 3 ? words[2] : "")
    }

    /// That of an object from those of its parts, in order. Nil where a part has none that fits.
    package static func joined(
        _ parts: [(checksum: S3Checksum?, sizeBytes: Int64)], _ algorithm: S3ChecksumAlgorithm, _ kind: Kind
    ) -> S3Checksum? {
        var known: [(bytes: [UInt8], sizeBytes: Int64)] = []
        for (checksum, sizeBytes) in parts {
            guard let checksum, checksum.algorithm == algorithm, let bytes = Base64.decode(checksum.value) else {
                return nil
            }
            known.append((bytes, sizeBytes))
        }
        switch kind {
        case .composite:
            let value = Base64.encode(algorithm.of(known.flatMap(\.bytes)))
            return S3Checksum(algorithm, .composite, value: "\(value)-\(parts.count)")
        case .whole:
            guard let cyclic = algorithm.cyclic, let first = known.first else { return nil }
            let whole = known.dropFirst().reduce(first.bytes) {
                CyclicChecksum.joined(cyclic, $0, $1.bytes, secondBytes: $1.sizeBytes)
            }
            return S3Checksum(algorithm, bytes: whole)
        }
    }
}

extension CyclicChecksum {
    /// The checksum of two bodies one after the other, from the checksum of each and the size of the second.
    ///
    /// A CRC is a remainder of polynomials over two numbers: the first one's is carried on over as many zeros as the
    /// second has bits, which is a product, and added. Powers are taken by squares, so that a size costs its bits.
    package static func joined(_ kind: Kind, _ first: [UInt8], _ second: [UInt8], secondBytes: Int64) -> [UInt8] {
        precondition(first.count == second.count && secondBytes >= 0, "two checksums of one kind")
        let field = Field(kind)
        func number(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let value = field.product(number(first), field.power(8, times: UInt64(secondBytes))) ^ number(second)
        return (0..<first.count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (first.count - 1 - $0))) }
    }

    /// Remainders of a CRC's polynomial. The highest bit is the number one, the next is x.
    private struct Field {
        let polynomial: UInt64
        let one: UInt64

        init(_ kind: Kind) {
            switch kind {
            case .crc32: (polynomial, one) = (0xEDB8_8320, 1 << 31)
            case .crc32c: (polynomial, one) = (0x82F6_3B78, 1 << 31)
            case .crc64nvme: (polynomial, one) = (0x9A6C_9329_AC4B_C9B5, 1 << 63)
            }
        }

        func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
            var (bit, right, sum) = (one, right, UInt64(0))
            while bit != 0 {
                if left & bit != 0 { sum ^= right }
                right = right & 1 == 1 ? right >> 1 ^ polynomial : right >> 1
                bit >>= 1
            }
            return sum
        }

        /// `x` to the power of `exponent * count`; `exponent` is less than the width.
        func power(_ exponent: Int, times count: UInt64) -> UInt64 {
            var (base, count, result) = (one >> UInt64(exponent), count, one)
            while count > 0 {
                if count & 1 == 1 { result = product(result, base) }
                base = product(base, base)
                count >>= 1
            }
            return result
        }
    }
}
