// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// Access keys of users, made here: the extension OS-EC2 (keystone: `api/users.py`).
package struct EC2CredentialEngine: Sendable {
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

    package func list(of user: UserID, for context: CallContext) async throws -> [EC2Credential] {
        try context.authorize(["user_id": user.rawValue, "target.user.id": user.rawValue])
        let found = try await database.read { tx in
            try requireUser(user, tx)
            return try store.list(user: user, type: EC2Credential.type, tx)
        }
        return found.filter { CredentialBinder.isInReach($0, of: context.principal) }
            .compactMap { EC2Credential($0) }
    }

    package func show(_ accessKey: String, of user: UserID, for context: CallContext) async throws -> EC2Credential {
        try await database.read { try load(accessKey, of: user, for: context, $0) }
    }

    package func create(of user: UserID, on project: ProjectID, for context: CallContext) async throws -> EC2Credential
    {
        try context.authorize(Self.target(user))
        try Self.refuseRestricted(context)
        let (accessKey, secret) = (ids.hex(), ids.hex())
        let holder = context.principal
        let draft = Credential(
            id: EC2Credential.id(accessKey: accessKey), userID: user, projectID: project, type: EC2Credential.type,
            blob: EC2Credential.blob(
                accessKey: accessKey, secret: secret,
                applicationCredential: holder.applicationCredentialID.map { ApplicationCredentialID($0) }),
            extras: Extras())
        return try await database.write("credential") { tx in
            try requireUser(user, tx)
            guard try projects.find(project, tx) != nil else {
                throw IdentityError.notFound("project", project.rawValue)
            }
            try CredentialBinder.checkMaking(EC2Credential.type, for: project, by: holder)
            guard try store.count(of: user, tx) < Credential.maximumPerUser else {
                throw CloudError.forbidden(
                    "Unable to create additional credentials, maximum of \(Credential.maximumPerUser) already exceeded "
                        + "for user.")
            }
            var credential = draft
            credential.bounds = try binder.bounds(of: credential, madeBy: holder, tx)
            try store.insert(credential, tx)
            return try Self.readable(credential, accessKey)
        }
    }

    package func delete(_ accessKey: String, of user: UserID, for context: CallContext) async throws {
        try await database.write("credential") { tx in
            let found = try load(accessKey, of: user, for: context, tx)
            try Self.refuseRestricted(context)
            try store.delete(found.credential.id, tx)
        }
    }

    // MARK: Parts

    private static func target(_ owner: UserID) -> PolicyTarget {
        ["user_id": owner.rawValue, "target.user.id": owner.rawValue, "target.credential.user_id": owner.rawValue]
    }

    /// The owner that counts is the credential's own, not the one in the path.
    private func load(_ accessKey: String, of user: UserID, for context: CallContext, _ tx: any Transaction) throws
        -> EC2Credential
    {
        let id = EC2Credential.id(accessKey: accessKey)
        // Found before the rule is looked at, as upstream does: an access key is too long to be guessed.
        guard let credential = try store.find(id, tx) else {
            context.authorizeListing()
            throw IdentityError.notFound("credential", id.rawValue)
        }
        try context.authorize(Self.target(credential.userID))
        try requireUser(user, tx)
        guard credential.userID == user else { throw IdentityError.notFound("credential", id.rawValue) }
        guard CredentialBinder.isInReach(credential, of: context.principal) else {
            throw CloudError.forbidden("You are not authorized to perform the requested action.")
        }
        return try Self.readable(credential, accessKey)
    }

    private static func readable(_ credential: Credential, _ accessKey: String) throws -> EC2Credential {
        guard let found = EC2Credential(credential) else {
            throw CloudError(.unauthorized, "EC2 access key not found.")
        }
        return found
    }

    private func requireUser(_ user: UserID, _ tx: any Transaction) throws {
        guard try users.find(user, tx) != nil else { throw IdentityError.notFound("user", user.rawValue) }
    }

    /// A restricted application credential makes no other way in.
    private static func refuseRestricted(_ context: CallContext) throws {
        guard !context.principal.isRestricted else {
            throw CloudError.forbidden(
                "You are not authorized to perform the requested action: Using method 'application_credential' is not "
                    + "allowed for managing additional application credentials.")
        }
    }
}
