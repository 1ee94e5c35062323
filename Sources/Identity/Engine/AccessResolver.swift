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
    let credentials = CredentialStore()
    let tokens = TokenStore()

    /// What a token means now. Throws when it means nothing any more.
    func subject(of payload: TokenPayload, at now: Timestamp, _ tx: any Transaction) throws -> TokenSubject {
        for auditID in payload.auditTexts.prefix(1) where try tokens.isRevoked(auditID, tx) {
            throw IdentityError.unauthorized
        }
        let (user, domain) = try signedInUser(payload.userID, tx)
        guard let password = try users.password(of: user.id, tx), password.tokensValidFrom <= payload.issuedAt else {
            throw IdentityError.unauthorized
        }
        var credential: ApplicationCredential?
        if let id = payload.applicationCredentialID {
            guard let found = try applicationCredentials.find(id, tx), found.userID == user.id,
                payload.scope == .project(found.projectID), !found.isExpired(at: now)
            else { throw IdentityError.unauthorized }
            credential = found
        }
        var bounds: CredentialBounds?
        if let id = payload.credentialID {
            guard let found = try credentials.find(id, tx), found.userID == user.id, found.type == EC2Credential.type,
                let project = found.projectID, payload.scope == .project(project),
                found.bounds.applicationCredentialID == credential?.id
            else { throw IdentityError.unauthorized }
            bounds = found.bounds
        }
        var principal = Principal(
            userID: user.id, userName: user.name,
            userDomain: Principal.Named(id: domain.id.rawValue, name: domain.name),
            scope: .unscoped, roles: [], auditIDs: payload.auditTexts, methods: payload.methods.names,
            issuedAt: payload.issuedAt, expiresAt: payload.expiresAt,
            applicationCredentialID: credential?.id.rawValue,
            isRestricted: credential.map { !$0.isUnrestricted } ?? false)
        if let rules = credential?.accessRules, !rules.isEmpty { principal.accessRules = rules.map(\.rule) }
        principal.scope = try scope(payload.scope, tx)
        guard try tokensValidFrom(domain.id, principal.scope, tx) <= payload.issuedAt else {
            throw IdentityError.unauthorized
        }
        guard payload.scope != .unscoped else {
            return TokenSubject(principal: principal, applicationCredential: credential)
        }
        var roleIDs = try effectiveRoleIDs(of: user.id, in: payload.scope, tx)
        if let credential { roleIDs = credential.effectiveRoles(ofUser: roleIDs) }
        if let bounds { roleIDs = bounds.effectiveRoles(ofUser: roleIDs) }
        principal.roles = try named(roleIDs, tx)
        guard !principal.roles.isEmpty else { throw IdentityError.unauthorized }
        return TokenSubject(principal: principal, applicationCredential: credential)
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

    /// When the user's domain, or what the token is for, was last disabled: enabled again, it does not bring tokens back.
    private func tokensValidFrom(
        _ userDomain: ProjectID, _ scope: Principal.Scope, _ tx: any Transaction
    ) throws -> Timestamp {
        switch scope {
        case .unscoped, .system: try projects.tokensValidFrom([userDomain], tx)
        case .domain(let id, _): try projects.tokensValidFrom([userDomain, id.asProjectID], tx)
        case .project(let id, _, let domain): try projects.tokensValidFrom([userDomain, id, ProjectID(domain.id)], tx)
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
