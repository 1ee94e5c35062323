// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Endpoint groups, and the endpoints and groups that projects were given.
struct EndpointFilterStore: Sendable {
    private static let columns: SQL = "id, name, description, service_id, region_id, interface"

    // MARK: Groups

    func find(_ id: EndpointGroupID, _ tx: any Transaction) throws -> EndpointGroup? {
        try tx.first("SELECT \(Self.columns) FROM identity_endpoint_groups WHERE id = \(id)", Self.group)
    }

    func list(name: String? = nil, _ tx: any Transaction) throws -> [EndpointGroup] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_endpoint_groups"
        if let name { sql += "WHERE name = \(name)" }
        return try tx.query(sql + "ORDER BY name, id", Self.group)
    }

    func list(of project: ProjectID, _ tx: any Transaction) throws -> [EndpointGroup] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM identity_endpoint_groups
             WHERE id IN (SELECT endpoint_group_id FROM identity_project_endpoint_groups WHERE project_id = \(project))
             ORDER BY name, id
            """, Self.group)
    }

    func insert(_ group: EndpointGroup, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_endpoint_groups (\(Self.columns))
            VALUES (\(group.id), \(group.name), \(group.description), \(group.filter.serviceID),
                \(group.filter.regionID), \(group.filter.interface?.rawValue))
            """)
    }

    func update(_ group: EndpointGroup, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_endpoint_groups
               SET name = \(group.name), description = \(group.description), service_id = \(group.filter.serviceID),
                   region_id = \(group.filter.regionID), interface = \(group.filter.interface?.rawValue)
             WHERE id = \(group.id)
            """)
    }

    func delete(_ id: EndpointGroupID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_project_endpoint_groups WHERE endpoint_group_id = \(id)")
        try tx.execute("DELETE FROM identity_endpoint_groups WHERE id = \(id)")
    }

    // MARK: What projects have

    func has(_ project: ProjectID, _ endpoint: EndpointID, _ tx: any Transaction) throws -> Bool {
        try tx.exists(
            "SELECT 1 FROM identity_project_endpoints WHERE project_id = \(project) AND endpoint_id = \(endpoint)")
    }

    func has(_ project: ProjectID, _ group: EndpointGroupID, _ tx: any Transaction) throws -> Bool {
        try tx.exists(
            """
            SELECT 1 FROM identity_project_endpoint_groups
             WHERE project_id = \(project) AND endpoint_group_id = \(group)
            """)
    }

    func add(_ endpoint: EndpointID, to project: ProjectID, _ tx: any Transaction) throws {
        try tx.execute(
            "INSERT INTO identity_project_endpoints (project_id, endpoint_id) VALUES (\(project), \(endpoint))")
    }

    func add(_ group: EndpointGroupID, to project: ProjectID, _ tx: any Transaction) throws {
        try tx.execute(
            "INSERT INTO identity_project_endpoint_groups (project_id, endpoint_group_id) VALUES (\(project), \(group))"
        )
    }

    /// False: it had none.
    func remove(_ endpoint: EndpointID, from project: ProjectID, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            "DELETE FROM identity_project_endpoints WHERE project_id = \(project) AND endpoint_id = \(endpoint)") == 1
    }

    func remove(_ group: EndpointGroupID, from project: ProjectID, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            DELETE FROM identity_project_endpoint_groups
             WHERE project_id = \(project) AND endpoint_group_id = \(group)
            """) == 1
    }

    func projects(of endpoint: EndpointID, _ tx: any Transaction) throws -> [ProjectID] {
        try tx.query(
            "SELECT project_id FROM identity_project_endpoints WHERE endpoint_id = \(endpoint) ORDER BY project_id"
        ) { $0.id(0) }
    }

    func projects(of group: EndpointGroupID, _ tx: any Transaction) throws -> [ProjectID] {
        try tx.query(
            """
            SELECT project_id FROM identity_project_endpoint_groups WHERE endpoint_group_id = \(group)
             ORDER BY project_id
            """
        ) { $0.id(0) }
    }

    /// For every project that was given any: its endpoints, of `endpoints`.
    func selections(of endpoints: [Endpoint], _ tx: any Transaction) throws -> [ProjectID: Set<EndpointID>] {
        var selections: [ProjectID: Set<EndpointID>] = [:]
        try tx.forEach("SELECT project_id, endpoint_id FROM identity_project_endpoints") { row in
            selections[row.id(0), default: []].insert(row.id(1))
        }
        var members: [EndpointGroupID: [EndpointID]] = [:]
        for group in try list(tx) { members[group.id] = endpoints.filter(group.filter.takes).map(\.id) }
        try tx.forEach("SELECT project_id, endpoint_group_id FROM identity_project_endpoint_groups") { row in
            selections[row.id(0), default: []].formUnion(members[row.id(1)] ?? [])
        }
        return selections.filter { !$0.value.isEmpty }
    }

    func deleteAll(on project: ProjectID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_project_endpoints WHERE project_id = \(project)")
        try tx.execute("DELETE FROM identity_project_endpoint_groups WHERE project_id = \(project)")
    }

    private static func group(_ row: any Row) throws -> EndpointGroup {
        var filter = EndpointGroup.Filter()
        filter.serviceID = row.idOrNil(3)
        filter.regionID = row.idOrNil(4)
        filter.interface = row.textOrNil(5).flatMap { Endpoint.Interface(rawValue: $0) }
        return EndpointGroup(id: row.id(0), name: row.text(1), description: row.textOrNil(2), filter: filter)
    }
}
