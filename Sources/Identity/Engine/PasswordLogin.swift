// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Signs users in by their passwords, and locks the account of one that somebody guesses at.
struct PasswordLogin: Sendable {
    let database: IdentityDatabase
    let verifier: PasswordVerifier
    let policy: PasswordPolicy
    let clock: WallClock
    let directory: DirectoryEngine?
    private let resolver = AccessResolver()
    private static let activityPrecision: Duration = .seconds(86_400)

    init(
        database: IdentityDatabase, verifier: PasswordVerifier, policy: PasswordPolicy, clock: WallClock,
        directory: DirectoryEngine?
    ) {
        self.database = database
        self.verifier = verifier
        self.policy = policy
        self.clock = clock
        self.directory = directory
    }

    /// Throws `.unauthorized`, one and the same, when the password is wrong, the account is locked, or there is none.
    ///
    /// Whether the user is enabled and the password has come to its end are the caller's to judge.
    func check(_ reference: AuthRequest.UserReference, _ password: Secret) async throws -> (User, StoredPassword) {
        let resolver = resolver
        if let directory, let domain = try await directory.domain(of: reference) {
            return try await directory.signIn(reference, of: domain, password)
        }
        let found = try await database.read { tx -> (User, StoredPassword)? in
            guard let user = try resolver.find(reference, tx), let stored = try resolver.users.password(of: user.id, tx)
            else { return nil }
            return (user, stored)
        }
        // A locked account, too, costs the time of a hash: an answer says nothing by when it comes.
        let isRight = try await verifier.verify(password, found?.1.hash, of: found?.0.id.rawValue ?? "")
        guard let (user, stored) = found else { throw IdentityError.unauthorized }
        guard policy.lockoutFailures != nil else {
            guard isRight else { throw IdentityError.unauthorized }
            try await noteActivity(user, stored)
            return (user, stored)
        }
        let judged = try await judge(user, isRight: isRight, stored)
        try await noteActivity(user, judged)
        return (user, judged)
    }

    /// Once a day at most; throws `.unauthorized` for an account that was unused too long, before it is disabled.
    private func noteActivity(_ user: User, _ stored: StoredPassword) async throws {
        guard policy.inactivity != nil else { return }
        let (users, now) = (resolver.users, clock.now())
        guard !policy.isInactive(since: stored.lastActiveAt, user.options, at: now) else {
            throw IdentityError.unauthorized
        }
        if let last = stored.lastActiveAt, now < last + Self.activityPrecision { return }
        try await database.note { try users.recordActivity(of: user.id, at: now, $0) }
    }

    /// The failures are read again after the hash: of many guesses at once, those after the last allowed one are void.
    private func judge(_ user: User, isRight: Bool, _ old: StoredPassword) async throws -> StoredPassword {
        let (users, policy, now) = (resolver.users, policy, clock.now())
        guard !policy.isLocked(old, user.options, at: now) else { throw IdentityError.unauthorized }
        guard isRight else {
            try await database.note { tx in
                guard let stored = try users.password(of: user.id, tx) else { return }
                // A lock that has ended is forgotten with the first try after it.
                if let limit = policy.lockoutFailures, stored.failures >= limit,
                    !policy.isLocked(stored, user.options, at: now)
                {
                    try users.forgetFailures(of: user.id, tx)
                }
                try users.recordFailure(of: user.id, at: now, tx)
            }
            throw IdentityError.unauthorized
        }
        guard let stored = try await database.read({ try users.password(of: user.id, $0) }), stored.hash == old.hash,
            !policy.isLocked(stored, user.options, at: now)
        else { throw IdentityError.unauthorized }
        if stored.failures > 0 { try await database.note { try users.forgetFailures(of: user.id, $0) } }
        return stored
    }
}
