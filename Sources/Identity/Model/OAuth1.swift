// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// Somebody else's program, which may ask users to let it act for them.
package struct Consumer: Sendable, Equatable {
    package var id: ConsumerID
    package var description: String?
    package var extras: Extras
}

/// What a consumer asks for; a user says yes by naming roles, and the consumer then turns it into an access token.
struct RequestToken: Sendable {
    var id: RequestTokenID
    var secret: Secret
    var consumerID: ConsumerID
    var projectID: ProjectID
    var expiresAt: Timestamp?
    /// What the user tells the consumer, out of band. Nil until somebody authorized it.
    var verifier: Secret?
    var userID: UserID?

    func isExpired(at time: Timestamp) -> Bool { expiresAt.map { $0 <= time } ?? false }
}

/// What a consumer may do for a user on one project.
package struct AccessToken: Sendable, Equatable {
    package var id: AccessTokenID
    package var consumerID: ConsumerID
    package var projectID: ProjectID
    package var userID: UserID
    package var expiresAt: Timestamp?
    /// The roles that the user named.
    package var roleIDs: [RoleID]
    /// Those, and what they implied when the user named them.
    package var grantedRoleIDs: [RoleID]

    package func isExpired(at time: Timestamp) -> Bool { expiresAt.map { $0 <= time } ?? false }

    /// What a token of it may do now: the roles that were handed on and that the user still has.
    package func effectiveRoles(ofUser current: [RoleID]) -> [RoleID] {
        guard !roleIDs.isEmpty else { return [] }
        let granted = Set(grantedRoleIDs)
        return current.filter(granted.contains)
    }
}

/// A token with its secret, as its consumer gets it once.
package struct IssuedOAuthToken: Sendable {
    package var id: String
    package var secret: Secret
    package var expiresAt: Timestamp?
}
