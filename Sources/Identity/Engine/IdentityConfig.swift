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

    @ConfigOption(
        "An expression that new passwords must match from their beginning; empty: none.",
        bounds: "a regular expression", check: { PasswordPolicy.isRequirement($0) })
    package var passwordRegex = ""
    @ConfigOption("What that expression asks for, in words for users.", length: 0...1024)
    package var passwordRegexDescription = ""
    @ConfigOption(
        "How long a password is good for; zero: for ever.", range: .zero...(.seconds(3650 * 86_400)))
    package var passwordLifetime: Duration = .zero
    @ConfigOption(
        "How long users keep a password that they chose before they change it again.",
        range: .zero...(.seconds(3650 * 86_400)))
    package var passwordMinimumAge: Duration = .zero
    @ConfigOption("How many of a user's newest passwords the next one must differ from.", range: 0...100)
    package var passwordHistory = 0
    @ConfigOption("Whether users change a password that an administrator set before they use it.")
    package var passwordChangeAtFirstUse = false
    @ConfigOption("Wrong passwords after which an account is locked; zero: it never is.", range: 0...1_000_000)
    package var lockoutFailures = 0
    @ConfigOption("How long an account stays locked.", range: .seconds(1)...(.seconds(365 * 86_400)))
    package var lockoutDuration: Duration = .seconds(1800)
    @ConfigOption(
        "How long nobody may sign in to an account before it is disabled; zero: for ever.",
        range: .zero...(.seconds(3650 * 86_400)))
    package var accountInactivity: Duration = .zero
    @ConfigOption(
        "How long the methods that were shown count towards a sign-in with several.",
        range: .seconds(10)...(.seconds(3600)))
    package var receiptLifetime: Duration = .seconds(300)
    @ConfigOption("How many one-time passcodes before the present one are taken, too.", range: 0...10)
    package var passcodeWindows = 1
    @ConfigOption("How long a request for OAuth access may be authorized.", range: .zero...(.seconds(30 * 86_400)))
    package var oauthRequestLifetime: Duration = .seconds(28_800)
    @ConfigOption(
        "How long an OAuth access token is good for; zero: for ever.", range: .zero...(.seconds(3650 * 86_400)))
    package var oauthAccessLifetime: Duration = .seconds(86_400)
    @ConfigOption(
        "The name that tokens of OpenID providers must be for; empty: nobody signs in by them.", length: 0...1024)
    package var openIDAudience = ""
    @ConfigOption(
        "OpenID providers that may be believed, each as issuer=/path of its JSON Web Key Set.",
        bounds: "issuer=/absolute/path", check: { IdentityConfig.issuers($0) != nil })
    package var openIDIssuers: [String] = []
    @ConfigOption("Whether the limits of a project stay within its parent's.")
    package var limitsAreHierarchical = false

    package init() {}

    /// Issuers with the files of their keys; nil when one is not of the form.
    package static func issuers(_ entries: [String]) -> [String: String]? {
        var issuers: [String: String] = [:]
        for entry in entries {
            // An issuer is a URL, and may have a `=` itself.
            let ends = entry.indices.filter { entry[$0] == "=" && entry[entry.index(after: $0)...].hasPrefix("/") }
            guard let end = ends.last, end > entry.startIndex else { return nil }
            let path = String(entry[entry.index(after: end)...])
            guard issuers.updateValue(path, forKey: String(entry[..<end])) == nil else { return nil }
        }
        return issuers
    }
}
