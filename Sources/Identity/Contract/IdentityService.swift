// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What other services ask of Identity.
package protocol IdentityService: Sendable {
    /// Who holds `token`. Throws `.unauthorized` for one that is unknown, expired or revoked: revocation counts
    /// with the next request. Costs microseconds for a token seen before.
    func authenticate(token: String) async throws -> Principal

    /// Whether the project exists (enabled or not); quotas and RBAC entries refer to it.
    func projectExists(_ id: ProjectID) async throws -> Bool

    /// What a request that is signed with `accessKey` is checked against, and who it then is: never with more rights than
    /// who made the key had then, and its user has now. Nil: there is no such key, or it means nothing any more.
    func ec2Secret(accessKey: String) async throws -> EC2Secret?
}

/// An access key's secret and its holder, on the key's project.
package struct EC2Secret: Sendable {
    package var secret: Secret
    package var principal: Principal
    package init(secret: Secret, principal: Principal) {
        self.secret = secret
        self.principal = principal
    }
}
