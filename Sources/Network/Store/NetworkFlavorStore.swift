// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `network_flavors` and of their bindings to service profiles.
enum NetworkFlavorStore {
    static let schema = ListSchema(
        from: "FROM network_flavors f", id: "f.id", tags: nil,
        [
            ListAttribute("id", "f.id"), ListAttribute("name", "f.name"),
            ListAttribute("description", "f.description"), ListAttribute("service_type", "f.service_type"),
            ListAttribute("enabled", "f.is_enabled", .boolean),
        ])

    private static let columns: SQL = "f.id, f.name, f.description, f.service_type, f.is_enabled"

    private static func flavor(_ row: any Row) -> NetworkFlavor {
        NetworkFlavor(
            id: row.id(0), name: row.text(1), description: row.text(2), serviceType: row.text(3),
            isEnabled: row.bool(4), profiles: [])
    }

    static func list(_ query: ListQuery, _ transaction: any Transaction) throws -> [NetworkFlavor] {
        var flavors = try schema.list(
            query, columns: columns, where: "1 = 1", transaction,
            missing: { NetworkFault.flavorNotFound(NetworkFlavorID($0)) }, flavor)
        var profiles: [NetworkFlavorID: [ServiceProfileID]] = [:]
        for chunk in flavors.map(\.id).slices() {
            try transaction.forEach(
                """
                SELECT flavor_id, profile_id FROM network_flavor_profiles WHERE flavor_id IN \(list: chunk)
                 ORDER BY position, profile_id
                """
            ) { profiles[$0.id(0), default: []].append($0.id(1)) }
        }
        for index in flavors.indices { flavors[index].profiles = profiles[flavors[index].id] ?? [] }
        return flavors
    }

    static func find(_ id: NetworkFlavorID, _ transaction: any Transaction) throws -> NetworkFlavor? {
        guard var found = try transaction.first("SELECT \(columns) \(schema.from) WHERE f.id = \(id)", flavor) else {
            return nil
        }
        found.profiles = try profiles(of: id, transaction).map(\.id)
        return found
    }

    /// In the order they were bound: the first that is enabled serves.
    static func profiles(of id: NetworkFlavorID, _ transaction: any Transaction) throws -> [(
        id: ServiceProfileID, driver: String, isEnabled: Bool
    )] {
        try transaction.query(
            """
            SELECT p.id, p.driver, p.is_enabled FROM network_flavor_profiles b
              JOIN network_service_profiles p ON p.id = b.profile_id
             WHERE b.flavor_id = \(id) ORDER BY b.position, p.id
            """
        ) { (id: $0.id(0), driver: $0.text(1), isEnabled: $0.bool(2)) }
    }

    static func insert(_ flavor: NetworkFlavor, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO network_flavors (id, name, description, service_type, is_enabled)
            VALUES (\(flavor.id), \(flavor.name), \(flavor.description), \(flavor.serviceType), \(flavor.isEnabled))
            """)
    }

    static func update(_ flavor: NetworkFlavor, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE network_flavors
               SET name = \(flavor.name), description = \(flavor.description), is_enabled = \(flavor.isEnabled)
             WHERE id = \(flavor.id)
            """)
    }

    static func delete(_ id: NetworkFlavorID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_flavor_profiles WHERE flavor_id = \(id)")
        try transaction.execute("DELETE FROM network_flavors WHERE id = \(id)")
    }

    static func isInUse(_ id: NetworkFlavorID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM routers WHERE flavor = \(id) LIMIT 1")
    }

    // MARK: Bindings

    /// False: they are bound already.
    static func bind(_ id: NetworkFlavorID, to profile: ServiceProfileID, _ transaction: any Transaction) throws -> Bool
    {
        let position = try transaction.count("SELECT COUNT(*) FROM network_flavor_profiles WHERE flavor_id = \(id)")
        return try transaction.execute(
            """
            INSERT INTO network_flavor_profiles (flavor_id, profile_id, position)
            VALUES (\(id), \(profile), \(position)) ON CONFLICT (flavor_id, profile_id) DO NOTHING
            """) == 1
    }

    /// False: they were not bound.
    static func unbind(_ id: NetworkFlavorID, from profile: ServiceProfileID, _ transaction: any Transaction) throws
        -> Bool
    {
        try transaction.execute(
            "DELETE FROM network_flavor_profiles WHERE flavor_id = \(id) AND profile_id = \(profile)") == 1
    }
}

/// Rows of `network_service_profiles`.
enum ServiceProfileStore {
    static let schema = ListSchema(
        from: "FROM network_service_profiles p", id: "p.id", tags: nil,
        [
            ListAttribute("id", "p.id"), ListAttribute("description", "p.description"),
            ListAttribute("driver", "p.driver"), ListAttribute("metainfo", "p.metainfo"),
            ListAttribute("enabled", "p.is_enabled", .boolean),
        ])

    private static let columns: SQL = "p.id, p.description, p.driver, p.metainfo, p.is_enabled"

    private static func profile(_ row: any Row) -> ServiceProfile {
        ServiceProfile(
            id: row.id(0), description: row.text(1), driver: row.text(2), metainfo: row.text(3),
            isEnabled: row.bool(4), flavors: [])
    }

    private static func flavors(of id: ServiceProfileID, _ transaction: any Transaction) throws -> [NetworkFlavorID] {
        try transaction.query(
            "SELECT flavor_id FROM network_flavor_profiles WHERE profile_id = \(id) ORDER BY flavor_id"
        ) { $0.id(0) }
    }

    static func list(_ query: ListQuery, _ transaction: any Transaction) throws -> [ServiceProfile] {
        var profiles = try schema.list(
            query, columns: columns, where: "1 = 1", transaction,
            missing: { NetworkFault.serviceProfileNotFound(ServiceProfileID($0)) }, profile)
        for index in profiles.indices { profiles[index].flavors = try flavors(of: profiles[index].id, transaction) }
        return profiles
    }

    static func find(_ id: ServiceProfileID, _ transaction: any Transaction) throws -> ServiceProfile? {
        guard var found = try transaction.first("SELECT \(columns) \(schema.from) WHERE p.id = \(id)", profile) else {
            return nil
        }
        found.flavors = try flavors(of: id, transaction)
        return found
    }

    static func insert(_ profile: ServiceProfile, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO network_service_profiles (id, description, driver, metainfo, is_enabled)
            VALUES (\(profile.id), \(profile.description), \(profile.driver), \(profile.metainfo),
                \(profile.isEnabled))
            """)
    }

    static func update(_ profile: ServiceProfile, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE network_service_profiles
               SET description = \(profile.description), driver = \(profile.driver), metainfo = \(profile.metainfo),
                   is_enabled = \(profile.isEnabled)
             WHERE id = \(profile.id)
            """)
    }

    static func delete(_ id: ServiceProfileID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_service_profiles WHERE id = \(id)")
    }
}
