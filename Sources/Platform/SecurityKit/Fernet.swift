// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A Fernet key: 16 bytes to sign, 16 bytes to encrypt.
package struct FernetKey: Sendable, Equatable {
    let signing: [UInt8]
    let encryption: [UInt8]

    /// Nil unless `text` is 32 bytes in URL-safe Base64.
    package init?(_ text: String) {
        guard let bytes = Base64.decode(text, .urlSafe), bytes.count == 32 else { return nil }
        signing = Array(bytes[..<16])
        encryption = Array(bytes[16...])
    }

    package init() {
        signing = SecureRandom.bytes(16)
        encryption = SecureRandom.bytes(16)
    }

    package var text: String { Base64.encode(signing + encryption, .urlSafe) }
}

/// Authenticated encryption in the Fernet format: version, time, initialization vector, cipher text, HMAC-SHA256.
package struct Fernet: Sendable {
    package struct Opened: Sendable, Equatable {
        package let payload: [UInt8]
        /// In whole seconds.
        package let createdAt: Timestamp
    }

    private static let version: UInt8 = 0x80
    private static let headerByteCount = 25
    private static let signatureByteCount = 32

    /// The first key makes new tokens; all of them open tokens.
    private let keys: [FernetKey]

    package init(keys: [FernetKey]) {
        precondition(!keys.isEmpty)
        self.keys = keys
    }

    /// `padded`: the format's own form ends in `=`; Identity leaves that out of a token.
    package func seal(_ payload: [UInt8], at time: Timestamp, padded: Bool = true) throws -> String {
        try seal(payload, at: time, iv: SecureRandom.bytes(AES128CBC.blockByteCount), padded: padded)
    }

    /// For the format's test vectors: a vector that repeats gives away what repeats.
    func seal(_ payload: [UInt8], at time: Timestamp, iv: [UInt8], padded: Bool) throws -> String {
        var token: [UInt8] = [Self.version]
        let seconds = UInt64(bitPattern: time.seconds)
        for shift in stride(from: 56, through: 0, by: -8) { token.append(UInt8(truncatingIfNeeded: seconds >> shift)) }
        token += iv
        token += try AES128CBC.encrypt(payload, key: keys[0].encryption, iv: iv)
        token += HMAC.sha256(key: keys[0].signing, token)
        return Base64.encode(token, .urlSafe, padded: padded)
    }

    /// The payload, or nil when no key made this token. Its age is the caller's to judge.
    package func open(_ token: String, padded: Bool = true) -> Opened? {
        guard let bytes = Base64.decode(token, .urlSafe, padded: padded), bytes.first == Self.version,
            bytes.count >= Self.headerByteCount + AES128CBC.blockByteCount + Self.signatureByteCount
        else { return nil }
        let signed = Array(bytes[..<(bytes.count - Self.signatureByteCount)])
        let signature = Array(bytes[(bytes.count - Self.signatureByteCount)...])
        guard let key = keys.first(where: { isEqualInConstantTime(HMAC.sha256(key: $0.signing, signed), signature) })
        else { return nil }
        let seconds = bytes[1..<9].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard seconds < 1 << 40,
            let payload = AES128CBC.decrypt(
                Array(signed[Self.headerByteCount...]), key: key.encryption,
                iv: Array(bytes[9..<Self.headerByteCount]))
        else { return nil }
        return Opened(payload: payload, createdAt: Timestamp(seconds: Int64(seconds)))
    }
}
