// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// A trust with its roles in full.
package struct TrustView: Sendable {
    package var trust: Trust
    package var roles: [Role]
}

package struct TrustEngine: Sendable {
    let database: IdentityDatabase
    let clock: WallClock
    let ids: IDSource
    private let store = TrustStore()
    private let users = UserStore()
    private let projects = ProjectStore()
    private let roles = RoleStore()
    private let access = AccessResolver()

    init(database: IdentityDatabase, clock: WallClock, ids: IDSource) {
        self.database = database
        self.clock = clock
        self.ids = ids
    }

    // MARK: Read

    package func list(trustor: UserID?, trustee: UserID?, for context: CallContext) async throws -> [Trust] {
        if let trustor {
            try context.authorize(
                ["target.trust.trustor_user_id": trustor.rawValue], as: "identity:list_trusts_for_trustor")
        } else if let trustee {
            try context.authorize(
                ["target.trust.trustee_user_id": trustee.rawValue], as: "identity:list_trusts_for_trustee")
        } else {
            try context.authorize([:])
        }
        try Self.refuseApplicationCredential(context)
        // Of both, upstream looks at the trustor alone.
        return try await database.read { try store.list(trustor: trustor, trustee: trustor == nil ? trustee : nil, $0) }
    }

    package func show(_ id: TrustID, for context: CallContext) async throws -> TrustView {
        let now = clock.now()
        return try await database.read { tx in try view(try load(id, at: now, for: context, tx), tx) }
    }

    // MARK: Write

    /// The caller is the trustor. With a trust's own token, the new trust is made from that one and has no more rights.
    package func create(_ draft: TrustDraft, for context: CallContext) async throws -> TrustView {
        try context.authorize(["target.trust.trustor_user_id": draft.trustorID.rawValue])
        try Self.refuseApplicationCredential(context)
        guard draft.projectID == nil || !draft.roles.isEmpty else {
            throw CloudError.forbidden("At least one role should be specified")
        }
        guard context.principal.userID == draft.trustorID else {
            throw CloudError.forbidden("The authenticated user should match the trustor")
        }
        guard context.principal.accessTokenID == nil else {
            throw CloudError.forbidden("Redelegation allowed for delegated by trust only")
        }
        let now = clock.now()
        guard draft.expiresAt.map({ $0 > now }) ?? true else {
            throw CloudError.badRequest(
                "The 'expires_at' must not be before now. The server could not comply with the request since it is "
                    + "either malformed or otherwise incorrect. The client is assumed to be in error.")
        }
        let id: TrustID = ids.nextHex()
        let parentID = context.principal.trustID.map { TrustID($0) }
        return try await database.write("trust") { tx in
            guard try users.find(draft.trusteeID, tx) != nil else {
                throw IdentityError.notFound("user", draft.trusteeID.rawValue)
            }
            guard try store.count(of: draft.trustorID, at: now, tx) < Trust.maximumPerUser else {
                throw CloudError.forbidden(
                    "Unable to create additional trusts, maximum of \(Trust.maximumPerUser) already exceeded for user.")
            }
            let parent = try parentID.map { try usable($0, at: now, tx) }
            let trust = try trust(draft, id: id, from: parent, tx)
            try store.insert(trust, tx)
            return try view(trust, tx)
        }
    }

    package func delete(_ id: TrustID, for context: CallContext) async throws {
        let now = clock.now()
        try await database.write("trust") { tx in
            // One that is used up may still have tokens, which end with it.
            let trust = try load(id, at: now, for: context, tx, evenUsedUp: true)
            // A trustee who looks like the trustor does not end the trust, or others of the trustor.
            guard !context.principal.hasBorrowedRights else {
                throw CloudError.forbidden("Only admin or trustor can delete a trust")
            }
            try store.delete(trust.id, tx)
        }
    }

    // MARK: Parts

    /// keystone: `TrustManager.create_trust`.
    private func trust(_ draft: TrustDraft, id: TrustID, from parent: Trust?, _ tx: any Transaction) throws -> Trust {
        let named = try roles.resolve(draft.roles, tx)
        let granted = try roles.graph(tx).closure(of: named)
        var trust = Trust(
            id: id, trustorID: draft.trustorID, trusteeID: draft.trusteeID, projectID: draft.projectID,
            impersonates: draft.impersonates, expiresAt: draft.expiresAt, remainingUses: draft.remainingUses,
            redelegationCount: 0, redelegatedFrom: parent?.id, roleIDs: named, grantedRoleIDs: granted)
        if draft.allowsRedelegation, draft.redelegationCount != 0 {
            let limit = Trust.maximumRedelegations
            if let count = draft.redelegationCount, count > limit {
                throw CloudError.forbidden(
                    "Requested redelegation depth of \(count) is greater than allowed \(limit)")
            }
            guard draft.remainingUses == nil else {
                throw CloudError.badRequest("remaining_uses must not be set if redelegation is allowed")
            }
            let left = parent.map { $0.redelegationCount - 1 }
            if let count = draft.redelegationCount, let left, count != left {
                throw CloudError.forbidden(
                    "Modifying \"redelegation_count\" upon redelegation is forbidden. Omitting this parameter is "
                        + "advised.")
            }
            trust.redelegationCount = left ?? draft.redelegationCount ?? limit
        }
        var first = trust
        if let parent {
            trust.expiresAt = trust.expiresAt ?? parent.expiresAt
            guard let pedigree = try store.pedigree(of: parent, tx) else {
                throw IdentityError.notFound("trust", parent.id.rawValue)
            }
            for ancestor in pedigree { try ancestor.checkRedelegation(to: trust) }
            first = pedigree[pedigree.count - 1]
        }
        if let project = trust.projectID {
            guard try projects.find(project, tx) != nil else {
                throw IdentityError.notFound("project", project.rawValue)
            }
            // Whoever hands it on, the rights are the first trustor's.
            let current = Set(try access.effectiveRoleIDs(of: first.trustorID, in: .project(project), tx))
            if let missing = named.first(where: { !current.contains($0) }) {
                throw IdentityError.notFound("role", missing.rawValue)
            }
            trust.grantedRoleIDs = granted.filter(current.contains)
        } else if let role = named.first {
            // Without a project there are no roles that could be handed on.
            throw IdentityError.notFound("role", role.rawValue)
        }
        return trust
    }

    /// What does not exist, or can give no token any more, is not found, whoever asks.
    private func usable(_ id: TrustID, at now: Timestamp, _ tx: any Transaction, evenUsedUp: Bool = false) throws
        -> Trust
    {
        guard let trust = try store.find(id, tx), !trust.isExpired(at: now), evenUsedUp || !trust.isUsedUp else {
            throw IdentityError.notFound("trust", id.rawValue)
        }
        return trust
    }

    private func load(
        _ id: TrustID, at now: Timestamp, for context: CallContext, _ tx: any Transaction, evenUsedUp: Bool = false
    ) throws -> Trust {
        // keystone: the trust is looked for before the rule, on purpose (lp#1840288). Ids cannot be guessed.
        context.authorizeListing()
        let trust = try usable(id, at: now, tx, evenUsedUp: evenUsedUp)
        try context.authorize([
            "target.trust.trustor_user_id": trust.trustorID.rawValue,
            "target.trust.trustee_user_id": trust.trusteeID.rawValue,
        ])
        try Self.refuseApplicationCredential(context)
        return trust
    }

    private func view(_ trust: Trust, _ tx: any Transaction) throws -> TrustView {
        TrustView(trust: trust, roles: try trust.roleIDs.compactMap { try roles.find($0, tx) })
    }

    /// keystone: `_check_application_credential`; what signs requests with an access key is no better.
    private static func refuseApplicationCredential(_ context: CallContext) throws {
        guard context.principal.applicationCredentialID == nil, !context.principal.isOfAccessKey else {
            throw CloudError.forbidden(
                "You are not authorized to perform the requested action: Using method 'application_credential' is not "
                    + "allowed for managing trusts.")
        }
    }
}

extension RoleStore {
    /// Each role once. Throws `.notFound` for one that does not exist; a name is a role of the whole cloud.
    func resolve(_ references: [RoleReference], _ tx: any Transaction) throws -> [RoleID] {
        var seen = Set<RoleID>()
        return try references.map { reference in
            switch reference {
            case .id(let id):
                guard try find(id, tx) != nil else { throw IdentityError.notFound("role", id.rawValue) }
                return id
            case .name(let name):
                guard let role = try find(named: name, in: nil, tx) else {
                    throw IdentityError.notFound("role", name)
                }
                return role.id
            }
        }.filter { seen.insert($0).inserted }
    }
}
