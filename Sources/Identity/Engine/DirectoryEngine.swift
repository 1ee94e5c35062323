// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import LogKit
import SecurityKit
import Synchronization

/// Users and groups that live in a directory, for domains whose configuration says so.
///
/// Roles, tokens and trusts need rows, so the directory's users and groups have some that follow it: a user's with each
/// sign-in, everybody's with each round of `follow`. Passwords are the directory's; none is kept here.
struct DirectoryEngine: Sendable {
    private let database: IdentityDatabase
    private let directory: any UserDirectory
    private let clock: WallClock
    private let configs = DomainConfigStore()
    private let users = UserStore()
    private let groups = GroupStore()
    private let access = AccessResolver()
    private let known = KnownDirectories()
    private let log = Logger("identity")

    init(database: IdentityDatabase, directory: any UserDirectory, clock: WallClock) {
        self.database = database
        self.directory = directory
        self.clock = clock
    }

    // MARK: Signing in

    /// The domain of somebody who signs in, when its users are a directory's.
    func domain(of reference: AuthRequest.UserReference) async throws -> DomainID? {
        let directories = try await settings()
        guard !directories.isEmpty else { return nil }
        let (access, users) = (access, users)
        let domain = try await database.read { tx in
            switch reference {
            case .id(let id): try users.find(id, tx)?.domainID
            case .name(_, let domain): try access.find(domain, tx)?.asDomainID
            }
        }
        return domain.flatMap { directories[$0] == nil ? nil : $0 }
    }

    /// Throws `.unauthorized` unless the directory takes the password.
    func signIn(_ reference: AuthRequest.UserReference, of domain: DomainID, _ password: Secret) async throws
        -> (User, StoredPassword)
    {
        let users = users
        guard let settings = try await settings()[domain] else { throw IdentityError.unauthorized }
        let name: String?
        switch reference {
        case .id(let id): name = try await database.read { try users.find(id, $0)?.name }
        case .name(let given, _): name = given
        }
        guard let name, let found = try await directory.user(named: name, settings),
            try await directory.isPassword(password, of: found, settings)
        else { throw IdentityError.unauthorized }
        let id = Self.userID(of: found, in: domain)
        if case .id(let asked) = reference, asked != id { throw IdentityError.unauthorized }
        // Most sign-ins change nothing, and then nothing that was worked out is lost.
        let known = try await database.read { tx -> (User, StoredPassword)? in
            guard let user = try users.find(id, tx), user == Self.followed(user, found),
                let stored = try users.password(of: id, tx)
            else { return nil }
            return (user, stored)
        }
        if let known { return known }
        let now = clock.now()
        return try await database.write("user") { tx in
            guard let user = try follow(found, in: domain, at: now, tx), let stored = try users.password(of: id, tx)
            else { throw IdentityError.unauthorized }
            return (user, stored)
        }
    }

    // MARK: Following

    /// One round over all directories. One that cannot be asked leaves its rows as they are.
    func follow() async throws {
        for (domain, settings) in try await settings().sorted(by: { $0.key < $1.key }) {
            do {
                let (people, teams) = (try await directory.users(settings), try await directory.groups(settings))
                let now = clock.now()
                try await database.write("user") { tx in
                    try follow(people, teams, settings, in: domain, at: now, tx)
                }
            } catch let error as CloudError {
                log.warning("directory not followed", ["domain": domain, "error": error.description])
            }
        }
    }

    private func follow(
        _ people: [DirectoryUser], _ teams: [DirectoryGroup], _ settings: DirectorySettings, in domain: DomainID,
        at now: Timestamp, _ tx: any Transaction
    ) throws {
        var byMember: [String: UserID] = [:]
        for person in people {
            guard let user = try follow(person, in: domain, at: now, tx) else { continue }
            byMember[settings.membersAreIDs ? person.id : person.dn.lowercased()] = user.id
        }
        let present = Set(byMember.values)
        for var user in try users.list(UserFilter(domainID: domain), tx)
        where user.directoryID != nil && user.isEnabled && !present.contains(user.id) {
            user.isEnabled = false
            try users.update(user, tx)
            try users.revokeTokens(of: user.id, before: now, tx)
        }
        var kept = Set<GroupID>()
        for team in teams {
            let members = team.members.compactMap { byMember[settings.membersAreIDs ? $0 : $0.lowercased()] }
            if let id = try follow(team, Set(members), in: domain, tx) { kept.insert(id) }
        }
        for group in try groups.list(domain: domain, name: nil, tx)
        where group.directoryID != nil && !kept.contains(group.id) {
            try setMembers([], of: group.id, tx)
        }
    }

