// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Regions, services and endpoints.
struct CatalogStore: Sendable {
    private static let regionColumns: SQL = "id, parent_id, description, extras"
    private static let serviceColumns: SQL = "id, type, name, description, enabled, extras"
    private static let endpointColumns: SQL = "id, service_id, region_id, interface, url, enabled, extras"

    // MARK: Regions

    func region(_ id: RegionID, _ tx: any Transaction) throws -> Region? {
        try tx.first("SELECT \(Self.regionColumns) FROM identity_regions WHERE id = \(id)", Self.region)
    }

    func regions(parent: RegionID?, _ tx: any Transaction) throws -> [Region] {
        var sql: SQL = "SELECT \(Self.regionColumns) FROM identity_regions"
        if let parent { sql += "WHERE parent_id = \(parent)" }
        return try tx.query(sql + "ORDER BY id", Self.region)
    }

    func insert(_ region: Region, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_regions (id, parent_id, description, extras)
            VALUES (\(region.id), \(region.parentID), \(region.description), \(region.extras.text))
            """)
    }

    func update(_ region: Region, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_regions
               SET parent_id = \(region.parentID), description = \(region.description), extras = \(region.extras.text)
             WHERE id = \(region.id)
            """)
    }

    func delete(_ id: RegionID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_policy_associations WHERE region_id = \(id)")
        try tx.execute("DELETE FROM identity_regions WHERE id = \(id)")
    }

    // MARK: Services

    func service(_ id: CatalogServiceID, _ tx: any Transaction) throws -> CatalogService? {
        try tx.first("SELECT \(Self.serviceColumns) FROM identity_services WHERE id = \(id)", Self.service)
    }

    func services(type: String? = nil, name: String? = nil, _ tx: any Transaction) throws -> [CatalogService] {
        var sql: SQL = "SELECT \(Self.serviceColumns) FROM identity_services WHERE 1 = 1"
        if let type { sql += "AND type = \(type)" }
        if let name { sql += "AND name = \(name)" }
        return try tx.query(sql + "ORDER BY type, id", Self.service)
    }

    func insert(_ service: CatalogService, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_services (id, type, name, description, enabled, extras)
            VALUES (\(service.id), \(service.type), \(service.name), \(service.description), \(service.isEnabled),
                \(service.extras.text))
            """)
    }

    func update(_ service: CatalogService, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_services
               SET type = \(service.type), name = \(service.name), description = \(service.description),
                   enabled = \(service.isEnabled), extras = \(service.extras.text)
             WHERE id = \(service.id)
            """)
    }

    /// With its endpoints, as upstream does.
    func delete(_ id: CatalogServiceID, _ tx: any Transaction) throws {
        for endpoint in try endpoints(service: id, tx) { _ = try delete(endpoint.id, tx) }
        try tx.execute("DELETE FROM identity_policy_associations WHERE service_id = \(id)")
        try tx.execute("DELETE FROM identity_services WHERE id = \(id)")
    }

    // MARK: Endpoints

    func endpoint(_ id: EndpointID, _ tx: any Transaction) throws -> Endpoint? {
        try tx.first("SELECT \(Self.endpointColumns) FROM identity_endpoints WHERE id = \(id)", Self.endpoint)
    }

    func endpoints(
        service: CatalogServiceID? = nil, region: RegionID? = nil, interface: Endpoint.Interface? = nil,
        _ tx: any Transaction
    ) throws -> [Endpoint] {
        var sql: SQL = "SELECT \(Self.endpointColumns) FROM identity_endpoints WHERE 1 = 1"
        if let service { sql += "AND service_id = \(service)" }
        if let region { sql += "AND region_id = \(region)" }
        if let interface { sql += "AND interface = \(interface.rawValue)" }
        return try tx.query(sql + "ORDER BY service_id, interface, id", Self.endpoint)
    }

    func insert(_ endpoint: Endpoint, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_endpoints (id, service_id, region_id, interface, url, enabled, extras)
            VALUES (\(endpoint.id), \(endpoint.serviceID), \(endpoint.regionID), \(endpoint.interface.rawValue),
                \(endpoint.url.template), \(endpoint.isEnabled), \(endpoint.extras.text))
            """)
    }

    func update(_ endpoint: Endpoint, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_endpoints
               SET service_id = \(endpoint.serviceID), region_id = \(endpoint.regionID),
                   interface = \(endpoint.interface.rawValue), url = \(endpoint.url.template),
                   enabled = \(endpoint.isEnabled), extras = \(endpoint.extras.text)
             WHERE id = \(endpoint.id)
            """)
    }

    /// False: there was none.
    func delete(_ id: EndpointID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM identity_project_endpoints WHERE endpoint_id = \(id)")
        try tx.execute("DELETE FROM identity_policy_associations WHERE endpoint_id = \(id)")
        return try tx.execute("DELETE FROM identity_endpoints WHERE id = \(id)") == 1
    }

    // MARK: Rows

    private static func region(_ row: any Row) throws -> Region {
        Region(
            id: row.id(0), parentID: row.idOrNil(1), description: row.text(2), extras: try Extras(column: row.text(3)))
    }

    private static func service(_ row: any Row) throws -> CatalogService {
        CatalogService(
            id: row.id(0), type: row.text(1), name: row.textOrNil(2), description: row.textOrNil(3),
            isEnabled: row.bool(4), extras: try Extras(column: row.text(5)))
    }

    private static func endpoint(_ row: any Row) throws -> Endpoint {
        Endpoint(
            id: row.id(0), serviceID: row.id(1), regionID: row.idOrNil(2), interface: try row.word(3),
            url: EndpointURL(stored: row.text(4)), isEnabled: row.bool(5), extras: try Extras(column: row.text(6)))
    }
}
