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

    package static let maximumNameLength = 255

    /// Whether these methods are enough to sign in. Without a rule, or with rules switched off, any one is.
    ///
    /// keystone: `UserMFARulesValidator`. Rules that name no method at all are passed over.
    package func isSatisfied(by methods: Set<String>) -> Bool {
        guard options.fields["multi_factor_auth_enabled"]?.bool != false,
            let rules = options.fields["multi_factor_auth_rules"]?.array
        else { return true }
        let sets = rules.compactMap { rule in rule.array.map { Set($0.compactMap(\.string)) } }.filter { !$0.isEmpty }
        return sets.isEmpty || sets.contains { $0.isSubset(of: methods) }
    }
}

/// What signing in by password needs to know of a user; it never leaves Identity.
struct StoredPassword: Sendable, Equatable {
    var hash: String?
    /// Tokens that were issued before this are void: the password was changed or the user disabled.
    var tokensValidFrom: Timestamp
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
