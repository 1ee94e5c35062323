// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// A user's word that another user may act on a project of theirs, within some of their roles.
package struct Trust: Sendable, Equatable {
    package var id: TrustID
    /// Who hands rights on.
    package var trustorID: UserID
    /// Who may use them.
    package var trusteeID: UserID
    /// Nil: the trust gives no roles.
    package var projectID: ProjectID?
    /// Its tokens show the trustor as their user.
    package var impersonates: Bool
    package var expiresAt: Timestamp?
    /// How many more tokens it gives; nil without limit.
    package var remainingUses: Int?
    /// How many more times it may be handed on.
    package var redelegationCount: Int
    package var redelegatedFrom: TrustID?
    /// The roles that were named.
    package var roleIDs: [RoleID]
    /// Those, and what they implied when the trust was made.
    package var grantedRoleIDs: [RoleID]

    /// keystone: `[trust] max_redelegation_count`.
    package static let maximumRedelegations = 3
    package static let maximumPerUser = 1000

    package func isExpired(at time: Timestamp) -> Bool { expiresAt.map { $0 <= time } ?? false }

    var isUsedUp: Bool { remainingUses.map { $0 <= 0 } ?? false }

    /// What a token of it may do now; nil when the first trustor lacks a role that was named, which suspends the trust.
    ///
    /// A role that is implied only since the trust was made is none of it, nor one whose own reason was deleted.
    package func effectiveRoles(ofTrustor current: [RoleID]) -> [RoleID]? {
        guard !roleIDs.isEmpty, Set(current).isSuperset(of: roleIDs) else { return nil }
        let granted = Set(grantedRoleIDs)
        return current.filter(granted.contains)
    }

    /// Throws `.forbidden` unless a trust like `next` may be made from this one (keystone: `_validate_redelegation`).
    package func checkRedelegation(to next: Trust) throws {
        guard (1...Self.maximumRedelegations).contains(redelegationCount) else {
            throw CloudError.forbidden(
                "Remaining redelegation depth of \(redelegationCount) out of allowed range of "
                    + "[0..\(Self.maximumRedelegations)]")
        }
        if let uses = next.remainingUses {
            throw CloudError.forbidden(
                "Field \"remaining_uses\" is set to \(uses) while it must not be set in order to redelegate a trust")
        }
        if let end = expiresAt, next.expiresAt.map({ $0 > end }) ?? true {
            throw CloudError.forbidden("Requested expiration time is more than redelegated trust can provide")
        }
        guard Set(grantedRoleIDs).isSuperset(of: next.grantedRoleIDs) else {
            throw CloudError.forbidden("Some of requested roles are not in redelegated trust")
        }
        guard next.projectID == projectID else {
            throw CloudError.forbidden("A redelegated trust is for the project of the trust that it is made from")
        }
        guard impersonates || !next.impersonates else {
            throw CloudError.forbidden(
                "Impersonation is not allowed because redelegated trust does not specify impersonation. Redelegated "
                    + "trust id: \(id)")
        }
    }
}

package struct TrustDraft: Sendable {
    package var trustorID: UserID
    package var trusteeID: UserID
    package var projectID: ProjectID?
    package var impersonates: Bool
    package var expiresAt: Timestamp?
    package var remainingUses: Int?
    package var allowsRedelegation = false
    package var redelegationCount: Int?
    package var roles: [RoleReference] = []

    package init(trustorID: UserID, trusteeID: UserID, impersonates: Bool) {
        self.trustorID = trustorID
        self.trusteeID = trusteeID
        self.impersonates = impersonates
    }
}

/// A role as a body names it.
package enum RoleReference: Sendable, Equatable {
    case id(RoleID)
    case name(String)
}
