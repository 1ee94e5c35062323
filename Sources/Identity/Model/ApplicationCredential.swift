// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// A secret of its own for a program that acts for a user on one project, with no more roles than the user gave it.
package struct ApplicationCredential: Sendable, Equatable {
    package var id: ApplicationCredentialID
    package var userID: UserID
    package var projectID: ProjectID
    package var name: String
    package var description: String?
    package var expiresAt: Timestamp?
    /// May make and remove application credentials itself.
    package var isUnrestricted: Bool
    package var roleIDs: [RoleID]
    package var accessRules: [StoredAccessRule]

    package static let maximumNameLength = 255
    package static let maximumPerUser = 1000
    package static let maximumAccessRules = 100
    package static let secretByteCount = 64

    package func isExpired(at time: Timestamp) -> Bool { expiresAt.map { $0 <= time } ?? false }

    /// What a token of it may do now: the roles that it was given and that its user still has.
    ///
    /// Taking a role from the user takes it from the credential; giving it back, or giving another, adds nothing that
    /// the credential was not made with.
    package func effectiveRoles(ofUser current: [RoleID]) -> [RoleID] {
        let granted = Set(roleIDs)
        return current.filter(granted.contains)
    }
}

package struct StoredAccessRule: Sendable, Equatable {
    package var id: AccessRuleID
    package var rule: AccessRule
}

package struct ApplicationCredentialDraft: Sendable {
    package enum RoleReference: Sendable {
        case id(RoleID)
        case name(String)
    }
    package enum AccessRuleReference: Sendable {
        case existing(AccessRuleID)
        case new(AccessRule)
    }

    package var name: String
    package var secret: Secret?
    package var description: String?
    package var expiresAt: Timestamp?
    package var isUnrestricted = false
    package var roles: [RoleReference] = []
    package var accessRules: [AccessRuleReference] = []

    package init(name: String) { self.name = name }
}

/// Something that a user keeps here for another service: `ec2`, `totp`, `cert`.
package struct Credential: Sendable, Equatable {
    package var id: CredentialID
    package var userID: UserID
    package var projectID: ProjectID?
    package var type: String
    package var blob: String
    package var extras: Extras
    package var bounds = CredentialBounds()

    package static let maximumBlobLength = 65_536
    package static let maximumPerUser = 1000
}
