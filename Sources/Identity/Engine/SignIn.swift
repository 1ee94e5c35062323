// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Somebody who has shown who they are.
struct SignIn: Sendable {
    var userID: UserID
    var methods: AuthMethods = []
    /// A token made from a token ends when the first one does.
    var expiresAt: Timestamp?
    var chainAuditID: [UInt8]?
    var applicationCredential: (id: ApplicationCredentialID, projectID: ProjectID)?
    var accessToken: (id: AccessTokenID, projectID: ProjectID)?
    /// The access key that signed the request.
    var ec2Credential: (id: CredentialID, projectID: ProjectID)?
    /// A token for the whole system leads to no other scope.
    var isOfSystem = false
    /// When the first method was shown, in an earlier request.
    var provenAt: Timestamp?

    /// The one project where a delegation counts.
    var boundProject: ProjectID? {
        ec2Credential?.projectID ?? applicationCredential?.projectID ?? accessToken?.projectID
    }

    /// Whether the next request may go on from here. A receipt says which methods were shown and no more: what bounds a
    /// delegation or a token would be lost with it.
    var mayContinue: Bool { methods.isSubset(of: [.password, .totp]) }

    /// Who has shown a password; nil: nobody has.
    var proven: UserID? { methods.contains(.password) ? userID : nil }

    /// With another method of the same request, which must be for the same user.
    func joined(by next: SignIn) throws -> SignIn {
        guard userID == next.userID else { throw IdentityError.unauthorized }
        var joined = self
        joined.methods.formUnion(next.methods)
        joined.expiresAt = [expiresAt, next.expiresAt].compactMap { $0 }.min()
        joined.chainAuditID = chainAuditID ?? next.chainAuditID
        joined.applicationCredential = applicationCredential ?? next.applicationCredential
        joined.accessToken = accessToken ?? next.accessToken
        joined.ec2Credential = ec2Credential ?? next.ec2Credential
        joined.isOfSystem = isOfSystem || next.isOfSystem
        return joined
    }

    /// Throws `.unauthorized` when the password was changed, or the user disabled, since the first method was shown.
    func checkProof(_ resolver: AccessResolver, _ tx: any Transaction) throws {
        guard let provenAt else { return }
        guard let stored = try resolver.users.password(of: userID, tx), stored.tokensValidFrom <= provenAt else {
            throw IdentityError.unauthorized
        }
    }
}

extension SignIn {
    /// What the token is for, and the trust that it is of.
    func scope(_ wanted: AuthRequest.Scope?, _ resolver: AccessResolver, _ tx: any Transaction) throws
        -> (TokenScope, Trust?)
    {
        let scope: TokenScope
        switch wanted {
        // An OAuth access token is for its project, whatever was asked for.
        case _ where accessToken != nil: scope = accessToken.map { .project($0.projectID) } ?? .unscoped
        case .unscoped: scope = .unscoped
        case .system: scope = .system
        case .domain(let reference):
            guard let domain = try resolver.find(reference, tx), domain.isDomain else {
                throw IdentityError.unauthorized
            }
            scope = .domain(domain.asDomainID)
        case .project(let reference):
            guard let project = try resolver.find(reference, tx) else { throw IdentityError.unauthorized }
            scope = .project(project.id)
        case .trust(let id):
            // Whoever holds a delegation does not take up another one with it.
            guard boundProject == nil, let trust = try resolver.trusts.find(id, tx), !trust.isUsedUp else {
                throw IdentityError.unauthorized
            }
            return (trust.projectID.map { .project($0) } ?? .unscoped, trust)
        case nil:
            if let project = boundProject { return (.project(project), nil) }
            return (try defaultScope(resolver, tx), nil)
        }
        // An application credential acts on its project and nowhere else, whatever its token is made into.
        if let project = boundProject, scope != .project(project) { throw IdentityError.unauthorized }
        if isOfSystem, scope != .system, scope != .unscoped {
            throw CloudError.forbidden(
                "You are not authorized to perform the requested action: Using a system-scoped token to create a "
                    + "project-scoped or domain-scoped token is not allowed..")
        }
        return (scope, nil)
    }

    /// The user's default project while it can be worked in; otherwise no scope (keystone:
    /// `_check_and_set_default_scoping`).
    private func defaultScope(_ resolver: AccessResolver, _ tx: any Transaction) throws -> TokenScope {
        guard let id = try resolver.users.find(userID, tx)?.defaultProjectID,
            let project = try resolver.projects.find(id, tx), project.isEnabled, let domainID = project.domainID,
            try resolver.projects.findDomain(domainID, tx)?.isEnabled == true,
            try !resolver.effectiveRoleIDs(of: userID, in: .project(id), tx).isEmpty
        else { return .unscoped }
        return .project(id)
    }
}
