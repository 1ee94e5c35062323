// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit
import Synchronization

/// Passwords that were right a moment ago, so that a script that signs in a hundred times hashes once.
///
/// Kept are HMACs under a key that lives and dies with the process, over who, the stored hash and the password: none
/// can be found in it without guessing through this process, and a changed password is forgotten with its hash. A
/// wrong password is never in it, so each guess costs a full bcrypt.
package final class LoginMemory: Sendable {
    private static let capacity = 4096

    private let key = SecureRandom.bytes(32)
    private let lifetime: Duration
    private let expiries = Mutex<[[UInt8]: Timestamp]>([:])

    package init(lifetime: Duration) { self.lifetime = lifetime }

    func remembers(_ subject: String, _ password: Secret, _ hash: String, at now: Timestamp) -> Bool {
        let mark = mark(subject, password, hash)
        return expiries.withLock { expiries in
            guard let expiry = expiries[mark] else { return false }
            if expiry > now { return true }
            expiries[mark] = nil
            return false
        }
    }

    func remember(_ subject: String, _ password: Secret, _ hash: String, at now: Timestamp) {
        let mark = mark(subject, password, hash)
        expiries.withLock { expiries in
            if expiries.count >= Self.capacity {
                expiries = expiries.filter { $0.value > now }
                if expiries.count >= Self.capacity { expiries.removeAll(keepingCapacity: true) }
            }
            expiries[mark] = now + lifetime
        }
    }

    /// Parts go in with their lengths, so that no two triples make one text.
    private func mark(_ subject: String, _ password: Secret, _ hash: String) -> [UInt8] {
        var message: [UInt8] = []
        for part in [subject, hash, password.reveal()] {
            let count = UInt32(part.utf8.count)
            for shift in [24, 16, 8, 0] as [UInt32] { message.append(UInt8(truncatingIfNeeded: count >> shift)) }
            message += part.utf8
        }
        return HMAC.sha256(key: key, message)
    }
}

/// Checks passwords and secrets against their stored hashes.
struct PasswordVerifier: Sendable {
    let hasher: PasswordHasher
    let memory: LoginMemory
    let clock: WallClock

    /// With nil for `hash` (nobody of that name, or nobody with a password): false, as late as for a wrong password.
    func verify(_ password: Secret, _ hash: String?, of subject: String) async throws -> Bool {
        guard let hash else {
            try await hasher.verifyNothing(password)
            return false
        }
        if memory.remembers(subject, password, hash, at: clock.now()) { return true }
        guard try await hasher.verify(password, hash) else { return false }
        memory.remember(subject, password, hash, at: clock.now())
        return true
    }
}
