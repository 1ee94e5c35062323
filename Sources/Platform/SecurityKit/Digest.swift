// SPDX-License-Identifier: Apache-2.0
import BaseKit
import COpenSSL

package enum DigestAlgorithm: String, Sendable, CaseIterable {
    case md5, sha1, sha256, sha512

    package var byteCount: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    // Constant for the life of the process, owned by OpenSSL.
    var function: OpaquePointer? {
        switch self {
        case .md5: EVP_md5()
        case .sha1: EVP_sha1()
        case .sha256: EVP_sha256()
        case .sha512: EVP_sha512()
        }
    }
}

/// A digest over bytes that arrive piece by piece. A value: a copy goes its own way from where it was made.
package struct Digest: Sendable {
    package let algorithm: DigestAlgorithm
    private var state: DigestState

    package init(_ algorithm: DigestAlgorithm) {
        self.algorithm = algorithm
        state = DigestState(algorithm)
    }

    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    package mutating func update(_ bytes: ArraySlice<UInt8>) { bytes.withUnsafeBytes { update($0) } }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if !isKnownUniquelyReferenced(&state) { state = DigestState(copying: state) }
        state.update(bytes)
    }

    /// The digest of everything so far. More may follow.
    package func finish() -> [UInt8] { DigestState(copying: state).finish(count: algorithm.byteCount) }

    /// The digest in lower-case hexadecimal digits.
    package func hex() -> String { Hex.encode(finish()) }

    package static func of(_ bytes: [UInt8], _ algorithm: DigestAlgorithm) -> [UInt8] {
        var digest = Digest(algorithm)
        digest.update(bytes)
        return digest.finish()
    }
}

private final class DigestState: @unchecked Sendable {
    // SAFETY: the context is written only by `update` and `finish`. `Digest` calls `update` on a state that no other
    // value refers to, and `finish` on a fresh copy; copying only reads.
    private let context: OpaquePointer

    init(_ algorithm: DigestAlgorithm) {
        guard let context = EVP_MD_CTX_new() else { fatalError("out of memory") }
        self.context = context
        precondition(EVP_DigestInit_ex(context, algorithm.function, nil) == 1, "\(algorithm) is not available")
    }

    init(copying other: DigestState) {
        guard let context = EVP_MD_CTX_new() else { fatalError("out of memory") }
        self.context = context
        precondition(EVP_MD_CTX_copy_ex(context, other.context) == 1, "cannot copy a digest")
    }

    deinit { EVP_MD_CTX_free(context) }

    func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        precondition(EVP_DigestUpdate(context, start, bytes.count) == 1, "cannot update a digest")
    }

    func finish(count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            var written: UInt32 = 0
            precondition(EVP_DigestFinal_ex(context, buffer.baseAddress, &written) == 1, "cannot finish a digest")
            used = Int(written)
        }
    }
}
