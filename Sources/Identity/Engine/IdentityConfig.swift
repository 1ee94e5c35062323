// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What an operator may set of Identity.
package struct IdentityConfig: Sendable {
    /// How long a token is good for (keystone: `[token] expiration`).
    package var tokenLifetime: Duration = .seconds(3600)
    /// How long an expired token still shows itself to a service that finishes a long operation
    /// (keystone: `[token] allow_expired_window`).
    package var expiredTokenWindow: Duration = .seconds(172_800)
    /// The work factor of new password hashes.
    package var passwordCost = 12
    /// Threads that hash passwords.
    package var passwordThreads = 2
    /// How long a password that was right is known to be right without hashing it again.
    package var loginMemory: Duration = .seconds(300)
    /// Tokens whose meaning is kept in memory.
    package var tokenCacheSize = 4096
    /// A token key makes tokens for this long; then a new one does.
    package var keyLifetime: Duration = .seconds(7 * 86_400)

    package init() {}
}
