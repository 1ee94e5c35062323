// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Identity providers with their protocols, mappings, and service providers.
struct FederationStore: Sendable {
    private static let providerColumns: SQL = "id, domain_id, enabled, description, authorization_ttl"
    private static let protocolColumns: SQL = "id, provider_id, mapping_id, remote_id_attribute"
    private static let spColumns: SQL = "id, auth_url, sp_url, enabled, description, relay_state_prefix"

    // MARK: Identity providers

    func provider(_ id: IdentityProviderID, _ tx: any Transaction) throws -> IdentityProvider? {
        try tx.first("SELECT \(Self.providerColumns) FROM identity_providers WHERE id = \(id)", Self.provider)
            .map { try complete($0, tx) }
    }

    func providers(_ tx: any Transaction) throws -> [IdentityProvider] {
        try tx.query("SELECT \(Self.providerColumns) FROM identity_providers ORDER BY id", Self.provider)
            .map { try complete($0, tx) }
    }

    func insert(_ provider: IdentityProvider, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_providers (\(Self.providerColumns))
            VALUES (\(provider.id), \(provider.domainID), \(provider.isEnabled), \(provider.description),
                \(provider.authorizationTTL))
            """)
        try setRemoteIDs(of: provider, tx)
    }

    func update(_ provider: IdentityProvider, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_providers
               SET domain_id = \(provider.domainID), enabled = \(provider.isEnabled),
                   description = \(provider.description), authorization_ttl = \(provider.authorizationTTL)
             WHERE id = \(provider.id)
            """)
        try setRemoteIDs(of: provider, tx)
    }

    func delete(_ id: IdentityProviderID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_provider_protocols WHERE provider_id = \(id)")
        try tx.execute("DELETE FROM identity_provider_remote_ids WHERE provider_id = \(id)")
        try tx.execute("DELETE FROM identity_providers WHERE id = \(id)")
    }

    func deleteAll(of domain: DomainID, _ tx: any Transaction) throws {
        for provider in try providers(tx) where provider.domainID == domain { try delete(provider.id, tx) }
    }

    /// Who calls itself so.
    func holder(ofRemoteID remoteID: String, _ tx: any Transaction) throws -> IdentityProviderID? {
        try tx.first("SELECT provider_id FROM identity_provider_remote_ids WHERE remote_id = \(remoteID)") { $0.id(0) }
    }

    private func setRemoteIDs(of provider: IdentityProvider, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_provider_remote_ids WHERE provider_id = \(provider.id)")
        for id in provider.remoteIDs {
            try tx.execute(
                "INSERT INTO identity_provider_remote_ids (remote_id, provider_id) VALUES (\(id), \(provider.id))")
        }
    }

    private func complete(_ provider: IdentityProvider, _ tx: any Transaction) throws -> IdentityProvider {
        var provider = provider
        provider.remoteIDs = try tx.query(
            "SELECT remote_id FROM identity_provider_remote_ids WHERE provider_id = \(provider.id) ORDER BY remote_id"
        ) { $0.text(0) }
        return provider
    }

    // MARK: Protocols

    func `protocol`(_ id: String, of provider: IdentityProviderID, _ tx: any Transaction) throws -> FederationProtocol?
    {
        try tx.first(
            """
            SELECT \(Self.protocolColumns) FROM identity_provider_protocols
             WHERE provider_id = \(provider) AND id = \(id)
            """, Self.protocol)
    }

    func protocols(of provider: IdentityProviderID, _ tx: any Transaction) throws -> [FederationProtocol] {
        try tx.query(
            """
            SELECT \(Self.protocolColumns) FROM identity_provider_protocols WHERE provider_id = \(provider)
             ORDER BY id
            """, Self.protocol)
    }

    func insert(_ protocol: FederationProtocol, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_provider_protocols (\(Self.protocolColumns))
            VALUES (\(`protocol`.id), \(`protocol`.providerID), \(`protocol`.mappingID),
                \(`protocol`.remoteIDAttribute))
            """)
    }

    func update(_ protocol: FederationProtocol, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_provider_protocols
               SET mapping_id = \(`protocol`.mappingID), remote_id_attribute = \(`protocol`.remoteIDAttribute)
             WHERE provider_id = \(`protocol`.providerID) AND id = \(`protocol`.id)
            """)
    }

    /// False: there was none.
    func delete(_ id: String, of provider: IdentityProviderID, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            "DELETE FROM identity_provider_protocols WHERE provider_id = \(provider) AND id = \(id)") == 1
    }

    // MARK: Mappings

    func mapping(_ id: FederationMappingID, _ tx: any Transaction) throws -> FederationMapping? {
        try tx.first("SELECT id, rules, schema_version FROM identity_mappings WHERE id = \(id)", Self.mapping)
    }

    func mappings(_ tx: any Transaction) throws -> [FederationMapping] {
        try tx.query("SELECT id, rules, schema_version FROM identity_mappings ORDER BY id", Self.mapping)
    }

    func set(_ mapping: FederationMapping, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_mappings (id, rules, schema_version)
            VALUES (\(mapping.id), \(mapping.source.text()), \(mapping.version.rawValue))
            ON CONFLICT (id) DO UPDATE SET rules = excluded.rules, schema_version = excluded.schema_version
            """)
    }

    /// False: there was none.
    func delete(_ id: FederationMappingID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM identity_mappings WHERE id = \(id)") == 1
    }

    // MARK: Service providers

    func serviceProvider(_ id: ServiceProviderID, _ tx: any Transaction) throws -> ServiceProvider? {
        try tx.first("SELECT \(Self.spColumns) FROM identity_service_providers WHERE id = \(id)", Self.serviceProvider)
    }

    func serviceProviders(_ tx: any Transaction) throws -> [ServiceProvider] {
        try tx.query("SELECT \(Self.spColumns) FROM identity_service_providers ORDER BY id", Self.serviceProvider)
    }

    func insert(_ provider: ServiceProvider, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_service_providers (\(Self.spColumns))
            VALUES (\(provider.id), \(provider.authURL), \(provider.url), \(provider.isEnabled),
                \(provider.description), \(provider.relayStatePrefix))
            """)
    }

    func update(_ provider: ServiceProvider, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_service_providers
               SET auth_url = \(provider.authURL), sp_url = \(provider.url), enabled = \(provider.isEnabled),
                   description = \(provider.description), relay_state_prefix = \(provider.relayStatePrefix)
             WHERE id = \(provider.id)
            """)
    }

    /// False: there was none.
    func delete(_ id: ServiceProviderID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM identity_service_providers WHERE id = \(id)") == 1
    }

    // MARK: Rows

    private static func provider(_ row: any Row) -> IdentityProvider {
        IdentityProvider(
            id: row.id(0), domainID: row.id(1), isEnabled: row.bool(2), description: row.textOrNil(3),
            authorizationTTL: row.intOrNil(4), remoteIDs: [])
    }

    private static func `protocol`(_ row: any Row) -> FederationProtocol {
        FederationProtocol(
            id: row.text(0), providerID: row.id(1), mappingID: row.id(2), remoteIDAttribute: row.textOrNil(3))
    }

    private static func mapping(_ row: any Row) throws -> FederationMapping {
        try FederationMapping(id: row.id(0), rules: try JSONReader.read(row.text(1)), version: try row.word(2))
    }

    private static func serviceProvider(_ row: any Row) -> ServiceProvider {
        var provider = ServiceProvider(
            id: row.id(0), authURL: row.text(1), url: row.text(2), isEnabled: row.bool(3))
        provider.description = row.textOrNil(4)
        provider.relayStatePrefix = row.textOrNil(5)
        return provider
    }
}
