// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// The signature of a temporary URL or of a form: which digest, and its value.
package struct TempURLSignature: Sendable, Equatable {
    package enum Algorithm: String, Sendable, CaseIterable {
        case sha1, sha256, sha512

        package func sign(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
            switch self {
            case .sha1: HMAC.sha1(key: key, message)
            case .sha256: HMAC.sha256(key: key, message)
            case .sha512: HMAC.sha512(key: key, message)
            }
        }
    }

    package let algorithm: Algorithm
    private let value: [UInt8]

    /// Of hexadecimal digits, whose number tells the digest, or `sha512:` and Base64.
    package init?(_ text: String) {
        if let colon = text.firstIndex(ofByte: ":") {
            guard let algorithm = Algorithm(rawValue: String(text[..<colon])) else { return nil }
            var digits = text.text(after: colon).dropping(leading: "=")
            while let rest = digits.removing(byteSuffix: "=") { digits = rest }
            let isURLSafe = digits.containsByte("-") || digits.containsByte("_")
            guard let value = Base64.decode(String(digits), isURLSafe ? .urlSafe : .standard, padded: false) else {
                return nil
            }
            (self.algorithm, self.value) = (algorithm, value)
        } else {
            guard let value = Hex.decode(text) else { return nil }
            switch value.count {
            case 20: algorithm = .sha1
            case 32: algorithm = .sha256
            case 64: algorithm = .sha512
            default: return nil
            }
            self.value = value
        }
    }

    /// In a time that says nothing of how much was right.
    package func signs(_ message: String, key: String) -> Bool {
        isEqualInConstantTime(value, algorithm.sign(key: Array(key.utf8), Array(message.utf8)))
    }

    /// What is signed for one method. `path` is `/v1/account/container/object`, or `prefix:` and a path.
    package static func message(method: String, expires: Int64, path: String, addresses: String?) -> String {
        let lines = [method, String(expires), path]
        return ((addresses.map { ["ip=" + $0] } ?? []) + lines).joined(separator: "\n")
    }

    /// Seconds since 1970, or ISO 8601 in UTC; nil for anything else.
    package static func expiry(_ text: String) -> Int64? {
        Int64(text) ?? (text.utf8.count == 20 && text.hasByteSuffix("Z") ? Timestamp(iso8601: text)?.seconds : nil)
    }

    /// Names in metadata that hold a key.
    package static func keys(_ header: (String) -> String?, kind: String) -> [String] {
        ["temp-url-key", "temp-url-key-2"].compactMap { header("x-\(kind)-meta-\($0)") }
    }
}
