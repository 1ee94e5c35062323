// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PatternKit

/// What an operator asks of passwords, and of who gets them wrong (keystone: `[security_compliance]`).
struct PasswordPolicy: Sendable {
    /// Nil: any text will do.
    var regex: String?
    var regexDescription = ""
    /// Nil: for ever.
    var lifetime: Duration?
    var minimumAge: Duration = .zero
    /// How many of the newest passwords the next one must differ from.
    var history = 0
    var changesAtFirstUse = false
    /// Nil: accounts are not locked.
    var lockoutFailures: Int?
    var lockoutDuration: Duration = .seconds(1800)
    /// Accounts that nobody signs in to for this long are disabled; nil: they are not.
    var inactivity: Duration?

    init() {}

    init(_ config: IdentityConfig) {
        regex = config.passwordRegex.isEmpty ? nil : config.passwordRegex
        regexDescription = config.passwordRegexDescription
        lifetime = config.passwordLifetime == .zero ? nil : config.passwordLifetime
        minimumAge = config.passwordMinimumAge
        history = config.passwordHistory
        changesAtFirstUse = config.passwordChangeAtFirstUse
        lockoutFailures = config.lockoutFailures == 0 ? nil : config.lockoutFailures
        lockoutDuration = config.lockoutDuration
        inactivity = config.accountInactivity == .zero ? nil : config.accountInactivity
    }

    /// Whether `text` may be the rule; empty is none.
    static func isRequirement(_ text: String) -> Bool {
        do {
            _ = try TextPattern(text, .fromStart)
            return true
        } catch {
            return text.isEmpty
        }
    }

    /// Throws `.badRequest` for a password that does not match.
    func check(_ password: Secret) throws {
        guard let regex else { return }
        guard try TextPattern(regex, .fromStart).compiled().matches(password.reveal()) else {
            throw CloudError.badRequest("The password does not match the requirements: \(regexDescription).")
        }
    }

    /// Who chose a password. One of an administrator's may have to be changed at once.
    enum Setter: Sendable { case user, administrator, bootstrap }

    func password(_ hash: String, for options: ResourceOptions, by setter: Setter, at now: Timestamp) -> NewPassword {
        var password = NewPassword(hash: hash, createdAt: now, isSelfService: setter == .user)
        if let lifetime, !options.isSet("ignore_password_expiry") {
            password.expiresAt = Timestamp(seconds: (now + lifetime).seconds)
        }
        if setter == .administrator, changesAtFirstUse, !options.isSet("ignore_change_password_upon_first_use") {
            password.expiresAt = now
        }
        return password
    }

    func isExpired(_ password: StoredPassword, _ options: ResourceOptions, at now: Timestamp) -> Bool {
        guard let end = password.expiresAt, !options.isSet("ignore_password_expiry") else { return false }
        return now >= end
    }

    func isLocked(_ password: StoredPassword, _ options: ResourceOptions, at now: Timestamp) -> Bool {
        guard let lockoutFailures, password.failures >= lockoutFailures,
            !options.isSet("ignore_lockout_failure_attempts"), let last = password.failedAt
        else { return false }
        return last + lockoutDuration > now
    }

    /// An account whose activity was never noted is not inactive: the rule may be newer than it.
    func isInactive(since last: Timestamp?, _ options: ResourceOptions, at now: Timestamp) -> Bool {
        guard let inactivity, let last, !options.isSet("ignore_user_inactivity") else { return false }
        return last + inactivity <= now
    }

    /// Throws `.badRequest` for a password that its user chose too short a time ago.
    func checkAge(_ password: StoredPassword, at now: Timestamp) throws {
        guard password.isSelfService, let created = password.createdAt, now < created + minimumAge else { return }
        let days = minimumAge.components.seconds / 86_400
        let left = (created + minimumAge - now).components.seconds / 86_400
        throw CloudError.badRequest(
            "You cannot change your password at this time due to the minimum password age. Once you change your "
                + "password, it must be used for \(days) day(s) before it can be changed. Please try again in \(left) "
                + "day(s) or contact your administrator to reset your password.")
    }

    var repeated: CloudError {
        .badRequest(
            "The new password cannot be identical to a previous password. The total number which includes the new "
                + "password must be unique is \(history).")
    }
}
