// SPDX-License-Identifier: Apache-2.0
import BaseKit
import COpenSSL

/// A signed JSON Web Token (RFC 7519), as OpenID providers give them. What it says counts after `verify` alone.
package struct WebToken: Sendable {
    package static let maximumByteCount = 16_384

    private let algorithm: String
    private let keyID: String?
    private let signed: [UInt8]
    private let signature: [UInt8]
    private let unverified: [String: JSON]

    /// Nil for what is no signed token of that form.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard text.utf8.count <= Self.maximumByteCount, parts.count == 3,
            let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
            let signature = Base64.decode(parts[2], .urlSafe, padded: false),
            let algorithm = header["alg"]?.string, header["crit"] == nil
        else { return nil }
        self.algorithm = algorithm
        keyID = header["kid"]?.string
        signed = Array("\(parts[0]).\(parts[1])".utf8)
        self.signature = signature
        unverified = claims
    }

    /// Whose keys to look for. Nothing else may be taken from a token that was not verified.
    package var claimedIssuer: String? { unverified["iss"]?.string }

    /// The claims, or nil when none of `keys` signed them.
    package func verify(_ keys: WebKeySet) throws -> [String: JSON]? {
        for key in keys.keys where keyID == nil || key.id == nil || key.id == keyID {
            if try key.verify(signed, signature, algorithm: algorithm) { return unverified }
        }
        return nil
    }

    private static func object(_ part: String) -> [String: JSON]? {
        guard let bytes = Base64.decode(part, .urlSafe, padded: false) else { return nil }
        do { return try JSONReader.read(bytes).object } catch { return nil }
    }
}

/// Public keys of a provider (RFC 7517). Keys of kinds that are not known are left out, as the RFC asks.
package struct WebKeySet: Sendable {
    let keys: [WebKey]

    /// Nil when it is no key set, or has no key that could be used.
    package init?(_ json: JSON) {
        keys = (json["keys"]?.array ?? []).compactMap { WebKey($0) }
        guard !keys.isEmpty else { return nil }
    }
}

/// One public key for signatures. Which algorithms it may be used with is the key's to say, never the token's.
struct WebKey: Sendable {
    private enum Kind { case rsa, p256 }

    let id: String?
    private let kind: Kind
    private let algorithm: String?
    /// `SubjectPublicKeyInfo`.
    private let der: [UInt8]

    private static let minimumRSABytes = 256
    private static let coordinateBytes = 32
    private static let rsaAlgorithm: [UInt8] = [
        0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
    ]
    private static let p256Algorithm: [UInt8] = [
        0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
        0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07,
    ]

    init?(_ json: JSON) {
        guard json["use"]?.string ?? "sig" == "sig" else { return nil }
        func bytes(_ name: String) -> [UInt8]? {
            json[name]?.string.flatMap { Base64.decode($0, .urlSafe, padded: false) }
        }
        switch json["kty"]?.string {
        case "RSA":
            guard let modulus = bytes("n"), let exponent = bytes("e"), modulus.count >= Self.minimumRSABytes else {
                return nil
            }
            let numbers = Self.tagged(0x30, Self.integer(modulus) + Self.integer(exponent))
            (kind, der) = (.rsa, Self.tagged(0x30, Self.rsaAlgorithm + Self.tagged(0x03, [0] + numbers)))
        case "EC":
            guard json["crv"] == "P-256", let x = bytes("x"), let y = bytes("y"), x.count == Self.coordinateBytes,
                y.count == Self.coordinateBytes
            else { return nil }
            (kind, der) = (.p256, Self.tagged(0x30, Self.p256Algorithm + Self.tagged(0x03, [0, 4] + x + y)))
        default: return nil
        }
        id = json["kid"]?.string
        algorithm = json["alg"]?.string
    }

    func verify(_ message: [UInt8], _ signature: [UInt8], algorithm name: String) throws -> Bool {
        guard algorithm == nil || algorithm == name else { return false }
        switch (kind, name) {
        case (.rsa, "RS256"): return try verify(message, signature, EVP_sha256())
        case (.rsa, "RS384"): return try verify(message, signature, EVP_sha384())
        case (.rsa, "RS512"): return try verify(message, signature, EVP_sha512())
        case (.p256, "ES256"):
            guard signature.count == 2 * Self.coordinateBytes else { return false }
            let (r, s) = (signature.prefix(Self.coordinateBytes), signature.suffix(Self.coordinateBytes))
            let sequence = Self.tagged(0x30, Self.integer(Array(r)) + Self.integer(Array(s)))
            return try verify(message, sequence, EVP_sha256())
        default: return false
        }
    }

    private func verify(_ message: [UInt8], _ signature: [UInt8], _ digest: OpaquePointer?) throws -> Bool {
        defer { ERR_clear_error() }
        // SAFETY: `d2i_PUBKEY` reads `der.count` bytes of the buffer and keeps none of them.
        let key = der.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_PUBKEY(nil, &start, buffer.count)
        }
        guard let key else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { throw openSSLFailure("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1 else { return false }
        // SAFETY: both buffers are read for the length of the call, by their counts.
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    // MARK: DER

    /// Of bytes that are a positive number, the greatest first.
    private static func integer(_ bytes: [UInt8]) -> [UInt8] {
        var digits = Array(bytes.drop { $0 == 0 })
        if digits.isEmpty || digits[0] >= 0x80 { digits.insert(0, at: 0) }
        return tagged(0x02, digits)
    }

    private static func tagged(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        if count < 0x80 { return [tag, UInt8(count)] + content }
        precondition(count <= 0xFFFF, "a key is that long")
        return [tag, 0x82, UInt8(count >> 8), UInt8(count & 0xFF)] + content
    }
}
