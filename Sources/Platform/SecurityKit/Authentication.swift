// SPDX-License-Identifier: Apache-2.0
import COpenSSL

/// Keyed digests (RFC 2104).
package enum HMAC {
    package static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] { compute(.sha256, key, message) }

    package static func sha1(key: [UInt8], _ message: [UInt8]) -> [UInt8] { compute(.sha1, key, message) }

    package static func sha512(key: [UInt8], _ message: [UInt8]) -> [UInt8] { compute(.sha512, key, message) }

    private static func compute(_ algorithm: DigestAlgorithm, _ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: algorithm.byteCount) { buffer, used in
            var written: UInt32 = 0
            // SAFETY: the three buffers live through the call; the output has room for the digest.
            let result = key.withUnsafeBytes { key in
                message.withUnsafeBufferPointer { message in
                    COpenSSL.HMAC(
                        algorithm.function, key.baseAddress ?? UnsafeRawPointer(buffer.baseAddress), Int32(key.count),
                        message.baseAddress, message.count, buffer.baseAddress, &written)
                }
            }
            precondition(result != nil, "HMAC is not available")
            used = Int(written)
        }
    }
}

/// Whether two secrets are equal, in a time that tells only whether their lengths are.
package func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    guard !left.isEmpty else { return true }
    // SAFETY: both buffers hold `left.count` bytes.
    return left.withUnsafeBytes { left in
        right.withUnsafeBytes { right in CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0 }
    }
}

package enum SecureRandom {
    /// `count` bytes that nobody can predict.
    package static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            // Going on without randomness would hand out guessable secrets.
            precondition(RAND_bytes(buffer.baseAddress, Int32(count)) == 1, "no source of randomness")
            used = count
        }
    }

    /// A secret that fits into a URL or a header: `byteCount` random bytes in URL-safe Base64 without padding.
    package static func text(byteCount: Int) -> String { Base64.encode(bytes(byteCount), .urlSafe, padded: false) }
}
