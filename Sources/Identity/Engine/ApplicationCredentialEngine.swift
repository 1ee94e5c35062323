// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit
import SecurityKit

/// An application credential with its roles in full.
package struct ApplicationCredentialView: Sendable {
    package var credential: ApplicationCredential
    package var roles: [Role]
}

package struct ApplicationCredentialEngine: Sendable {
    let database: IdentityDatabase
    let hasher: PasswordHasher
    let clock: WallClock
    let ids: IDSource
    private let store = ApplicationCredentialStore()
    private let users = UserStore()
    private let roles = RoleStore()

    init(database: IdentityDatabase, hasher: PasswordHasher, clock: WallClock, ids: IDSource) {
        self.database = database
        self.hasher = hasher
        self.clock = clock
        self.ids = ids
    }

    // MARK: Read

    package func list(of user: UserID, name: String?, for context: CallContext) async throws
        -> [ApplicationCredentialView]
    {
        try context.authorize(Self.target(user))
        return try await database.read { tx in try store.list(of: user, name: name, tx).map { try completed($0, tx) } }
    }

    package func show(_ id: ApplicationCredentialID, of user: UserID, for context: CallContext) async throws
        -> ApplicationCredentialView
    {
        try await database.read { tx in try completed(try load(id, of: user, for: context, tx), tx) }
    }

    // MARK: Write

    /// Roles must be among those of the caller's token, and the credential is for the token's project.
    ///
    /// Returns the secret, which is kept nowhere.
    package func create(_ draft: ApplicationCredentialDraft, of user: UserID, for context: CallContext) async throws
        -> (ApplicationCredentialView, secret: Secret)
    {
        try context.authorize(Self.target(user))
        try Self.refuseRestricted(context)
        let project = try context.requireProject()
        // Whatever a rule allows, one user's token makes no credential that acts as another.
        guard user == context.principal.userID else {
            throw CloudError.forbidden("You are not authorized to perform the requested action.")
        }
        let now = clock.now()
        guard draft.expiresAt.map({ $0 > now }) ?? true else {
            throw CloudError.badRequest(
                "The 'expires_at' must not be before now. The server could not comply with the request since it is "
                    + "either malformed or otherwise incorrect. The client is assumed to be in error.")
        }
        let secret = draft.secret ?? Secret(SecureRandom.text(byteCount: ApplicationCredential.secretByteCount))
        let hash = try await hasher.hash(secret)
        let id: ApplicationCredentialID = ids.nextHex()
        let ruleIDs: [AccessRuleID] = draft.accessRules.map { _ in ids.nextHex() }
        let holder = context.principal
        let view = try await database.write("application_credential") { tx in
            guard try store.find(named: draft.name, of: user, tx) == nil else {
                throw CloudError.conflict(
                    "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
                        + "\(draft.name).")
            }
            guard try store.count(of: user, tx) < ApplicationCredential.maximumPerUser else {
                throw CloudError.forbidden(
                    "Unable to create additional application credentials, maximum of "
                        + "\(ApplicationCredential.maximumPerUser) already exceeded for user.")
            }
            let credential = ApplicationCredential(
                id: id, userID: user, projectID: project, name: draft.name, description: draft.description,
                expiresAt: draft.expiresAt, isUnrestricted: draft.isUnrestricted,
                roleIDs: try grantedRoles(draft.roles, holder, tx),
                accessRules: try accessRules(draft.accessRules, newIDs: ruleIDs, of: user, holder, tx))
            try store.insert(credential, secretHash: hash, tx)
            return try completed(credential, tx)
        }
        return (view, secret)
    }

    package func delete(_ id: ApplicationCredentialID, of user: UserID, for context: CallContext) async throws {
        try await database.write("application_credential") { tx in
            _ = try load(id, of: user, for: context, tx)
            try Self.refuseRestricted(context)
            try store.delete(id, tx)
        }
    }

    // MARK: Access rules

    package func accessRules(of user: UserID, for context: CallContext) async throws -> [StoredAccessRule] {
        try context.authorize(Self.target(user))
        return try await database.read { try store.accessRules(of: user, $0) }
    }

    package func accessRule(_ id: AccessRuleID, of user: UserID, for context: CallContext) async throws
        -> StoredAccessRule
    {
        try context.authorize(Self.target(user))
        return try await database.read { try existing(id, of: user, $0) }
    }

    package func deleteAccessRule(_ id: AccessRuleID, of user: UserID, for context: CallContext) async throws {
        try context.authorize(Self.target(user))
        try Self.refuseRestricted(context)
        try await database.write("access_rule") { tx in
            _ = try existing(id, of: user, tx)
            guard try !store.isUsed(id, tx) else {
                throw CloudError.forbidden("Access rule \(id) is in use by an application credential.")
            }
            try store.deleteAccessRule(id, tx)
        }
    }

    private func existing(_ id: AccessRuleID, of user: UserID, _ tx: any Transaction) throws -> StoredAccessRule {
        guard let rule = try store.accessRule(id, of: user, tx) else {
            throw CloudError.notFound("Could not find Access Rule: \(id).")
        }
        return rule
    }

    // MARK: Parts

    private static func target(_ user: UserID) -> PolicyTarget {
        ["user_id": user.rawValue, "target.user.id": user.rawValue]
    }

    private static func refuseRestricted(_ context: CallContext) throws {
        // It would outlast the trust, the access token or the key (keystone: `_block_delegated_token_app_creds`).
        guard !context.principal.hasBorrowedRights, !context.principal.isOfAccessKey else {
            throw CloudError.forbidden(
                "Cannot manage application credentials with a token issued via delegation.")
        }
        guard !context.principal.isRestricted else {
            throw CloudError.forbidden(
                "You are not authorized to perform the requested action: Using method 'application_credential' is not "
                    + "allowed for managing additional application credentials.")
        }
    }

    /// The owner that counts is the credential's own, not the one in the path.
    private func load(
        _ id: ApplicationCredentialID, of user: UserID, for context: CallContext, _ tx: any Transaction
    ) throws -> ApplicationCredential {
        let found = try store.find(id, tx)
        try context.authorize(Self.target(found?.userID ?? user))
        guard let found, found.userID == user else {
            throw CloudError.notFound("Could not find Application Credential: \(id).")
        }
        return found
    }

    private func completed(_ credential: ApplicationCredential, _ tx: any Transaction) throws
        -> ApplicationCredentialView
    {
        ApplicationCredentialView(
            credential: credential, roles: try credential.roleIDs.compactMap { try roles.find($0, tx) })
    }

    /// What was asked for with all that it implies; everything that the token has when nothing was asked for.
    private func grantedRoles(
        _ wanted: [ApplicationCredentialDraft.RoleReference], _ holder: Principal, _ tx: any Transaction
    ) throws -> [RoleID] {
        let own = Set(holder.roles.map { RoleID($0.id) })
        guard !wanted.isEmpty else { return own.sorted() }
        let ids = try wanted.map { reference in
            switch reference {
            case .id(let id):
                guard try roles.find(id, tx) != nil else { throw IdentityError.notFound("role", id.rawValue) }
                return id
            case .name(let name):
                guard let role = try roles.find(named: name, in: nil, tx) else {
                    throw IdentityError.notFound("role", name)
                }
                return role.id
            }
        }
        let all = try roles.graph(tx).closure(of: ids)
        guard own.isSuperset(of: all) else {
            throw CloudError.badRequest(
                "Invalid application credential: Cannot create an application credential with unassigned role")
        }
        return all
    }

    /// A token that is bound to access rules passes on no more than those.
    private func accessRules(
        _ wanted: [ApplicationCredentialDraft.AccessRuleReference], newIDs: [AccessRuleID], of user: UserID,
        _ holder: Principal, _ tx: any Transaction
    ) throws -> [StoredAccessRule] {
        var rules: [StoredAccessRule] = []
        for (reference, newID) in zip(wanted, newIDs) {
            switch reference {
            case .existing(let id): rules.append(try existing(id, of: user, tx))
            case .new(let rule): rules.append(try store.ensureAccessRule(rule, of: user, newID: newID, tx))
            }
        }
        if let bounds = holder.accessRules {
            guard !rules.isEmpty, rules.allSatisfy({ bounds.contains($0.rule) }) else {
                throw CloudError.forbidden(
                    "You are not authorized to perform the requested action: the token's own access rules allow less.")
            }
        }
        var seen = Set<String>()
        return rules.filter { seen.insert($0.id.rawValue).inserted }
    }
}
