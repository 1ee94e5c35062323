// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit

/// What an operator may set of Identity.
package struct IdentityConfig: ConfigSection {
    package static let section = "identity"
    package static let title = "Identity: accounts and tokens"

    @ConfigOption("How long a token is good for.", range: .seconds(60)...(.seconds(30 * 86_400)))
    package var tokenLifetime: Duration = .seconds(3600)
    @ConfigOption(
        "How long an expired token still shows itself to a service that finishes a long operation.",
        range: .zero...(.seconds(30 * 86_400)))
    package var expiredTokenWindow: Duration = .seconds(172_800)
    @ConfigOption(
        "A token key makes tokens for this long; then a new one does.",
        range: .seconds(3600)...(.seconds(365 * 86_400)))
    package var keyLifetime: Duration = .seconds(7 * 86_400)
    @ConfigOption("The work factor of new password hashes: each step doubles the work.", range: 4...16)
    package var passwordCost = 12
    @ConfigOption("Threads that hash passwords.", range: 1...64)
    package var passwordThreads = 2
    @ConfigOption(
        "How long a password that was right is known to be right without hashing it again.",
        range: .zero...(.seconds(3600)))
    package var loginMemory: Duration = .seconds(300)
    @ConfigOption("Tokens whose meaning is kept in memory.", range: 16...1_000_000)
    package var tokenCacheSize = 4096

    package init() {}
}