    /// Nil: another user of the domain has the name; the directory's stays out until that changes.
    private func follow(_ person: DirectoryUser, in domain: DomainID, at now: Timestamp, _ tx: any Transaction) throws
        -> User?
    {
        let id = Self.userID(of: person, in: domain)
        if let other = try users.find(named: person.name, in: domain, tx), other.id != id { return nil }
        guard let old = try users.find(id, tx) else {
            var user = User(
                id: id, domainID: domain, name: person.name, isEnabled: person.isEnabled,
                description: person.description, defaultProjectID: nil, options: ResourceOptions(),
                extras: Self.extras(person), createdAt: now)
            user.directoryID = person.id
            try users.insert(user, nil, tx)
            return user
        }
        let user = Self.followed(old, person)
        if user != old { try users.update(user, tx) }
        if old.isEnabled, !user.isEnabled { try users.revokeTokens(of: id, before: now, tx) }
        return user
    }

    private func follow(_ team: DirectoryGroup, _ members: Set<UserID>, in domain: DomainID, _ tx: any Transaction)
        throws -> GroupID?
    {
        let id = GroupID(Self.id(of: team.id, "group", in: domain))
        guard try groups.list(domain: domain, name: team.name, tx).allSatisfy({ $0.id == id }) else { return nil }
        let description = team.description ?? ""
        if var group = try groups.find(id, tx) {
            if group.name != team.name || group.description != description {
                (group.name, group.description) = (team.name, description)
                try groups.update(group, tx)
            }
        } else {
            var group = Group(id: id, domainID: domain, name: team.name, description: description, extras: Extras())
            group.directoryID = team.id
            try groups.insert(group, tx)
        }
        try setMembers(members, of: id, tx)
        return id
    }

    /// Who is no longer in a group loses the delegations that stood on its roles.
    private func setMembers(_ members: Set<UserID>, of group: GroupID, _ tx: any Transaction) throws {
        let old = Set(try groups.memberIDs(of: [group], tx)[group] ?? [])
        for user in members.subtracting(old).sorted() { try groups.addMember(user, to: group, tx) }
        let gone = old.subtracting(members).sorted()
        for user in gone { _ = try groups.removeMember(user, from: group, tx) }
        try access.withdrawApplicationCredentials(of: gone, tx)
    }

    // MARK: Parts

    /// The row as the directory has the user now.
    private static func followed(_ user: User, _ person: DirectoryUser) -> User {
        var user = user
        user.name = person.name
        user.isEnabled = person.isEnabled
        user.description = person.description
        user.extras.merge(extras(person))
        return user
    }

    private static func userID(of person: DirectoryUser, in domain: DomainID) -> UserID {
        UserID(id(of: person.id, "user", in: domain))
    }

    /// keystone: `id_generators/sha256.py`, over the parts in the order of their names.
    private static func id(of local: String, _ kind: String, in domain: DomainID) -> String {
        Hex.encode(Digest.of(Array((domain.rawValue + kind + local).utf8), .sha256))
    }

    private static func extras(_ person: DirectoryUser) -> Extras {
        Extras(person.email.map { ["email": .string($0)] } ?? [:])
    }

    private func settings() async throws -> [DomainID: DirectorySettings] {
        let generation = database.generation.current
        if let settings = known.get(generation) { return settings }
        let configs = configs
        let settings = try await database.read { tx in
            var settings: [DomainID: DirectorySettings] = [:]
            for domain in try configs.directories(tx) {
                settings[domain] = try configs.options(of: domain, withSecrets: true, tx).directorySettings
            }
            return settings
        }
        known.set(settings, generation)
        return settings
    }
}

/// Settings of one generation.
private final class KnownDirectories: Sendable {
    private let latest = Mutex<(generation: UInt64, settings: [DomainID: DirectorySettings])?>(nil)

    func get(_ generation: UInt64) -> [DomainID: DirectorySettings]? {
        latest.withLock { $0?.generation == generation ? $0?.settings : nil }
    }

    func set(_ settings: [DomainID: DirectorySettings], _ generation: UInt64) {
        latest.withLock { $0 = (generation, settings) }
    }
}
