// SPDX-License-Identifier: Apache-2.0

/// Who calls: what a valid token says, and nothing that a request says of itself.
package struct Principal: Sendable, Equatable {
    package struct Named: Sendable, Equatable {
        package var id: String
        package var name: String
        package init(id: String, name: String) {
            self.id = id
            self.name = name
        }
    }

    package enum Scope: Sendable, Equatable {
        case unscoped
        case project(ProjectID, name: String, domain: Named)
        case domain(DomainID, name: String)
        case system
    }

    package var userID: UserID
    package var userName: String
    package var userDomain: Named
    package var scope: Scope
    package var roles: [Named]
    /// Of this token, then of the token it was made from.
    package var auditIDs: [String]
    package var methods: [String]
    package var issuedAt: Timestamp
    package var expiresAt: Timestamp
    package var applicationCredentialID: String?
    /// Made with an application credential that may not make or remove credentials.
    package var isRestricted: Bool
    /// The only calls that this token may make, as its application credential says. Nil: all that its roles allow.
    package var accessRules: [AccessRule]?
    /// The trust that the token is of.
    package var trustID: String?
    /// The OAuth access token that the token is of.
    package var accessTokenID: String?

    package init(
        userID: UserID, userName: String, userDomain: Named, scope: Scope, roles: [Named], auditIDs: [String] = [],
        methods: [String] = ["password"], issuedAt: Timestamp = Timestamp(seconds: 0),
        expiresAt: Timestamp = Timestamp(seconds: 0), applicationCredentialID: String? = nil,
        isRestricted: Bool = false, accessRules: [AccessRule]? = nil, trustID: String? = nil,
        accessTokenID: String? = nil
    ) {
        self.userID = userID
        self.userName = userName
        self.userDomain = userDomain
        self.scope = scope
        self.roles = roles
        self.auditIDs = auditIDs
        self.methods = methods
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.applicationCredentialID = applicationCredentialID
        self.isRestricted = isRestricted
        self.accessRules = accessRules
        self.trustID = trustID
        self.accessTokenID = accessTokenID
    }

    /// Acts within a trust or an OAuth access token: its rights end with that, so it makes nothing that lasts longer.
    package var hasBorrowedRights: Bool { trustID != nil || accessTokenID != nil }

    package var projectID: ProjectID? {
        if case .project(let id, _, _) = scope { id } else { nil }
    }
    package var domainID: DomainID? {
        if case .domain(let id, _) = scope { id } else { nil }
    }
    package var isSystemScoped: Bool { scope == .system }
    package func hasRole(_ name: String) -> Bool { roles.contains { $0.name == name } }
}
