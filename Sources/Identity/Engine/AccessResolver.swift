// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Works out what somebody may do somewhere, from the rows as they are now.
///
/// Every reason to refuse is the same `.unauthorized`: who asks learns nothing about users, projects or roles.
struct AccessResolver: Sendable {
    let users = UserStore()
    let projects = ProjectStore()
    let roles = RoleStore()
    let assignments = AssignmentStore()
    let applicationCredentials = ApplicationCredentialStore()
    let trusts = TrustStore()
    let oauth = OAuthStore()
    let tokens = TokenStore()
    let federated = FederatedUserStore()
    let groups = GroupStore()

    /// What a token means now. Throws when it means nothing any more.
    func subject(of payload: TokenPayload, at now: Timestamp, _ tx: any Transaction) throws -> TokenSubject {
        for auditID in payload.auditTexts.prefix(1) where try tokens.isRevoked(auditID, tx) {
            throw IdentityError.unauthorized
        }
        let user = try signedInUser(payload, payload.userID, tx)
        let delegation = try delegation(of: payload, at: now, tx)
        // Who the token shows: the trustor, where a trust says so.
        let shown =
            try delegation.trust.flatMap { trust in
                trust.impersonates ? try signedInUser(payload, trust.trustorID, tx) : nil
            } ?? user
        let credential = delegation.applicationCredential
        var principal = Principal(
            userID: shown.user.id, userName: shown.user.name,
            userDomain: Principal.Named(id: shown.domain.id.rawValue, name: shown.domain.name),
            scope: .unscoped, roles: [], auditIDs: payload.auditTexts, methods: payload.methods.names,
            issuedAt: payload.issuedAt, expiresAt: payload.expiresAt,
            applicationCredentialID: credential?.id.rawValue,
            isRestricted: credential.map { !$0.isUnrestricted } ?? false,
            trustID: delegation.trust?.id.rawValue, accessTokenID: delegation.accessToken?.id.rawValue)
        if let rules = credential?.accessRules, !rules.isEmpty { principal.accessRules = rules.map(\.rule) }
        principal.scope = try scope(payload.scope, tx)
        let places = Self.places(principal.scope) + delegation.domains + [user.domain.id]
        // Disabled and enabled again, a place does not bring its tokens back.
        guard try projects.tokensValidFrom(places, tx) <= payload.issuedAt else { throw IdentityError.unauthorized }
        var subject = TokenSubject(principal: principal, applicationCredential: credential)
        subject.trust = delegation.trust
        subject.accessToken = delegation.accessToken
        subject.passwordExpiresAt = shown.user.passwordExpiresAt
        if payload.methods.contains(.mapped), var federated = try federated.identity(of: shown.user.id, tx) {
            federated.groupIDs = try groups.groupIDs(of: shown.user.id, tx)
            subject.federated = federated
        }
        guard payload.scope != .unscoped else { return subject }
        let roleIDs = try effectiveRoleIDs(of: delegation.holder ?? user.user.id, in: payload.scope, tx)
        subject.principal.roles = try named(try delegation.bounded(roleIDs), tx)
        guard !subject.principal.roles.isEmpty else { throw IdentityError.unauthorized }
        return subject
    }

    /// What a token was made with, where that was less than its user's own word.
    private struct Delegation {
        var applicationCredential: ApplicationCredential?
        var trust: Trust?
        var accessToken: AccessToken?
        /// Of the access key that signed the request.
        var bounds: CredentialBounds?
        /// Whose roles count, when they are not the user's own: those of the first trustor in the line.
        var holder: UserID?
        /// Of everybody in the line.
        var domains: [ProjectID] = []

        /// Of the roles that the holder has now, those that were handed on. Each delegation takes away; none adds.
        func bounded(_ current: [RoleID]) throws -> [RoleID] {
            var roles = current
            if let applicationCredential { roles = applicationCredential.effectiveRoles(ofUser: roles) }
            if let accessToken { roles = accessToken.effectiveRoles(ofUser: roles) }
            if let bounds { roles = bounds.effectiveRoles(ofUser: roles) }
            if let trust {
                guard let handed = trust.effectiveRoles(ofTrustor: roles) else {
                    throw CloudError.forbidden("Trustee has no delegated roles.")
                }
                roles = handed
            }
            return roles
        }
    }

