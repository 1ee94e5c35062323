// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit
import SecurityKit

package struct UserEngine: Sendable {
    let database: IdentityDatabase
    let hasher: PasswordHasher
    let verifier: PasswordVerifier
    let clock: WallClock
    let ids: IDSource
    private let users = UserStore()
    private let groups = GroupStore()
    private let projects = ProjectStore()
    private let assignments = AssignmentStore()
    private let applicationCredentials = ApplicationCredentialStore()
    private let credentials = CredentialStore()

    init(
        database: IdentityDatabase, hasher: PasswordHasher, verifier: PasswordVerifier, clock: WallClock, ids: IDSource
    ) {
        self.database = database
        self.hasher = hasher
        self.verifier = verifier
        self.clock = clock
        self.ids = ids
    }

    // MARK: Read

    package func list(domain: DomainID?, name: String?, isEnabled: Bool?, for context: CallContext) async throws
        -> [User]
    {
        try context.authorize(.listing(context))
        let own = context.principal.domainID
        if let own, let domain, own != domain { return [] }
        let users = users
        return try await database.read {
            try users.list(UserStore.Filter(domainID: domain ?? own, name: name, isEnabled: isEnabled), $0)
        }
    }

    package func show(_ id: UserID, for context: CallContext) async throws -> User {
        try await database.read { try load(id, for: context, $0) }
    }

    package func groups(of id: UserID, name: String?, for context: CallContext) async throws -> [Group] {
        let own = context.principal.domainID
        return try await database.read { tx in
            _ = try load(id, for: context, tx)
            return try groups.groups(of: id, tx).filter { group in
                (own == nil || group.domainID == own) && (name == nil || group.name.nameKey == name?.nameKey)
            }
        }
    }

    // MARK: Write

    package func create(_ draft: UserDraft, for context: CallContext) async throws -> User {
        try context.authorize(["target.user.domain_id": draft.domainID.rawValue])
        return try await make(draft, id: ids.nextHex())
    }

    /// For the bootstrap, too, which asks nobody.
    func make(_ draft: UserDraft, id: UserID) async throws -> User {
        try draft.extras.checkSize()
        let user = User(
            id: id, domainID: draft.domainID, name: draft.name, isEnabled: draft.isEnabled,
            description: draft.description, defaultProjectID: draft.defaultProjectID, options: draft.options,
            extras: draft.extras, createdAt: clock.now())
        var hash: String?
        if let password = draft.password { hash = try await hasher.hash(password) }
        return try await database.write("user") { [hash] tx in
            guard try projects.findDomain(user.domainID, tx) != nil else {
                throw IdentityError.notFound("domain", user.domainID.rawValue)
            }
            try checkDefaultProject(user.defaultProjectID, tx)
            guard try users.find(named: user.name, in: user.domainID, tx) == nil else {
                throw IdentityError.duplicate("user", "name", user.name)
            }
            try users.insert(user, passwordHash: hash, tx)
            return user
        }
    }

    package func update(_ id: UserID, _ change: UserChange, for context: CallContext) async throws -> User {
        // Before a hash is paid for.
        _ = try await show(id, for: context)
        var hash: String?
        if case .some(.some(let password)) = change.password { hash = try await hasher.hash(password) }
        let now = clock.now()
        return try await database.write("user") { [hash] tx in
            var user = try load(id, for: context, tx)
            if let name = change.name, name != user.name {
                if let other = try users.find(named: name, in: user.domainID, tx), other.id != id {
                    throw IdentityError.duplicate("user", "name", name)
                }
                user.name = name
            }
            user.isEnabled = change.isEnabled ?? user.isEnabled
            if let description = change.description { user.description = description }
            if let project = change.defaultProjectID {
                try checkDefaultProject(project, tx)
                user.defaultProjectID = project
            }
            if let options = change.options { user.options = user.options.changed(by: options) }
            user.extras.merge(change.extras)
            try user.extras.checkSize()
            try users.update(user, tx)
            if change.password != nil { try users.setPasswordHash(hash, of: id, tx) }
            if change.password != nil || change.isEnabled == false { try users.revokeTokens(of: id, before: now, tx) }
            return user
        }
    }

    package func delete(_ id: UserID, for context: CallContext) async throws {
        try await database.write("user") { tx in
            _ = try load(id, for: context, tx)
            try remove(id, tx)
        }
    }

    /// With everything that is the user's alone.
    func remove(_ id: UserID, _ tx: any Transaction) throws {
        try assignments.deleteAll(of: .user(id), tx)
        try applicationCredentials.deleteAll(of: id, tx)
        try credentials.deleteAll(of: id, tx)
        try users.delete(id, tx)
    }

    /// By the user, who knows the old password; no token is needed (keystone: `UserChangePasswordResource`).
    package func changePassword(of id: UserID, from old: Secret, to new: Secret) async throws {
        let known = try await database.read { tx in (try users.find(id, tx), try users.password(of: id, tx)) }
        let isRight = try await verifier.verify(old, known.1?.hash, of: id.rawValue)
        guard isRight, let user = known.0, user.isEnabled else { throw IdentityError.unauthorized }
        guard !user.options.isSet("lock_password") else {
            throw CloudError.badRequest(
                "Password validation error: You cannot change your password at this time due to password policy "
                    + "disallowing password changes. Please contact your administrator to reset your password.")
        }
        let hash = try await hasher.hash(new)
        let (now, oldHash) = (clock.now(), known.1?.hash)
        try await database.write("user") { tx in
            // Somebody else changed it meanwhile: the old password is no longer the old password.
            guard try users.password(of: id, tx)?.hash == oldHash else { throw IdentityError.unauthorized }
            try users.setPasswordHash(hash, of: id, tx)
            try users.revokeTokens(of: id, before: now, tx)
        }
    }

    // MARK: Parts

    private func load(_ id: UserID, for context: CallContext, _ tx: any Transaction) throws -> User {
        let user = try users.find(id, tx)
        try context.authorize(.user(user, id: id))
        guard let user else { throw IdentityError.notFound("user", id.rawValue) }
        return user
    }

    /// It may not exist, but it must not be a domain (api-ref: create-user).
    private func checkDefaultProject(_ id: ProjectID?, _ tx: any Transaction) throws {
        guard let id, let project = try projects.find(id, tx), project.isDomain else { return }
        throw CloudError.badRequest("User's default project ID cannot be a domain ID: \(id)")
    }
}
