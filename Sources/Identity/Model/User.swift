// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

package struct User: Sendable, Equatable {
    package var id: UserID
    package var domainID: DomainID
    package var name: String
    package var isEnabled: Bool
    package var description: String?
    package var defaultProjectID: ProjectID?
    package var options: ResourceOptions
    package var extras: Extras
    package var createdAt: Timestamp
    /// Nil: its password has no end, or there is none.
    package var passwordExpiresAt: Timestamp?
    /// A directory's name for the user. Such a user is read there and not changed here.
    package var directoryID: String?

    package static let maximumNameLength = 255

    /// Whether these methods are enough to sign in. Without a rule, or with rules switched off, any one is.
    ///
    /// keystone: `UserMFARulesValidator`. Methods that this cloud does not have do not count, nor rules without others.
    package func isSatisfied(by methods: Set<String>) -> Bool {
        guard options.fields["multi_factor_auth_enabled"]?.bool != false,
            !factorRules.isEmpty
        else { return true }
        return factorRules.contains { $0.isSubset(of: methods) }
    }

    /// The rules that `methods` are a part of: what is left to show.
    package func requiredMethods(after methods: Set<String>) -> [[String]] {
        factorRules.filter { !$0.isDisjoint(with: methods) }.map { $0.sorted() }
    }

    private var factorRules: [Set<String>] {
        (options.fields["multi_factor_auth_rules"]?.array ?? [])
            .map { rule in Set((rule.array ?? []).compactMap(\.string)).intersection(AuthMethods.knownNames) }
            .filter { !$0.isEmpty }
    }
}

/// What signing in by password needs to know of a user; it never leaves Identity.
struct StoredPassword: Sendable, Equatable {
    var hash: String?
    /// Tokens that were issued before this are void: the password was changed or the user disabled.
    var tokensValidFrom: Timestamp
    var createdAt: Timestamp?
    var expiresAt: Timestamp?
    /// Its user set it, not an administrator.
    var isSelfService = false
    /// Wrong passwords since the last right one.
    var failures = 0
    var failedAt: Timestamp?
    /// When somebody last signed in with it; noted only where accounts are watched for that.
    var lastActiveAt: Timestamp?
}

/// A password as it is about to be kept.
struct NewPassword: Sendable {
    var hash: String
    var createdAt: Timestamp
    var expiresAt: Timestamp?
    var isSelfService = false
}

/// Which users to list; nil: whatever they have there.
package struct UserFilter: Sendable {
    package var domainID: DomainID?
    package var name: String?
    package var isEnabled: Bool?
    /// Of those for whom a provider vouches.
    package var providerID: IdentityProviderID?
    package var protocolID: String?
    package var uniqueID: String?
    package init(domainID: DomainID? = nil) { self.domainID = domainID }
}

package struct UserDraft: Sendable {
    package var domainID: DomainID
    package var name: String
    package var password: Secret?
    package var isEnabled = true
    package var description: String?
    package var defaultProjectID: ProjectID?
    package var options = ResourceOptions()
    package var extras = Extras()

    package init(domainID: DomainID, name: String, password: Secret? = nil) {
        self.domainID = domainID
        self.name = name
        self.password = password
    }
}

/// Each field nil when it stays as it is; a doubly optional field may be set to null.
package struct UserChange: Sendable {
    package var name: String?
    package var password: Secret??
    package var isEnabled: Bool?
    package var description: String??
    package var defaultProjectID: ProjectID??
    package var options: [String: JSON]?
    package var extras = Extras()

    package init() {}
}

package struct Group: Sendable, Equatable {
    package var id: GroupID
    package var domainID: DomainID
    package var name: String
    package var description: String
    package var extras: Extras
    /// A directory's name for the group, which is read there and not changed here.
    package var directoryID: String?

    package static let maximumNameLength = 64
}

package struct GroupDraft: Sendable {
    package var domainID: DomainID
    package var name: String
    package var description = ""
    package var extras = Extras()

    package init(domainID: DomainID, name: String) {
        self.domainID = domainID
        self.name = name
    }
}

package struct GroupChange: Sendable {
    package var name: String?
    package var description: String?
    package var extras = Extras()

    package init() {}
}
