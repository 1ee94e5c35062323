// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import SecurityKit

/// Signs users in whom an OpenID provider vouches for: `/OS-FEDERATION/identity_providers/{id}/protocols/{id}/auth`.
///
/// The provider's signed token says who it is, the protocol's mapping what that means here. Whom nobody knows yet
/// becomes a user of the provider's domain without a password; memberships that the mapping gives follow each sign-in
/// and end by themselves.
package struct FederatedSignIn: Sendable {
    /// Clocks of two clouds are never the same.
    private static let leeway: Duration = .seconds(60)

    let database: IdentityDatabase
    let tokens: TokenEngine
    let issuers: TokenIssuers
    let lifetime: Duration
    let clock: WallClock
    let ids: IDSource
    private let store = FederationStore()
    private let federated = FederatedUserStore()
    private let users = UserStore()
    private let groups = GroupStore()
    private let projects = ProjectStore()
    private let resolver = AccessResolver()

    init(
        database: IdentityDatabase, tokens: TokenEngine, issuers: TokenIssuers, lifetime: Duration, clock: WallClock,
        ids: IDSource
    ) {
        self.database = database
        self.tokens = tokens
        self.issuers = issuers
        self.lifetime = lifetime
        self.clock = clock
        self.ids = ids
    }

    /// An unscoped token for whom `bearer` is about.
    package func signIn(_ bearer: String, by source: FederatedUser.Source) async throws -> KnownToken {
        let now = clock.now()
        let (store, issuers) = (store, issuers)
        let (provider, mapping) = try await database.read { tx in
            guard let provider = try store.provider(source.providerID, tx),
                let way = try store.protocol(source.protocolID, of: source.providerID, tx)
            else {
                throw CloudError.notFound(
                    "Could not find federated protocol \(source.protocolID.prefix(64)) for Identity Provider: "
                        + "\(source.providerID.rawValue.prefix(64)).")
            }
            guard provider.isEnabled else {
                throw CloudError.forbidden("Identity Provider \(provider.id) is disabled.")
            }
            guard let mapping = try store.mapping(way.mappingID, tx) else {
                throw IdentityError.notFound("mapping", way.mappingID.rawValue)
            }
            return (provider, mapping)
        }
        let claims = try issuers.claims(bearer, of: provider.remoteIDs, at: now, leeway: Self.leeway)
        let mapped = try mapping.process(values: OpenIDAttributes.values(claims))
        let end = now + (provider.authorizationTTL.map { .seconds(Int64($0) * 60) } ?? lifetime)
        let user: UserID
        if mapped.isLocal {
            user = try await database.read { try self.localUser(mapped, $0) }
        } else {
            user = try await database.write("user") {
                try self.follow(mapped, of: provider, source, until: end, at: now, $0)
            }
        }
        return try await tokens.issue(mapped: user, until: min(end, now + lifetime), at: now)
    }

    // MARK: Users

    /// A mapping may name a user of this cloud. Nothing of that user is changed.
    private func localUser(_ mapped: MappedIdentity, _ tx: any Transaction) throws -> UserID {
        if let id = mapped.userID {
            guard let user = try users.find(UserID(id), tx) else { throw IdentityError.unauthorized }
            return user.id
        }
        guard let name = mapped.userName, let domain = try mapped.userDomain.flatMap({ try find($0, tx) }),
            let user = try users.find(named: name, in: domain, tx)
        else { throw IdentityError.unauthorized }
        return user.id
    }

    private func follow(
        _ mapped: MappedIdentity, of provider: IdentityProvider, _ source: FederatedUser.Source, until end: Timestamp,
        at now: Timestamp, _ tx: any Transaction
    ) throws -> UserID {
        guard let uniqueID = mapped.userID ?? mapped.userName,
            (1...User.maximumNameLength).contains(uniqueID.utf8.count)
        else { throw CloudError.badRequest("Could not map user while setting ephemeral user identity.") }
        let id: UserID
        if let known = try federated.find(uniqueID, of: source, tx) {
            id = known
        } else {
            id = ids.nextHex()
            let name = try freeName([mapped.userName ?? uniqueID, "\(uniqueID)@\(provider.id)"], provider.domainID, tx)
            var extras = Extras()
            if let email = mapped.email { extras.merge(Extras(["email": .string(String(email.prefix(255)))])) }
            let user = User(
                id: id, domainID: provider.domainID, name: name ?? id.rawValue, isEnabled: true, description: nil,
                defaultProjectID: nil, options: ResourceOptions(), extras: extras, createdAt: now)
            try users.insert(user, nil, tx)
            try federated.insert(FederatedUser(source: source, uniqueID: uniqueID), as: id, tx)
        }
        try federated.setMemberships(try groups(of: mapped, tx), of: id, until: end, tx)
        try resolver.withdrawApplicationCredentials(of: [id], tx)
        return id
    }

    /// A name that no other user of the domain has: a provider never takes over who is there.
    private func freeName(_ names: [String], _ domain: DomainID, _ tx: any Transaction) throws -> String? {
        try names.first { name in
            try (1...User.maximumNameLength).contains(name.utf8.count)
                && users.find(named: name, in: domain, tx) == nil
        }
    }

    /// Those that are there; upstream passes over others as well.
    private func groups(of mapped: MappedIdentity, _ tx: any Transaction) throws -> [GroupID] {
        var found = try mapped.groupIDs.map { GroupID($0) }.filter { try groups.find($0, tx) != nil }
        for group in mapped.groupNames {
            guard let domain = try find(group.domain, tx) else { continue }
            found += try groups.list(domain: domain, name: group.name, tx).map(\.id)
        }
        return found
    }

    private func find(_ domain: MappedIdentity.Domain, _ tx: any Transaction) throws -> DomainID? {
        if let id = domain.id { return try projects.findDomain(DomainID(id), tx)?.asDomainID }
        guard let name = domain.name else { return nil }
        return try projects.find(named: name, in: nil, tx)?.asDomainID
    }

    // MARK: Housekeeping

    /// Removes memberships whose time has come, with what was made of them; may be repeated at any time.
    func pass() async throws {
        let now = clock.now()
        let (federated, resolver) = (federated, resolver)
        guard try await !database.read({ try federated.usersWithEnded(before: now, $0) }).isEmpty else { return }
        try await database.write("group membership") { tx in
            let users = try federated.usersWithEnded(before: now, tx)
            try federated.deleteEnded(before: now, tx)
            try resolver.withdrawApplicationCredentials(of: users, tx)
        }
    }
}
