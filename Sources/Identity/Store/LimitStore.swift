// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Registered limits and limits. `region_id` is '' for "in every region".
struct LimitStore: Sendable {
    struct Filter: Sendable {
        var serviceID: CatalogServiceID?
        var regionID: RegionID?
        var resourceName: String?
        var owner: Limit.Owner?
    }

    private static let registeredColumns: SQL =
        "id, service_id, region_id, resource_name, default_limit, description"
    private static let columns: SQL =
        "id, owner_kind, owner_id, service_id, region_id, resource_name, resource_limit, description"

    // MARK: Registered limits

    func registered(_ id: RegisteredLimitID, _ tx: any Transaction) throws -> RegisteredLimit? {
        try tx.first(
            "SELECT \(Self.registeredColumns) FROM identity_registered_limits WHERE id = \(id)", Self.registeredLimit)
    }

    func registered(_ filter: Filter, _ tx: any Transaction) throws -> [RegisteredLimit] {
        let sql: SQL = "SELECT \(Self.registeredColumns) FROM identity_registered_limits WHERE 1 = 1"
        return try tx.query(
            sql + Self.conditions(filter) + "ORDER BY service_id, resource_name, id", Self.registeredLimit)
    }

    func isRegistered(
        _ service: CatalogServiceID, _ region: RegionID?, _ resource: String, _ tx: any Transaction
    ) throws -> Bool {
        try tx.exists(
            """
            SELECT 1 FROM identity_registered_limits
             WHERE service_id = \(service) AND region_id = \(region?.rawValue ?? "") AND resource_name = \(resource)
            """)
    }

    func insert(_ limit: RegisteredLimit, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_registered_limits (\(Self.registeredColumns))
            VALUES (\(limit.id), \(limit.serviceID), \(limit.regionID?.rawValue ?? ""), \(limit.resourceName),
                \(limit.defaultLimit), \(limit.description))
            """)
    }

    func update(_ limit: RegisteredLimit, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_registered_limits
               SET service_id = \(limit.serviceID), region_id = \(limit.regionID?.rawValue ?? ""),
                   resource_name = \(limit.resourceName), default_limit = \(limit.defaultLimit),
                   description = \(limit.description)
             WHERE id = \(limit.id)
            """)
    }

    func deleteRegistered(_ id: RegisteredLimitID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_registered_limits WHERE id = \(id)")
    }

    /// Whether a project or domain has a limit of its own that refers to this one.
    func isUsed(_ limit: RegisteredLimit, _ tx: any Transaction) throws -> Bool {
        try tx.exists(
            """
            SELECT 1 FROM identity_limits
             WHERE service_id = \(limit.serviceID) AND region_id = \(limit.regionID?.rawValue ?? "")
               AND resource_name = \(limit.resourceName)
            """)
    }

    // MARK: Limits

    func find(_ id: LimitID, _ tx: any Transaction) throws -> Limit? {
        try tx.first("SELECT \(Self.columns) FROM identity_limits WHERE id = \(id)", Self.limit)
    }

    func list(_ filter: Filter, _ tx: any Transaction) throws -> [Limit] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_limits WHERE 1 = 1"
        switch filter.owner {
        case .project(let id): sql += "AND owner_kind = 'project' AND owner_id = \(id)"
        case .domain(let id): sql += "AND owner_kind = 'domain' AND owner_id = \(id)"
        case nil: break
        }
        return try tx.query(
            sql + Self.conditions(filter) + "ORDER BY owner_id, service_id, resource_name, id", Self.limit)
    }

    func insert(_ limit: Limit, _ tx: any Transaction) throws {
        let (kind, owner) =
            switch limit.owner {
            case .project(let id): ("project", id.rawValue)
            case .domain(let id): ("domain", id.rawValue)
            }
        try tx.execute(
            """
            INSERT INTO identity_limits (\(Self.columns))
            VALUES (\(limit.id), \(kind), \(owner), \(limit.serviceID), \(limit.regionID?.rawValue ?? ""),
                \(limit.resourceName), \(limit.resourceLimit), \(limit.description))
            """)
    }

    func update(_ limit: Limit, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_limits SET resource_limit = \(limit.resourceLimit), description = \(limit.description)
             WHERE id = \(limit.id)
            """)
    }

    func delete(_ id: LimitID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_limits WHERE id = \(id)")
    }

    func deleteAll(ownedBy id: String, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_limits WHERE owner_id = \(id)")
    }

    // MARK: Rows

    private static func conditions(_ filter: Filter) -> SQL {
        var sql: SQL = ""
        if let service = filter.serviceID { sql += "AND service_id = \(service)" }
        if let region = filter.regionID { sql += "AND region_id = \(region)" }
        if let resource = filter.resourceName { sql += "AND resource_name = \(resource)" }
        return sql
    }

    private static func registeredLimit(_ row: any Row) -> RegisteredLimit {
        RegisteredLimit(
            id: row.id(0), serviceID: row.id(1), regionID: row.text(2).isEmpty ? nil : row.id(2),
            resourceName: row.text(3), defaultLimit: row.int(4), description: row.textOrNil(5))
    }

    private static func limit(_ row: any Row) -> Limit {
        Limit(
            id: row.id(0), owner: row.text(1) == "domain" ? .domain(row.id(2)) : .project(row.id(2)),
            serviceID: row.id(3), regionID: row.text(4).isEmpty ? nil : row.id(4), resourceName: row.text(5),
            resourceLimit: row.int(6), description: row.textOrNil(7))
    }
}
