// SPDX-License-Identifier: Apache-2.0
import BaseKit
import COpenSSL

/// AES with a 128-bit key in cipher block chaining, with PKCS #7 padding.
package enum AES128CBC {
    package static let keyByteCount = 16
    package static let blockByteCount = 16

    package static func encrypt(_ plain: [UInt8], key: [UInt8], iv: [UInt8]) throws -> [UInt8] {
        guard let result = run(plain, key, iv, encrypts: true) else { throw openSSLFailure("encrypt") }
        return result
    }

    /// Nil when the padding is wrong. Authenticate before you decrypt: the difference helps who forges.
    package static func decrypt(_ cipher: [UInt8], key: [UInt8], iv: [UInt8]) -> [UInt8]? {
        guard !cipher.isEmpty, cipher.count.isMultiple(of: blockByteCount) else { return nil }
        let result = run(cipher, key, iv, encrypts: false)
        if result == nil { ERR_clear_error() }
        return result
    }

    private static func run(_ input: [UInt8], _ key: [UInt8], _ iv: [UInt8], encrypts: Bool) -> [UInt8]? {
        precondition(key.count == keyByteCount && iv.count == blockByteCount)
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        guard EVP_CipherInit_ex(context, EVP_aes_128_cbc(), nil, key, iv, encrypts ? 1 : 0) == 1 else { return nil }
        // SAFETY: the output has room for the input and one block, which is all that both calls may write.
        var output = [UInt8](repeating: 0, count: input.count + blockByteCount)
        var written: Int32 = 0
        var last: Int32 = 0
        let succeeded = output.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress,
                EVP_CipherUpdate(context, start, &written, input, Int32(input.count)) == 1
            else { return false }
            return EVP_CipherFinal_ex(context, start + Int(written), &last) == 1
        }
        guard succeeded else { return nil }
        output.removeLast(output.count - Int(written + last))
        return output
    }
}