    private func delegation(of payload: TokenPayload, at now: Timestamp, _ tx: any Transaction) throws -> Delegation {
        var delegation = Delegation()
        if let id = payload.applicationCredentialID {
            guard let found = try applicationCredentials.find(id, tx), found.userID == payload.userID,
                payload.scope == .project(found.projectID), !found.isExpired(at: now)
            else { throw IdentityError.unauthorized }
            delegation.applicationCredential = found
        }
        if let id = payload.credentialID {
            guard let found = try CredentialStore.holder(of: id, tx), found.userID == payload.userID,
                found.type == EC2Credential.type, let project = found.projectID, payload.scope == .project(project),
                found.bounds.applicationCredentialID == delegation.applicationCredential?.id
            else { throw IdentityError.unauthorized }
            delegation.bounds = found.bounds
        }
        if let id = payload.accessTokenID {
            guard let found = try oauth.accessToken(id, tx), found.userID == payload.userID,
                payload.scope == .project(found.projectID), !found.isExpired(at: now)
            else { throw IdentityError.unauthorized }
            delegation.accessToken = found
        }
        if let id = payload.trustID {
            let pedigree = try pedigree(of: id, payload, at: now, tx)
            delegation.trust = pedigree.first
            delegation.holder = pedigree.last?.trustorID
            delegation.domains = try agents(of: pedigree, payload, tx)
        }
        return delegation
    }

    /// The trust, the one that it was made from, and so on to the first.
    private func pedigree(of id: TrustID, _ payload: TokenPayload, at now: Timestamp, _ tx: any Transaction) throws
        -> [Trust]
    {
        guard let trust = try trusts.find(id, tx), let pedigree = try trusts.pedigree(of: trust, tx),
            payload.scope == trust.projectID.map({ .project($0) }) ?? .unscoped,
            pedigree.allSatisfy({ !$0.isExpired(at: now) })
        else { throw IdentityError.unauthorized }
        guard trust.trusteeID == payload.userID else { throw CloudError.forbidden("User is not a trustee.") }
        for (child, parent) in zip(pedigree, pedigree.dropFirst()) { try parent.checkRedelegation(to: child) }
        return pedigree
    }

    /// Everybody in the line must be there and enabled. Returns their domains.
    private func agents(of pedigree: [Trust], _ payload: TokenPayload, _ tx: any Transaction) throws -> [ProjectID] {
        try pedigree.flatMap { trust in
            try [trust.trustorID, trust.trusteeID].map { agent in
                do {
                    return try signedInUser(payload, agent, tx).domain.id
                } catch let error as CloudError where error.code == .unauthorized {
                    throw CloudError.forbidden(
                        agent == trust.trustorID
                            ? "Trustor is disabled." : "One of the trust agents is disabled or deleted")
                }
            }
        }
    }

    /// An enabled user of an enabled domain, who did not end the token.
    private func signedInUser(_ payload: TokenPayload, _ id: UserID, _ tx: any Transaction) throws
        -> (user: User, domain: Project)
    {
        let (user, domain) = try signedInUser(id, tx)
        guard let password = try users.password(of: user.id, tx), password.tokensValidFrom <= payload.issuedAt else {
            throw IdentityError.unauthorized
        }
        return (user, domain)
    }

    /// An enabled user of an enabled domain.
    func signedInUser(_ id: UserID, _ tx: any Transaction) throws -> (User, domain: Project) {
        guard let user = try users.find(id, tx), user.isEnabled,
            let domain = try projects.findDomain(user.domainID, tx), domain.isEnabled
        else { throw IdentityError.unauthorized }
        return (user, domain)
    }

    /// The target with its names, as long as it is enabled.
    private func scope(_ scope: TokenScope, _ tx: any Transaction) throws -> Principal.Scope {
        switch scope {
        case .unscoped: return .unscoped
        case .system: return .system
        case .domain(let id):
            guard let domain = try projects.findDomain(id, tx), domain.isEnabled else {
                throw IdentityError.unauthorized
            }
            return .domain(id, name: domain.name)
        case .project(let id):
            // A domain is no project to work in, although it can be looked at as one.
            guard let project = try projects.find(id, tx), project.isEnabled, let domainID = project.domainID,
                let domain = try projects.findDomain(domainID, tx), domain.isEnabled
            else { throw IdentityError.unauthorized }
            return .project(id, name: project.name, domain: Principal.Named(id: domainID.rawValue, name: domain.name))
        }
    }

