// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

package struct CredentialDraft: Sendable {
    package var userID: UserID
    package var projectID: ProjectID?
    package var type: String
    package var blob: String
    package var extras = Extras()
    package init(userID: UserID, projectID: ProjectID?, type: String, blob: String) {
        self.userID = userID
        self.projectID = projectID
        self.type = type
        self.blob = blob
    }
}

package struct CredentialChange: Sendable {
    package var userID: UserID?
    package var projectID: ProjectID??
    package var type: String?
    package var blob: String?
    package var extras = Extras()
    package init() {}
}

/// What users keep for other services.
package struct CredentialEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    private let store: CredentialStore
    private let users = UserStore()
    private let projects = ProjectStore()
    private let binder = CredentialBinder()

    init(database: IdentityDatabase, store: CredentialStore, ids: IDSource) {
        self.database = database
        self.store = store
        self.ids = ids
    }

    /// What the caller may see of what was asked for.
    package func list(
        user: UserID?, type: String?, _ range: ListRange, for context: CallContext
    ) async throws -> ListPart<Credential> {
        context.authorizeListing()
        return try await database.read { tx in
            try store.list(user: user, type: type, range, tx) { credential in
                context.allows(context.policy, Self.target(credential.userID)) && Self.isInScope(credential, context)
            }
        }
    }

    package func show(_ id: CredentialID, for context: CallContext) async throws -> Credential {
        try await database.read { try load(id, for: context, $0) }
    }

    package func create(_ draft: CredentialDraft, for context: CallContext) async throws -> Credential {
        try context.authorize(Self.target(draft.userID))
        try Self.refuseRestricted(context)
        try draft.extras.checkSize()
        let made = Credential(
            id: try id(for: draft), userID: draft.userID, projectID: draft.projectID, type: draft.type,
            blob: try CredentialBinder.boundBlob(draft, by: context.principal), extras: draft.extras)
        try CredentialBinder.checkMaking(made.type, for: made.projectID, by: context.principal)
        return try await database.write("credential") { tx in
            var credential = made
            try checkReferences(credential, tx)
            credential.bounds = try binder.bounds(of: credential, madeBy: context.principal, tx)
            guard try store.count(of: credential.userID, tx) < Credential.maximumPerUser else {
                throw CloudError.forbidden(
                    "Unable to create additional credentials, maximum of \(Credential.maximumPerUser) already exceeded "
                        + "for user.")
            }
            guard try store.find(credential.id, tx) == nil else {
                throw IdentityError.duplicate("credential", "ID", credential.id.rawValue)
            }
            try store.insert(credential, tx)
            return credential
        }
    }

    package func update(_ id: CredentialID, _ change: CredentialChange, for context: CallContext) async throws
        -> Credential
    {
        try await database.write("credential") { tx in
            var credential = try load(id, for: context, tx)
            try Self.refuseRestricted(context)
            let old = credential
            credential.userID = change.userID ?? credential.userID
            if let project = change.projectID { credential.projectID = project }
            credential.type = change.type ?? credential.type
            credential.blob = change.blob ?? credential.blob
            credential.extras.merge(change.extras)
            try credential.extras.checkSize()
            // Nobody hands a credential to somebody for whom they could not have made it.
            try context.authorize(Self.target(credential.userID))
            try Self.checkScope(credential, context)
            try checkReferences(credential, tx)
            try CredentialBinder.checkUnchanged(old, credential)
            try binder.rebind(&credential, from: old, by: context.principal, tx)
            try store.update(credential, tx)
            return credential
        }
    }

    package func delete(_ id: CredentialID, for context: CallContext) async throws {
        try await database.write("credential") { tx in
            _ = try load(id, for: context, tx)
            try Self.refuseRestricted(context)
            try store.delete(id, tx)
        }
    }

    // MARK: Parts

    private static func target(_ owner: UserID?) -> PolicyTarget {
        var target = PolicyTarget()
        target["target.credential.user_id"] = owner?.rawValue
        return target
    }

    private func load(_ id: CredentialID, for context: CallContext, _ tx: any Transaction) throws -> Credential {
        let credential = try store.find(id, tx)
        try context.authorize(Self.target(credential?.userID))
        guard let credential else { throw IdentityError.notFound("credential", id.rawValue) }
        try Self.checkScope(credential, context)
        return credential
    }

    private static func isInScope(_ credential: Credential, _ context: CallContext) -> Bool {
        CredentialBinder.isInReach(credential, of: context.principal)
    }

    private static func checkScope(_ credential: Credential, _ context: CallContext) throws {
        guard isInScope(credential, context) else {
            throw CloudError.forbidden("You are not authorized to perform the requested action.")
        }
    }

    /// A restricted application credential makes no other way in (CVE-2026-33551).
    private static func refuseRestricted(_ context: CallContext) throws {
        guard !context.principal.isRestricted else {
            throw CloudError.forbidden(
                "You are not authorized to perform the requested action: Using method 'application_credential' is "
                    + "not allowed for managing credentials.")
        }
    }

    /// An `ec2` credential is found by its access key's digest.
    private func id(for draft: CredentialDraft) throws -> CredentialID {
        guard draft.type.lowercased() == EC2Credential.type else { return ids.nextHex() }
        guard draft.projectID != nil else { throw IdentityError.validation("project_id", in: "credential") }
        guard let blob = try? JSONReader.read(draft.blob),  // Malformed text is refused right below.
            let access = blob["access"]?.string
        else { throw CloudError.badRequest("Invalid blob in credential") }
        return EC2Credential.id(accessKey: access)
    }

    private func checkReferences(_ credential: Credential, _ tx: any Transaction) throws {
        guard try users.find(credential.userID, tx) != nil else {
            throw CloudError.badRequest("Could not find user: \(credential.userID).")
        }
        if credential.type.lowercased() == EC2Credential.type, credential.projectID == nil {
            throw IdentityError.validation("project_id", in: "credential")
        }
        if let project = credential.projectID, try projects.find(project, tx) == nil {
            throw CloudError.badRequest("Could not find project: \(project).")
        }
    }
}
