// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CCrypt
import LifecycleKit

/// Hashes and verifies passwords with bcrypt, on threads of its own: one hash takes a quarter of a second of CPU.
///
/// A long queue answers `.unavailable` instead of growing, so that guessing at passwords cannot take the service down.
package final class PasswordHasher: Sendable {
    /// Upstream's default.
    package static let defaultCost = 12
    /// bcrypt reads no further; keystone cuts here, too (`verify_length_and_trunc_password`).
    package static let maximumByteCount = 72

    private let pool: BlockingPool
    private let cost: Int

    /// `cost` below the default is for tests.
    package init(threads: Int = 2, cost: Int = defaultCost, queueLimit: Int = 256) {
        precondition((4...16).contains(cost))
        self.cost = cost
        pool = BlockingPool("bcrypt", threads: threads, queueLimit: queueLimit)
    }

    /// A hash in `crypt(5)` form, `$2b$12$…`. Throws `.badRequest` for a password with a NUL, where C would cut it.
    package func hash(_ password: Secret) async throws -> String {
        let bytes = Array(password.reveal().utf8.prefix(Self.maximumByteCount))
        guard !bytes.contains(0) else { throw CloudError.badRequest("A password cannot contain a NUL character.") }
        let cost = cost
        return try await pool.run {
            guard let setting = Crypt.bcryptSetting(cost: cost), let hash = Crypt.hash(bytes, setting) else {
                throw CloudError(.bug, "The password could not be hashed.", cause: "crypt(3) has no bcrypt")
            }
            return hash
        }
    }

    /// Whether `password` is what `hash` was made from.
    package func verify(_ password: Secret, _ hash: String) async throws -> Bool {
        let bytes = Array(password.reveal().utf8.prefix(Self.maximumByteCount))
        let hasNUL = bytes.contains(0)
        return try await pool.run {
            guard let computed = Crypt.hash(hasNUL ? [] : bytes, hash) else { return false }
            return isEqualInConstantTime(Array(computed.utf8), Array(hash.utf8)) && !hasNUL
        }
    }

    /// Takes the time of a `verify` that fails: for a user that does not exist, so that its answer is as late.
    package func verifyNothing(_ password: Secret) async throws {
        let bytes = Array(password.reveal().utf8.prefix(Self.maximumByteCount))
        let cost = cost
        try await pool.run {
            let hash = Crypt.bcryptSetting(cost: cost).flatMap { Crypt.hash(bytes.contains(0) ? [] : bytes, $0) }
            guard hash != nil else {
                throw CloudError(.bug, "The password could not be checked.", cause: "crypt(3) has no bcrypt")
            }
        }
    }
}

/// `crypt(3)` of the system (libxcrypt).
private enum Crypt {
    private static let prefixes = ["$2b$", "$2a$", "$2y$"]

    static func bcryptSetting(cost: Int) -> String? {
        let salt = SecureRandom.bytes(16).map { CChar(bitPattern: $0) }
        var output = [CChar](repeating: 0, count: 192)
        // SAFETY: both buffers live through the call, with their sizes; the result points into `output`.
        guard crypt_gensalt_rn("$2b$", UInt(cost), salt, Int32(salt.count), &output, Int32(output.count)) != nil else {
            return nil
        }
        return text(output)
    }

    /// Nil for a hash that is not bcrypt's, and for a malformed one.
    static func hash(_ password: [UInt8], _ setting: String) -> String? {
        guard prefixes.contains(where: setting.hasPrefix) else { return nil }
        let phrase = password.map { CChar(bitPattern: $0) } + [0]
        // 32 KiB: too much for the stack of a thread that someone else sized.
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<crypt_data>.size, alignment: 16)
        defer {
            // It held the password.
            scratch.initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<crypt_data>.size)
            scratch.deallocate()
        }
        scratch.initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<crypt_data>.size)
        // SAFETY: `scratch` has the size that the library asks for and belongs to this call alone; the result points
        // into it and is copied before it goes.
        guard let result = crypt_rn(phrase, setting, scratch, Int32(MemoryLayout<crypt_data>.size)) else { return nil }
        return String(cString: result)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