    /// What a token is for, and the domain that is in.
    private static func places(_ scope: Principal.Scope) -> [ProjectID] {
        switch scope {
        case .unscoped, .system: []
        case .domain(let id, _): [id.asProjectID]
        case .project(let id, _, let domain): [id, ProjectID(domain.id)]
        }
    }

    /// Removes application credentials with a role that their user no longer has: given again, it does not bring them
    /// back (keystone removes them with the assignment, too).
    func withdrawApplicationCredentials(of ids: [UserID], _ tx: any Transaction) throws {
        for user in ids {
            for credential in try applicationCredentials.list(of: user, name: nil, tx) {
                let roles = Set(try effectiveRoleIDs(of: user, in: .project(credential.projectID), tx))
                if !roles.isSuperset(of: credential.roleIDs) { try applicationCredentials.delete(credential.id, tx) }
            }
        }
    }

    // MARK: Roles

    /// Roles on the target with all that they imply. A domain's own roles stand for what they imply and are left out.
    func effectiveRoleIDs(of user: UserID, in scope: TokenScope, _ tx: any Transaction) throws -> [RoleID] {
        let given: [RoleID]
        switch scope {
        case .unscoped: return []
        case .system: given = try assignments.roleIDs(of: user, on: .system, above: [], tx)
        case .domain(let id): given = try assignments.roleIDs(of: user, on: .domain(id), above: [], tx)
        case .project(let id):
            guard let project = try projects.find(id, tx) else { return [] }
            given = try assignments.roleIDs(of: user, on: .project(id), above: try targetsAbove(project, tx), tx)
        }
        return given.isEmpty ? [] : try roles.graph(tx).closure(of: given)
    }

    /// Where an inherited assignment would count for `project`.
    func targetsAbove(_ project: Project, _ tx: any Transaction) throws -> [Assignment.Target] {
        try projects.ancestors(of: project, tx).map { above in
            above.isDomain ? .domain(above.asDomainID) : .project(above.id)
        }
    }

    /// Roles of the cloud among `ids`, by name.
    private func named(_ ids: [RoleID], _ tx: any Transaction) throws -> [Principal.Named] {
        guard !ids.isEmpty else { return [] }
        let all = try roles.all(tx)
        return ids.compactMap { id in
            guard let role = all[id], role.domainID == nil else { return nil }
            return Principal.Named(id: id.rawValue, name: role.name)
        }
    }

    // MARK: References of somebody who signs in

    func find(_ reference: AuthRequest.UserReference, _ tx: any Transaction) throws -> User? {
        switch reference {
        case .id(let id): return try users.find(id, tx)
        case .name(let name, let domain):
            guard let domain = try find(domain, tx) else { return nil }
            return try users.find(named: name, in: domain.asDomainID, tx)
        }
    }

    func find(_ reference: AuthRequest.DomainReference, _ tx: any Transaction) throws -> Project? {
        switch reference {
        case .id(let id): try projects.findDomain(id, tx)
        case .name(let name): try projects.find(named: name, in: nil, tx)
        }
    }

    func find(_ reference: AuthRequest.ProjectReference, _ tx: any Transaction) throws -> Project? {
        switch reference {
        case .id(let id): return try projects.find(id, tx)
        case .name(let name, let domain):
            guard let domain = try find(domain, tx) else { return nil }
            return try projects.find(named: name, in: domain.asDomainID, tx)
        }
    }

    func find(_ reference: AuthRequest.ApplicationCredentialReference, _ tx: any Transaction) throws
        -> ApplicationCredential?
    {
        switch reference {
        case .id(let id): return try applicationCredentials.find(id, tx)
        case .name(let name, let user):
            guard let user = try find(user, tx) else { return nil }
            return try applicationCredentials.find(named: name, of: user.id, tx)
        }
    }
}
