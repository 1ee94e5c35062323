// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit
import Synchronization

/// Keeps who else may say who somebody is, and how that is read.
package struct FederationEngine: Sendable {
    let database: IdentityDatabase
    let clock: WallClock
    let ids: IDSource
    private let store = FederationStore()
    private let projects = ProjectStore()
    private let enabled = EnabledServiceProviders()
    private let users: UserEngine
    private let userStore = UserStore()
    private let federated = FederatedUserStore()

    init(database: IdentityDatabase, clock: WallClock, ids: IDSource, users: UserEngine) {
        self.users = users
        self.database = database
        self.clock = clock
        self.ids = ids
    }

    // MARK: Identity providers

    package func providers(for context: CallContext) async throws -> [IdentityProvider] {
        try context.authorize([:])
        return try await database.read { try store.providers($0) }
    }

    package func provider(_ id: IdentityProviderID, for context: CallContext) async throws -> IdentityProvider {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    /// Without a domain of its own it gets a new one (keystone: `_create_idp_domain`).
    package func create(_ id: IdentityProviderID, _ draft: IdentityProviderChange, for context: CallContext)
        async throws
        -> IdentityProvider
    {
        try context.authorize([:])
        let now = clock.now()
        let newDomain: DomainID = ids.nextHex()
        return try await database.write("identity_provider") { tx in
            guard try store.provider(id, tx) == nil else {
                throw CloudError.conflict(
                    "Conflict occurred attempting to store identity_provider - Duplicate ID, \(id.rawValue.prefix(64))."
                )
            }
            if let domain = draft.domainID {
                guard try projects.findDomain(domain, tx) != nil else {
                    throw IdentityError.notFound("domain", domain.rawValue)
                }
            } else {
                try projects.insert(
                    Project(
                        id: newDomain.asProjectID, domainID: nil, parentID: nil, name: newDomain.rawValue,
                        isEnabled: true,
                        description: "Auto generated federated domain for Identity Provider: \(id)",
                        options: ResourceOptions(), extras: Extras(), tags: []), at: now, tx)
            }
            let provider = IdentityProvider(
                id: id, domainID: draft.domainID ?? newDomain, isEnabled: draft.isEnabled ?? false,
                description: draft.description ?? nil, authorizationTTL: draft.authorizationTTL ?? nil,
                remoteIDs: draft.remoteIDs ?? [])
            try checkRemoteIDs(of: provider, tx)
            try store.insert(provider, tx)
            return provider
        }
    }

    package func update(_ id: IdentityProviderID, _ change: IdentityProviderChange, for context: CallContext)
        async throws
        -> IdentityProvider
    {
        try context.authorize([:])
        let now = clock.now()
        return try await database.write("identity_provider") { tx in
            var provider = try existing(id, tx)
            provider.isEnabled = change.isEnabled ?? provider.isEnabled
            if let description = change.description { provider.description = description }
            if let ttl = change.authorizationTTL { provider.authorizationTTL = ttl }
            provider.remoteIDs = change.remoteIDs ?? provider.remoteIDs
            try checkRemoteIDs(of: provider, tx)
            try store.update(provider, tx)
            if change.isEnabled == false {
                for user in try federated.users(of: id, tx) { try userStore.revokeTokens(of: user, before: now, tx) }
            }
            return provider
        }
    }

    package func delete(_ id: IdentityProviderID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("identity_provider") { tx in
            _ = try existing(id, tx)
            for user in try federated.users(of: id, tx) { try users.remove(user, tx) }
            try store.delete(id, tx)
        }
    }

    private func checkRemoteIDs(of provider: IdentityProvider, _ tx: any Transaction) throws {
        for remoteID in provider.remoteIDs {
            guard let holder = try store.holder(ofRemoteID: remoteID, tx), holder != provider.id else { continue }
            throw CloudError.conflict(
                "Conflict occurred attempting to store identity_provider - Duplicate remote ID: "
                    + "\(remoteID.prefix(255)).")
        }
    }

    private func existing(_ id: IdentityProviderID, _ tx: any Transaction) throws -> IdentityProvider {
        guard let provider = try store.provider(id, tx) else {
            throw IdentityError.notFound("Identity Provider", id.rawValue)
        }
        return provider
    }

    // MARK: Protocols

    package func protocols(of provider: IdentityProviderID, for context: CallContext) async throws
        -> [FederationProtocol]
    {
        try context.authorize([:])
        return try await database.read { tx in
            _ = try existing(provider, tx)
            return try store.protocols(of: provider, tx)
        }
    }

    package func show(protocol id: String, of provider: IdentityProviderID, for context: CallContext) async throws
        -> FederationProtocol
    {
        try context.authorize([:])
        return try await database.read { try existing(id, of: provider, $0) }
    }

    package func create(_ protocol: FederationProtocol, for context: CallContext) async throws -> FederationProtocol {
        try context.authorize([:])
        let made = `protocol`
        try await database.write("federation_protocol") { tx in
            _ = try existing(made.providerID, tx)
            try checkMapping(made.mappingID, tx)
            guard try store.protocol(made.id, of: made.providerID, tx) == nil else {
                throw IdentityError.duplicate("federation_protocol", "ID", made.id)
            }
            try store.insert(made, tx)
        }
        return made
    }

    package func update(
        protocol id: String, of provider: IdentityProviderID, mapping: FederationMappingID?,
        remoteIDAttribute: String??, for context: CallContext
    ) async throws -> FederationProtocol {
        try context.authorize([:])
        return try await database.write("federation_protocol") { tx in
            var changed = try existing(id, of: provider, tx)
            changed.mappingID = mapping ?? changed.mappingID
            if let remoteIDAttribute { changed.remoteIDAttribute = remoteIDAttribute }
            try checkMapping(changed.mappingID, tx)
            try store.update(changed, tx)
            return changed
        }
    }

    package func delete(protocol id: String, of provider: IdentityProviderID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("federation_protocol") { tx in
            guard try store.delete(id, of: provider, tx) else { throw Self.noProtocol(id, provider) }
            for user in try federated.users(of: provider, protocol: id, tx) { try users.remove(user, tx) }
        }
    }

    private func existing(_ id: String, of provider: IdentityProviderID, _ tx: any Transaction) throws
        -> FederationProtocol
    {
        guard let found = try store.protocol(id, of: provider, tx) else { throw Self.noProtocol(id, provider) }
        return found
    }

    private static func noProtocol(_ id: String, _ provider: IdentityProviderID) -> CloudError {
        .notFound(
            "Could not find federated protocol \(id.prefix(64)) for Identity Provider: \(provider.rawValue.prefix(64))."
        )
    }

    private func checkMapping(_ id: FederationMappingID, _ tx: any Transaction) throws {
        guard try store.mapping(id, tx) != nil else {
            throw CloudError.badRequest("Invalid mapping id: \(id.rawValue.prefix(64))")
        }
    }

    // MARK: Mappings

    package func mappings(for context: CallContext) async throws -> [FederationMapping] {
        try context.authorize([:])
        return try await database.read { try store.mappings($0) }
    }

    package func mapping(_ id: FederationMappingID, for context: CallContext) async throws -> FederationMapping {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func create(_ mapping: FederationMapping, for context: CallContext) async throws -> FederationMapping {
        try context.authorize([:])
        return try await database.write("mapping") { tx in
            guard try store.mapping(mapping.id, tx) == nil else {
                throw IdentityError.duplicate("mapping", "ID", mapping.id.rawValue)
            }
            try store.set(mapping, tx)
            return mapping
        }
    }

    package func replace(_ mapping: FederationMapping, for context: CallContext) async throws -> FederationMapping {
        try context.authorize([:])
        return try await database.write("mapping") { tx in
            _ = try existing(mapping.id, tx)
            try store.set(mapping, tx)
            return mapping
        }
    }

    package func delete(_ id: FederationMappingID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("mapping") { tx in
            guard try store.delete(id, tx) else { throw IdentityError.notFound("mapping", id.rawValue) }
        }
    }

    private func existing(_ id: FederationMappingID, _ tx: any Transaction) throws -> FederationMapping {
        guard let mapping = try store.mapping(id, tx) else { throw IdentityError.notFound("mapping", id.rawValue) }
        return mapping
    }

    // MARK: Service providers

    /// For every token that is shown; from memory until something changes.
    package func enabledServiceProviders() async throws -> [ServiceProvider] {
        let generation = database.generation.current
        if let known = enabled.get(generation) { return known }
        let found = try await database.read { [store] in try store.serviceProviders($0) }.filter(\.isEnabled)
        enabled.set(found, generation)
        return found
    }

    package func serviceProviders(for context: CallContext) async throws -> [ServiceProvider] {
        try context.authorize([:])
        return try await database.read { try store.serviceProviders($0) }
    }

    package func serviceProvider(_ id: ServiceProviderID, for context: CallContext) async throws -> ServiceProvider {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func create(_ provider: ServiceProvider, for context: CallContext) async throws -> ServiceProvider {
        try context.authorize([:])
        return try await database.write("service_provider") { tx in
            guard try store.serviceProvider(provider.id, tx) == nil else {
                throw IdentityError.duplicate("service_provider", "ID", provider.id.rawValue)
            }
            try store.insert(provider, tx)
            return provider
        }
    }

    package func update(_ id: ServiceProviderID, _ change: ServiceProviderChange, for context: CallContext) async throws
        -> ServiceProvider
    {
        try context.authorize([:])
        return try await database.write("service_provider") { tx in
            var provider = try existing(id, tx)
            provider.authURL = change.authURL ?? provider.authURL
            provider.url = change.url ?? provider.url
            provider.isEnabled = change.isEnabled ?? provider.isEnabled
            if let description = change.description { provider.description = description }
            if let prefix = change.relayStatePrefix { provider.relayStatePrefix = prefix }
            try store.update(provider, tx)
            return provider
        }
    }

    package func delete(_ id: ServiceProviderID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("service_provider") { tx in
            guard try store.delete(id, tx) else { throw IdentityError.notFound("Service Provider", id.rawValue) }
        }
    }

    private func existing(_ id: ServiceProviderID, _ tx: any Transaction) throws -> ServiceProvider {
        guard let provider = try store.serviceProvider(id, tx) else {
            throw IdentityError.notFound("Service Provider", id.rawValue)
        }
        return provider
    }
}

/// Those of one generation.
private final class EnabledServiceProviders: Sendable {
    private let latest = Mutex<(generation: UInt64, providers: [ServiceProvider])?>(nil)

    func get(_ generation: UInt64) -> [ServiceProvider]? {
        latest.withLock { $0?.generation == generation ? $0?.providers : nil }
    }

    func set(_ providers: [ServiceProvider], _ generation: UInt64) {
        latest.withLock { $0 = (generation, providers) }
    }
}
