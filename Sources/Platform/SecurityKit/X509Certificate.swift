// SPDX-License-Identifier: Apache-2.0
import BaseKit
import COpenSSL

/// A certificate that a user signs in with, as its PEM says it: for WinRM, which takes no ssh keys.
package struct X509Certificate: Sendable {
    /// Longer ones are refused before they are decoded.
    package static let maximumByteCount = 16_384

    /// As sent, or as made.
    package let pem: String
    /// `1e:2c:…`: the SHA-1 digest of the certificate, as nova prints it.
    package let fingerprint: String

    /// Throws `.badRequest` for anything but one certificate.
    package init(_ pem: String) throws {
        guard pem.utf8.count <= Self.maximumByteCount, let certificate = Self.read(pem) else {
            ERR_clear_error()
            throw CloudError.badRequest(
                "Keypair data is invalid: failed to generate X509 fingerprint. Error message: Unable to load PEM file.",
                kind: "InvalidKeypair")
        }
        defer { X509_free(certificate) }
        self.pem = pem
        fingerprint = try Self.fingerprint(of: certificate)
    }

    private static func read(_ pem: String) -> OpaquePointer? {
        let bytes = Array(pem.utf8)
        // SAFETY: the buffer lives as long as the BIO, which only reads it.
        return bytes.withUnsafeBytes { buffer in
            guard let memory = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count)) else { return nil }
            defer { BIO_free_all(memory) }
            return PEM_read_bio_X509(memory, nil, nil, nil)
        }
    }

    fileprivate static func fingerprint(of certificate: OpaquePointer) throws -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        // SAFETY: the buffer has room for the longest digest.
        guard X509_digest(certificate, EVP_sha1(), &digest, &count) == 1 else { throw openSSLFailure("digest") }
        return digest.prefix(Int(count)).map { Hex.encode([$0]) }.joined(separator: ":")
    }
}

/// A new key with a certificate of its own for signing in, as nova makes it: the private half goes to its owner once
/// and is kept nowhere.
package struct X509KeyPair: Sendable {
    /// nova: `crypto.generate_winrm_x509_cert(bits=2048)`.
    private static let days = 3650
    private static let serialBits: Int32 = 159
    /// RFC 5280: `ub-common-name`.
    private static let maximumNameBytes = 64
    /// Where Windows looks for the user's name.
    private static let userPrincipalName = "1.3.6.1.4.1.311.20.2.3"

    package let certificate: X509Certificate
    /// PKCS #12 without a password, in base64.
    package let privateKey: Secret

    /// Takes tens of milliseconds of CPU: call it off the cooperative pool.
    package static func generate(user: String) throws -> X509KeyPair {
        let key = try generateKey()
        defer { EVP_PKEY_free(key) }
        guard let certificate = X509_new() else { throw openSSLFailure("new certificate") }
        defer { X509_free(certificate) }
        try fill(certificate, key, user)
        try addExtensions(to: certificate, user)
        guard X509_sign(certificate, key, EVP_sha256()) > 0 else { throw openSSLFailure("sign") }
        let pem = try text { PEM_write_bio_X509($0, certificate) }
        return X509KeyPair(
            certificate: try X509Certificate(String(decoding: pem, as: UTF8.self)),
            privateKey: Secret(Base64.encode(try bundle(key, certificate))))
    }

    private static func generateKey() throws -> OpaquePointer {
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil) else { throw openSSLFailure("new context") }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1,
            EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(SSHKeyPair.rsaBits)) == 1,
            EVP_PKEY_keygen(context, &key) == 1, let key
        else { throw openSSLFailure("generate RSA") }
        return key
    }

    private static func fill(_ certificate: OpaquePointer, _ key: OpaquePointer, _ user: String) throws {
        guard let serial = BN_new() else { throw openSSLFailure("new number") }
        defer { BN_free(serial) }
        let name = Array(user.utf8.prefix(maximumNameBytes))
        guard X509_set_version(certificate, 2) == 1,
            BN_rand(serial, serialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1,
            BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != nil,
            X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != nil,
            X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86_400) != nil,
            X509_set_pubkey(certificate, key) == 1, let subject = X509_get_subject_name(certificate),
            X509_NAME_add_entry_by_NID(
                subject, NID_commonName, MBSTRING_UTF8, name, Int32(name.count), -1, 0) == 1,
            X509_set_issuer_name(certificate, subject) == 1
        else { throw openSSLFailure("fill the certificate") }
    }

    /// For signing in alone, by the user's name. Made of values and not of OpenSSL's configuration text, which a name
    /// could break out of.
    private static func addExtensions(to certificate: OpaquePointer, _ user: String) throws {
        guard let usage = X509V3_EXT_conf_nid(nil, nil, NID_ext_key_usage, "clientAuth") else {
            throw openSSLFailure("key usage")
        }
        defer { X509_EXTENSION_free(usage) }
        let name = Array("\(user)@localhost".utf8)
        guard X509_add_ext(certificate, usage, -1) == 1, let text = ASN1_UTF8STRING_new(),
            ASN1_STRING_set(text, name, Int32(name.count)) == 1, let value = ASN1_TYPE_new()
        else { throw openSSLFailure("user's name") }
        // From here on each owns what it is given.
        ASN1_TYPE_set(value, V_ASN1_UTF8STRING, UnsafeMutableRawPointer(text))
        guard let general = GENERAL_NAME_new(), let names = OPENSSL_sk_new_null() else {
            ASN1_TYPE_free(value)
            throw openSSLFailure("alternative name")
        }
        defer { OPENSSL_sk_free(names) }
        defer { GENERAL_NAME_free(general) }
        guard GENERAL_NAME_set0_othername(general, OBJ_txt2obj(userPrincipalName, 1), value) == 1,
            OPENSSL_sk_push(names, UnsafeRawPointer(general)) > 0,
            X509_add1_ext_i2d(certificate, NID_subject_alt_name, UnsafeMutableRawPointer(names), 0, 0) == 1
        else { throw openSSLFailure("alternative name") }
    }

    private static func bundle(_ key: OpaquePointer, _ certificate: OpaquePointer) throws -> [UInt8] {
        guard let bundle = PKCS12_create("", nil, key, certificate, nil, 0, 0, 0, 0, 0) else {
            throw openSSLFailure("PKCS #12")
        }
        defer { PKCS12_free(bundle) }
        return try text { i2d_PKCS12_bio($0, bundle) }
    }

    private static func text(_ write: (OpaquePointer) -> Int32) throws -> [UInt8] {
        guard let memory = BIO_new(BIO_s_secmem()) else { throw openSSLFailure("new buffer") }
        defer { BIO_free_all(memory) }
        guard write(memory) == 1 else { throw openSSLFailure("write") }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        // SAFETY: the buffer lives through the call, with its size.
        let count = BIO_read(memory, &bytes, Int32(bytes.count))
        guard count > 0 else { throw openSSLFailure("read") }
        return Array(bytes.prefix(Int(count)))
    }
}
