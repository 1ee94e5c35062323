// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The arithmetic of AWS's signature version 4; what is signed is the caller's business.
package enum SignatureV4 {
    package static let algorithm = "AWS4-HMAC-SHA256"
    package static let terminal = "aws4_request"

    /// What one day's requests to one service of one region are signed with.
    package static func key(secret: Secret, date: String, region: String, service: String) -> [UInt8] {
        var key = HMAC.sha256(key: Array(("AWS4" + secret.reveal()).utf8), Array(date.utf8))
        for part in [region, service, terminal] { key = HMAC.sha256(key: key, Array(part.utf8)) }
        return key
    }

    /// 64 hexadecimal digits.
    package static func sign(_ text: String, key: [UInt8]) -> String {
        Hex.encode(HMAC.sha256(key: key, Array(text.utf8)))
    }

    /// `20150830T123600Z`: a time in the form that signatures have. Nil for any other.
    package static func time(_ text: String) -> Timestamp? {
        let digits = Array(text.utf8)
        guard digits.count == 16, digits[8] == UInt8(ascii: "T"), digits[15] == UInt8(ascii: "Z") else { return nil }
        func part(_ range: Range<Int>) -> String { String(decoding: digits[range], as: UTF8.self) }
        return Timestamp(
            iso8601: "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z")
    }

    /// The reverse of `time`.
    package static func text(_ time: Timestamp) -> String {
        time.iso8601().filter { $0 != "-" && $0 != ":" }
    }
}
