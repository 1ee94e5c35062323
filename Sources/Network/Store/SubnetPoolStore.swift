// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `subnetpools`.
enum SubnetPoolStore {
    static let schema = ListSchema(
        from: "FROM subnetpools b", id: "b.id", tags: "b.tags",
        [
            ListAttribute("id", "b.id"), ListAttribute("name", "b.name"), ListAttribute("project_id", "b.project_id"),
            ListAttribute("tenant_id", "b.project_id"), ListAttribute("description", "b.description"),
            ListAttribute("ip_version", "b.ip_version", .integer),
            ListAttribute("default_prefixlen", "b.default_length", .integer),
            ListAttribute("min_prefixlen", "b.minimum_length", .integer),
            ListAttribute("max_prefixlen", "b.maximum_length", .integer),
            ListAttribute("default_quota", "b.default_quota", .integer, isNullable: true),
            ListAttribute("address_scope_id", "b.address_scope", isNullable: true),
            ListAttribute("is_default", "b.is_default", .boolean),
            ListAttribute("revision_number", "b.revision", .integer),
            ListAttribute("created_at", "b.created_at", .time),
            ListAttribute("updated_at", "b.updated_at", .time),
            .filter("shared") { try Viewer.sharedWithAll("b.id", $0) },
        ])

    private static func columns(_ project: ProjectID?) -> SQL {
        """
        b.id, b.project_id, b.name, b.prefixes, b.default_length, b.minimum_length, b.maximum_length, b.default_quota, \
        b.address_scope, b.is_default, \(Viewer.isShared("b.id", with: project)), b.description, b.tags, b.revision, \
        b.created_at, b.updated_at
        """
    }

    private static func pool(_ row: any Row) throws -> SubnetPool {
        SubnetPool(
            id: row.id(0), project: row.id(1), name: row.text(2),
            prefixes: try JSONList.decode(row.text(3), at: StoredPlace("subnetpools", row.text(0), "prefixes")) {
                $0.string.flatMap { CIDR($0) }
            }, defaultLength: row.int(4),
            minimumLength: row.int(5), maximumLength: row.int(6), defaultQuota: row.intOrNil(7),
            addressScope: row.idOrNil(8), isDefault: row.bool(9), isShared: row.bool(10), standard: row.standard(11))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [SubnetPool] {
        let visible = viewer.ownsOrGranted("b.project_id", "b.id", "subnetpool")
        return try schema.list(
            query, columns: columns(viewer.project), where: visible, transaction,
            missing: { NetworkFault.subnetPoolNotFound(SubnetPoolID($0)) }, pool)
    }

    static func find(_ id: SubnetPoolID, for project: ProjectID?, _ transaction: any Transaction) throws -> SubnetPool?
    {
        try transaction.first("SELECT \(columns(project)) \(schema.from) WHERE b.id = \(id)", pool)
    }

    static func all(where condition: SQL, _ transaction: any Transaction) throws -> [SubnetPool] {
        try transaction.query("SELECT \(columns(nil)) \(schema.from) WHERE \(condition)", pool)
    }

    static func insert(_ pool: SubnetPool, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO subnetpools (id, project_id, name, description, ip_version, prefixes, default_length,
                minimum_length, maximum_length, default_quota, address_scope, is_default, tags, revision, created_at,
                updated_at)
            VALUES (\(pool.id), \(pool.project), \(pool.name), \(pool.standard.description), \(pool.ipVersion),
                \(JSONList.encode(pool.prefixes.map(\.description))), \(pool.defaultLength), \(pool.minimumLength),
                \(pool.maximumLength), \(pool.defaultQuota), \(pool.addressScope), \(pool.isDefault),
                \(pool.standard.tags), \(pool.standard.revision), \(pool.standard.createdAt),
                \(pool.standard.updatedAt))
            """)
    }

    static func update(_ pool: SubnetPool, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE subnetpools
               SET name = \(pool.name), description = \(pool.standard.description),
                   prefixes = \(JSONList.encode(pool.prefixes.map(\.description))),
                   default_length = \(pool.defaultLength), minimum_length = \(pool.minimumLength),
                   maximum_length = \(pool.maximumLength), default_quota = \(pool.defaultQuota),
                   address_scope = \(pool.addressScope), is_default = \(pool.isDefault),
                   tags = \(pool.standard.tags), revision = \(pool.standard.revision),
                   updated_at = \(pool.standard.updatedAt)
             WHERE id = \(pool.id)
            """)
    }

