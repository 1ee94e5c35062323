// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// What somebody who signs in says: how, and for where.
package struct AuthRequest: Sendable {
    package enum Method: Sendable {
        case password(UserReference, Secret)
        case token(String)
        case applicationCredential(ApplicationCredentialReference, Secret)
        case totp(UserReference, passcode: Secret)
        /// The request itself is signed.
        case oauth1(OAuth1Proof)

        package var kind: AuthMethods {
            switch self {
            case .password: .password
            case .token: .token
            case .applicationCredential: .applicationCredential
            case .totp: .totp
            case .oauth1: .oauth1
            }
        }
    }

    package enum DomainReference: Sendable {
        case id(DomainID)
        case name(String)
    }

    package enum UserReference: Sendable {
        case id(UserID)
        case name(String, DomainReference)
    }

    package enum ProjectReference: Sendable {
        case id(ProjectID)
        case name(String, DomainReference)
    }

    package enum ApplicationCredentialReference: Sendable {
        case id(ApplicationCredentialID)
        case name(String, UserReference)
    }

    package enum Scope: Sendable {
        case unscoped, system
        case project(ProjectReference)
        case domain(DomainReference)
        case trust(TrustID)
    }

    /// At least one; each must succeed, and all for the same user.
    package var methods: [Method]
    /// Nil: the user's default project, if there is one to be had.
    package var scope: Scope?
    /// Of an earlier request, whose methods count with these.
    package var receipt: String?

    package init(methods: [Method], scope: Scope?, receipt: String? = nil) {
        self.methods = methods
        self.scope = scope
        self.receipt = receipt
    }
}

/// What a token means at one moment: everything that is shown of it but the catalog.
package struct TokenSubject: Sendable {
    package var principal: Principal
    package var applicationCredential: ApplicationCredential?
    package var trust: Trust?
    package var accessToken: AccessToken?
    package var federated: FederatedUser?
    package var passwordExpiresAt: Timestamp?
}
