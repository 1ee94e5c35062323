// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// What somebody who signs in says: how, and for where.
package struct AuthRequest: Sendable {
    package enum Method: Sendable {
        case password(UserReference, Secret)
        case token(String)
        case applicationCredential(ApplicationCredentialReference, Secret)

        package var kind: AuthMethods {
            switch self {
            case .password: .password
            case .token: .token
            case .applicationCredential: .applicationCredential
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
    }

    /// At least one; each must succeed, and all for the same user.
    package var methods: [Method]
    /// Nil: the user's default project, if there is one to be had.
    package var scope: Scope?

    package init(methods: [Method], scope: Scope?) {
        self.methods = methods
        self.scope = scope
    }
}

/// What a token means at one moment: everything that is shown of it but the catalog.
package struct TokenSubject: Sendable {
    package var principal: Principal
    package var applicationCredential: ApplicationCredential?
}