    static func delete(_ id: SubnetPoolID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_rbac WHERE object_id = \(id)")
        try transaction.execute("DELETE FROM subnetpools WHERE id = \(id)")
    }

    /// Prefixes that subnets have, with the projects that own them.
    static func allocations(of id: SubnetPoolID, _ transaction: any Transaction) throws -> [(
        cidr: CIDR, project: ProjectID
    )] {
        try transaction.query("SELECT cidr, project_id FROM subnets WHERE subnetpool = \(id)") { row in
            CIDR(row.text(0)).map { (cidr: $0, project: row.id(1)) }
        }.compactMap { $0 }
    }
}

/// Rows of `address_scopes`.
enum AddressScopeStore {
    static let schema = ListSchema(
        from: "FROM address_scopes a", id: "a.id", tags: "'[]'",
        [
            ListAttribute("id", "a.id"), ListAttribute("name", "a.name"), ListAttribute("project_id", "a.project_id"),
            ListAttribute("tenant_id", "a.project_id"), ListAttribute("ip_version", "a.ip_version", .integer),
            .filter("shared") { try Viewer.sharedWithAll("a.id", $0) },
        ])

    private static func columns(_ project: ProjectID?) -> SQL {
        "a.id, a.project_id, a.name, a.ip_version, \(Viewer.isShared("a.id", with: project))"
    }

    private static func scope(_ row: any Row) -> AddressScope {
        AddressScope(
            id: row.id(0), project: row.id(1), name: row.text(2), ipVersion: row.int(3), isShared: row.bool(4))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [AddressScope] {
        let visible = viewer.ownsOrGranted("a.project_id", "a.id", "address_scope")
        return try schema.list(
            query, columns: columns(viewer.project), where: visible, transaction,
            missing: { NetworkFault.addressScopeNotFound(AddressScopeID($0)) }, scope)
    }

    static func find(_ id: AddressScopeID, for project: ProjectID?, _ transaction: any Transaction) throws
        -> AddressScope?
    {
        try transaction.first("SELECT \(columns(project)) \(schema.from) WHERE a.id = \(id)", scope)
    }

    static func insert(_ scope: AddressScope, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO address_scopes (id, project_id, name, ip_version)
            VALUES (\(scope.id), \(scope.project), \(scope.name), \(scope.ipVersion))
            """)
    }

    static func update(_ scope: AddressScope, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE address_scopes SET name = \(scope.name) WHERE id = \(scope.id)")
    }

    static func delete(_ id: AddressScopeID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_rbac WHERE object_id = \(id)")
        try transaction.execute("DELETE FROM address_scopes WHERE id = \(id)")
    }

    /// The scopes of subnets whose pools are in one.
    static func scopes(of subnets: some Sequence<SubnetID>, _ transaction: any Transaction) throws
        -> [SubnetID: AddressScopeID]
    {
        var scopes: [SubnetID: AddressScopeID] = [:]
        for chunk in Array(Set(subnets)).slices() {
            try transaction.forEach(
                """
                SELECT s.id, b.address_scope FROM subnets s JOIN subnetpools b ON b.id = s.subnetpool
                 WHERE b.address_scope IS NOT NULL AND s.id IN \(list: chunk)
                """
            ) { scopes[$0.id(0)] = $0.id(1) }
        }
        return scopes
    }
}

extension Viewer {
    /// Whether any RBAC entry shows an object to `project`, as an expression.
    static func isGranted(_ id: SQL, to project: ProjectID?) -> SQL {
        """
        EXISTS (SELECT 1 FROM network_rbac r WHERE r.object_id = \(id) \
        AND r.target_project IN \(list: [project?.rawValue ?? "*", "*"]))
        """
    }

    /// Whether an object is shared with `project` or with everybody, as an expression.
    static func isShared(_ id: SQL, with project: ProjectID?) -> SQL {
        """
        EXISTS (SELECT 1 FROM network_rbac r WHERE r.object_id = \(id) AND r.action = 'access_as_shared' \
        AND r.target_project IN \(list: [project?.rawValue ?? "*", "*"]))
        """
    }

    /// The filter `shared=…`.
    static func sharedWithAll(_ id: SQL, _ values: [String]) throws -> SQL {
        let shared: SQL = """
            \(id) IN (SELECT object_id FROM network_rbac WHERE action = 'access_as_shared' AND target_project = '*')
            """
        return try ListAttribute.flag(values[0]) ? shared : "NOT" + shared
    }
}
