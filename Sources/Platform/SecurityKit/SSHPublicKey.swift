// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A public key in OpenSSH's one-line form: `ssh-ed25519 AAAA… comment`.
package struct SSHPublicKey: Sendable, Equatable {
    package enum Algorithm: String, Sendable, CaseIterable {
        case rsa = "ssh-rsa"
        case ed25519 = "ssh-ed25519"
        case ecdsa256 = "ecdsa-sha2-nistp256"
        case ecdsa384 = "ecdsa-sha2-nistp384"
        case ecdsa521 = "ecdsa-sha2-nistp521"
        case securityKeyEd25519 = "sk-ssh-ed25519@openssh.com"
        case securityKeyECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
    }

    /// Longer lines are refused before they are decoded.
    package static let maximumByteCount = 16_384

    package let algorithm: Algorithm
    /// The key in SSH's wire form (RFC 4253 section 6.6).
    package let blob: [UInt8]
    package let comment: String

    /// Throws `.badRequest` with the reason, for anything that sshd would not take as one key.
    package init(_ text: String) throws {
        guard text.utf8.count <= Self.maximumByteCount else { throw Self.invalid("the key is too long") }
        let line = Self.trimmed(text)
        // A second line would become a second key in authorized_keys, under the first one's fingerprint.
        guard !line.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7F }) else {
            throw Self.invalid("control characters are not allowed")
        }
        let words = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" })
        guard words.count >= 2, let algorithm = Algorithm(rawValue: String(words[0])) else {
            throw Self.invalid("failed to generate fingerprint")
        }
        guard let blob = Base64.decode(String(words[1])), SSHKeyBlob.isValid(blob, algorithm) else {
            throw Self.invalid("failed to generate fingerprint")
        }
        self.algorithm = algorithm
        self.blob = blob
        comment = words.count > 2 ? Self.trimmed(words[2]) : ""
    }

    init(algorithm: Algorithm, blob: [UInt8], comment: String) {
        self.algorithm = algorithm
        self.blob = blob
        self.comment = comment
    }

    package var line: String {
        algorithm.rawValue + " " + Base64.encode(blob) + (comment.isEmpty ? "" : " " + comment)
    }

    /// `1e:2c:…`: the MD5 digest of the key, as nova prints it.
    package var fingerprint: String {
        Digest.of(blob, .md5).map { Hex.encode([$0]) }.joined(separator: ":")
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while let first = rest.unicodeScalars.first, isSpace(first) {
            rest = Substring(rest.unicodeScalars.dropFirst())
        }
        while let last = rest.unicodeScalars.last, isSpace(last) { rest = Substring(rest.unicodeScalars.dropLast()) }
        return String(rest)
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r"
    }

    private static func invalid(_ reason: String) -> CloudError {
        .badRequest("Keypair data is invalid: \(reason)", kind: "InvalidKeypair")
    }
}

/// The binary form of a key: length-prefixed strings.
enum SSHKeyBlob {
    private static let minimumModulusBits = 1024
    private static let maximumModulusBits = 16_384

    static func isValid(_ blob: [UInt8], _ algorithm: SSHPublicKey.Algorithm) -> Bool {
        var reader = SSHReader(blob)
        guard let name = reader.string(), name.elementsEqual(algorithm.rawValue.utf8) else { return false }
        switch algorithm {
        case .rsa:
            guard let exponent = reader.string(), let modulus = reader.string() else { return false }
            return isRSA(exponent: exponent, modulus: modulus) && reader.isAtEnd
        case .ed25519: return reader.string()?.count == 32 && reader.isAtEnd
        case .ecdsa256: return isPoint(&reader, "nistp256", 32) && reader.isAtEnd
        case .ecdsa384: return isPoint(&reader, "nistp384", 48) && reader.isAtEnd
        case .ecdsa521: return isPoint(&reader, "nistp521", 66) && reader.isAtEnd
        case .securityKeyEd25519:
            return reader.string()?.count == 32 && reader.string()?.isEmpty == false && reader.isAtEnd
        case .securityKeyECDSA:
            return isPoint(&reader, "nistp256", 32) && reader.string()?.isEmpty == false && reader.isAtEnd
        }
    }

    /// Positive, minimal numbers; an odd exponent over 1; a modulus of a size that ssh takes.
    private static func isRSA(exponent: ArraySlice<UInt8>, modulus: ArraySlice<UInt8>) -> Bool {
        for number in [exponent, modulus] {
            guard let first = number.first, first < 0x80 else { return false }
            if first == 0 {
                guard let second = number.dropFirst().first, second >= 0x80 else { return false }
            }
        }
        guard let last = exponent.last, last % 2 == 1, exponent.count > 1 || last > 1, exponent.count <= 9 else {
            return false
        }
        let digits = modulus.first == 0 ? modulus.dropFirst() : modulus
        guard let top = digits.first, let low = digits.last, low % 2 == 1 else { return false }
        let bits = digits.count * 8 - top.leadingZeroBitCount
        return (minimumModulusBits...maximumModulusBits).contains(bits)
    }

    /// An uncompressed point: the byte 4, then both coordinates.
    private static func isPoint(_ reader: inout SSHReader, _ curve: String, _ coordinateByteCount: Int) -> Bool {
        guard let name = reader.string(), name.elementsEqual(curve.utf8), let point = reader.string() else {
            return false
        }
        return point.first == 4 && point.count == 1 + 2 * coordinateByteCount
    }

    static func string(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let count = UInt32(bytes.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + bytes
    }

    /// A positive number in SSH's form: no needless zero, one where the sign bit would be set.
    static func number(_ bigEndian: [UInt8]) -> [UInt8] {
        let digits = bigEndian.drop { $0 == 0 }
        return string((digits.first ?? 0) >= 0x80 ? [0] + digits : Array(digits))
    }
}

private struct SSHReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func string() -> ArraySlice<UInt8>? {
        guard rest.count >= 4 else { return nil }
        let count = Int(rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        guard rest.count - 4 >= count else { return nil }
        let start = rest.startIndex + 4
        defer { rest = rest[(start + count)...] }
        return rest[start..<(start + count)]
    }
}
