// SPDX-License-Identifier: Apache-2.0
import BaseKit
import COpenSSL

/// A new RSA key pair for ssh, as nova makes it: the private half goes to its owner once and is kept nowhere.
package struct SSHKeyPair: Sendable {
    /// nova: `crypto.generate_key_pair(bits=2048)`.
    package static let rsaBits = 2048

    package let publicKey: SSHPublicKey
    /// PEM, `BEGIN RSA PRIVATE KEY`.
    package let privateKey: Secret

    /// Takes tens of milliseconds of CPU: call it off the cooperative pool.
    package static func generateRSA(comment: String = "Generated-by-Nova") throws -> SSHKeyPair {
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil) else { throw openSSLFailure("new context") }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(rsaBits)) == 1,
            EVP_PKEY_keygen(context, &key) == 1, let key
        else { throw openSSLFailure("generate RSA") }
        defer { EVP_PKEY_free(key) }
        let blob =
            SSHKeyBlob.string(SSHPublicKey.Algorithm.rsa.rawValue.utf8)
            + SSHKeyBlob.number(try number("e", of: key)) + SSHKeyBlob.number(try number("n", of: key))
        return SSHKeyPair(
            publicKey: SSHPublicKey(algorithm: .rsa, blob: blob, comment: comment), privateKey: try pem(of: key))
    }

    private static func number(_ name: String, of key: OpaquePointer) throws -> [UInt8] {
        var number: OpaquePointer?
        guard EVP_PKEY_get_bn_param(key, name, &number) == 1, let number else { throw openSSLFailure("read number") }
        defer { BN_clear_free(number) }
        return [UInt8](unsafeUninitializedCapacity: Int(BN_num_bits(number) + 7) / 8) { buffer, used in
            // SAFETY: the buffer has the number's size in bytes.
            used = Int(BN_bn2bin(number, buffer.baseAddress))
        }
    }

    private static func pem(of key: OpaquePointer) throws -> Secret {
        guard let memory = BIO_new(BIO_s_secmem()) else { throw openSSLFailure("new buffer") }
        defer { BIO_free_all(memory) }
        guard PEM_write_bio_PrivateKey_traditional(memory, key, nil, nil, 0, nil, nil) == 1 else {
            throw openSSLFailure("write PEM")
        }
        var bytes = [UInt8](repeating: 0, count: 8192)
        // SAFETY: the buffer lives through the call, with its size.
        let count = BIO_read(memory, &bytes, Int32(bytes.count))
        guard count > 0 else { throw openSSLFailure("read PEM") }
        return Secret(String(decoding: bytes.prefix(Int(count)), as: UTF8.self))
    }
}
