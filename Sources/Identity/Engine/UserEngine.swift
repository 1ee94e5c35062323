// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit
import SecurityKit

package struct UserEngine: Sendable {
    let database: IdentityDatabase
    let hasher: PasswordHasher
    let login: PasswordLogin
    let clock: WallClock
    let ids: IDSource
    private let users = UserStore()
    private let groups = GroupStore()
    private let projects = ProjectStore()
    private let assignments = AssignmentStore()
    private let applicationCredentials = ApplicationCredentialStore()
    private let trusts = TrustStore()
    private let oauth = OAuthStore()
    private let configs = DomainConfigStore()
    private var policy: PasswordPolicy { login.policy }

    init(
        database: IdentityDatabase, hasher: PasswordHasher, login: PasswordLogin, clock: WallClock, ids: IDSource
    ) {
        self.database = database
        self.hasher = hasher
        self.login = login
        self.clock = clock
        self.ids = ids
    }

    // MARK: Read

    package func list(
        _ filter: UserFilter, _ range: ListRange, where isWanted: @escaping @Sendable (User) -> Bool,
        for context: CallContext
    ) async throws -> ListPart<User> {
        try context.authorize(.listing(context))
        var filter = filter
        if let own = context.principal.domainID {
            if let domain = filter.domainID, own != domain { return ListPart() }
            filter.domainID = own
        }
        return try await database.read { [users, filter] in
            try users.list(filter, range, $0, isWanted: isWanted)
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
        if let password = draft.password { try policy.check(password) }
        return try await make(draft, id: ids.nextHex(), by: .administrator)
    }

    /// For the bootstrap, too, which asks nobody.
    func make(_ draft: UserDraft, id: UserID, by setter: PasswordPolicy.Setter = .bootstrap) async throws -> User {
        try draft.extras.checkSize()
        let now = clock.now()
        var user = User(
            id: id, domainID: draft.domainID, name: draft.name, isEnabled: draft.isEnabled,
            description: draft.description, defaultProjectID: draft.defaultProjectID, options: draft.options,
            extras: draft.extras, createdAt: now)
        var password: NewPassword?
        if let secret = draft.password {
            password = policy.password(try await hasher.hash(secret), for: draft.options, by: setter, at: now)
        }
        user.passwordExpiresAt = password?.expiresAt
        return try await database.write("user") { [user, password] tx in
            guard try projects.findDomain(user.domainID, tx) != nil else {
                throw IdentityError.notFound("domain", user.domainID.rawValue)
            }
            guard try !configs.hasDirectory(user.domainID, tx) else { throw IdentityError.readOnlyDirectory }
            try checkDefaultProject(user.defaultProjectID, tx)
            guard try users.find(named: user.name, in: user.domainID, tx) == nil else {
                throw IdentityError.duplicate("user", "name", user.name)
            }
            try users.insert(user, password, tx)
            if policy.inactivity != nil { try users.recordActivity(of: id, at: now, tx) }
            return user
        }
    }

    package func update(_ id: UserID, _ change: UserChange, for context: CallContext) async throws -> User {
        // Before a hash is paid for.
        _ = try await show(id, for: context)
        var hash: String?
        if case .some(.some(let password)) = change.password {
            try policy.check(password)
            hash = try await hasher.hash(password)
        }
        let now = clock.now()
        return try await database.write("user") { [hash] tx in
            var user = try load(id, for: context, tx)
            guard user.directoryID == nil else { throw IdentityError.readOnlyDirectory }
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
            if change.password != nil {
                let password = hash.map { policy.password($0, for: user.options, by: .administrator, at: now) }
                try users.setPassword(password, of: id, remembering: policy.history, tx)
                user.passwordExpiresAt = password?.expiresAt
            }
            if change.isEnabled == true {
                try users.forgetFailures(of: id, tx)
                if policy.inactivity != nil { try users.recordActivity(of: id, at: now, tx) }
            }
            if change.password != nil || change.isEnabled == false { try users.revokeTokens(of: id, before: now, tx) }
            return user
        }
    }

    package func delete(_ id: UserID, for context: CallContext) async throws {
        try await database.write("user") { tx in
            let user = try load(id, for: context, tx)
            guard user.directoryID == nil else { throw IdentityError.readOnlyDirectory }
            try remove(id, tx)
        }
    }

    /// With everything that is the user's alone.
    func remove(_ id: UserID, _ tx: any Transaction) throws {
        try assignments.deleteAll(of: .user(id), tx)
        try applicationCredentials.deleteAll(of: id, tx)
        try CredentialStore.deleteAll(of: id, tx)
        try trusts.deleteAll(of: id, tx)
        try oauth.deleteAll(of: id, tx)
        try users.delete(id, tx)
    }

    /// By the user, who knows the old password; no token is needed (keystone: `UserChangePasswordResource`).
    package func changePassword(of id: UserID, from old: Secret, to new: Secret) async throws {
        // A password that has come to its end is good for being changed.
        let (user, known) = try await login.check(.id(id), old)
        guard user.isEnabled else { throw IdentityError.unauthorized }
        guard user.directoryID == nil else { throw IdentityError.readOnlyDirectory }
        guard !user.options.isSet("lock_password") else {
            throw CloudError.badRequest(
                "Password validation error: You cannot change your password at this time due to password policy "
                    + "disallowing password changes. Please contact your administrator to reset your password.")
        }
        try policy.check(new)
        let now = clock.now()
        try policy.checkAge(known, at: now)
        let count = policy.history
        for hash in count == 0 ? [] : try await database.read({ try users.passwordHistory(of: id, count, $0) }) {
            guard try await !hasher.verify(new, hash) else { throw policy.repeated }
        }
        let password = policy.password(try await hasher.hash(new), for: user.options, by: .user, at: now)
        try await database.write("user") { tx in
            // Somebody else changed it meanwhile: the old password is no longer the old password.
            guard try users.password(of: id, tx)?.hash == known.hash else { throw IdentityError.unauthorized }
            try users.setPassword(password, of: id, remembering: count, tx)
            try users.revokeTokens(of: id, before: now, tx)
        }
    }

    /// Disables accounts that nobody has signed in to for too long; may be repeated at any time.
    func disableUnused() async throws {
        guard let inactivity = policy.inactivity else { return }
        let now = clock.now()
        let isUnused: @Sendable (User) -> Bool = { user in !user.options.isSet("ignore_user_inactivity") }
        guard try await database.read({ try users.unused(since: now - inactivity, $0) }).contains(where: isUnused)
        else { return }
        try await database.write("user") { tx in
            for var user in try users.unused(since: now - inactivity, tx).filter(isUnused) {
                user.isEnabled = false
                try users.update(user, tx)
                try users.revokeTokens(of: user.id, before: now, tx)
            }
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
