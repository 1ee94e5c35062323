// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `security_groups` and `security_group_rules`.
enum SecurityGroupStore {
    static let schema = ListSchema(
        from: "FROM security_groups g", id: "g.id", tags: "g.tags",
        [
            ListAttribute("id", "g.id"), ListAttribute("name", "g.name"), ListAttribute("project_id", "g.project_id"),
            ListAttribute("tenant_id", "g.project_id"), ListAttribute("description", "g.description"),
            ListAttribute("stateful", "g.is_stateful", .boolean),
            ListAttribute("revision_number", "g.revision", .integer),
            ListAttribute("created_at", "g.created_at", .time),
            ListAttribute("updated_at", "g.updated_at", .time),
            .filter("shared") { try Viewer.sharedWithAll("g.id", $0) },
        ])

    static let ruleSchema = ListSchema(
        from: """
            FROM security_group_rules r JOIN security_groups g ON g.id = r.group_id \
            LEFT JOIN default_security_groups d ON d.group_id = r.group_id
            """, id: "r.id", tags: "r.tags",
        [
            ListAttribute("id", "r.id"), ListAttribute("project_id", "r.project_id"),
            ListAttribute("tenant_id", "r.project_id"), ListAttribute("description", "r.description"),
            ListAttribute("security_group_id", "r.group_id"),
            ListAttribute("remote_group_id", "r.remote_group", isNullable: true),
            ListAttribute("direction", "CASE WHEN r.is_ingress = 1 THEN 'ingress' ELSE 'egress' END"),
            ListAttribute("ethertype", "CASE WHEN r.is_ipv6 = 1 THEN 'IPv6' ELSE 'IPv4' END"),
            ListAttribute("protocol", "r.protocol", isNullable: true),
            ListAttribute("port_range_min", "r.port_minimum", .integer, isNullable: true),
            ListAttribute("port_range_max", "r.port_maximum", .integer, isNullable: true),
            ListAttribute("remote_ip_prefix", "r.remote_prefix", isNullable: true),
            ListAttribute("revision_number", "r.revision", .integer),
            ListAttribute("created_at", "r.created_at", .time),
            ListAttribute("updated_at", "r.updated_at", .time),
            ListAttribute("remote_address_group_id", "r.remote_address_group", isNullable: true),
            .filter("belongs_to_default_sg") { values in
                try ListAttribute.flag(values[0]) ? "d.group_id IS NOT NULL" : "d.group_id IS NULL"
            },
        ])

    private static func columns(_ project: ProjectID?) -> SQL {
        """
        g.id, g.project_id, g.name, g.is_stateful, \
        \(Viewer.isShared("g.id", with: project)), g.description, g.tags, g.revision, g.created_at, g.updated_at
        """
    }

    private static func group(_ row: any Row) -> SecurityGroup {
        SecurityGroup(
            id: row.id(0), project: row.id(1), name: row.text(2), isStateful: row.bool(3), isShared: row.bool(4),
            rules: [], standard: row.standard(5))
    }

    private static let ruleColumns: SQL = """
        r.id, r.project_id, r.group_id, r.is_ingress, r.is_ipv6, r.protocol, r.port_minimum, r.port_maximum, \
        r.remote_prefix, r.remote_group, d.group_id, r.description, r.tags, r.revision, r.created_at, r.updated_at, \
        r.remote_address_group
        """

    private static func rule(_ row: any Row) -> SecurityGroupRule {
        SecurityGroupRule(
            id: row.id(0), project: row.id(1), group: row.id(2), isIngress: row.bool(3), isIPv6: row.bool(4),
            protocolName: row.textOrNil(5), portMinimum: row.intOrNil(6), portMaximum: row.intOrNil(7),
            remotePrefix: row.textOrNil(8), remoteGroup: row.idOrNil(9), remoteAddressGroup: row.idOrNil(16),
            belongsToDefaultGroup: !row.isNull(10), standard: row.standard(11))
    }

    // MARK: Groups

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [SecurityGroup] {
        let visible = viewer.ownsOrGranted("g.project_id", "g.id", "security_group")
        var groups = try schema.list(
            query, columns: columns(viewer.project), where: visible, transaction,
            missing: { NetworkFault.groupNotFound(SecurityGroupID($0)) }, group)
        guard query.fields?.contains("security_group_rules") ?? true else { return groups }
        var rules: [SecurityGroupID: [SecurityGroupRule]] = [:]
        for chunk in groups.map(\.id).slices() {
            for rule in try self.rules(where: "r.group_id IN \(list: chunk)", transaction) {
                rules[rule.group, default: []].append(rule)
            }
        }
        for index in groups.indices { groups[index].rules = rules[groups[index].id] ?? [] }
        return groups
    }

    static func find(_ id: SecurityGroupID, for project: ProjectID?, _ transaction: any Transaction) throws
        -> SecurityGroup?
    {
        guard var group = try transaction.first("SELECT \(columns(project)) \(schema.from) WHERE g.id = \(id)", group)
        else { return nil }
        group.rules = try rules(where: "r.group_id = \(id)", transaction)
        return group
    }

    static func all(_ transaction: any Transaction) throws -> [SecurityGroupID] {
        try transaction.query("SELECT id FROM security_groups") { $0.id(0) }
    }

    static func insert(_ group: SecurityGroup, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO security_groups (id, project_id, name, description, is_stateful, tags, revision, created_at,
                updated_at)
            VALUES (\(group.id), \(group.project), \(group.name), \(group.standard.description), \(group.isStateful),
                \(group.standard.tags), \(group.standard.revision), \(group.standard.createdAt),
                \(group.standard.updatedAt))
            """)
        for rule in group.rules { try insert(rule, transaction) }
    }

    static func update(_ group: SecurityGroup, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE security_groups
               SET name = \(group.name), description = \(group.standard.description), is_stateful = \(group.isStateful),
                   tags = \(group.standard.tags), revision = \(group.standard.revision),
                   updated_at = \(group.standard.updatedAt)
             WHERE id = \(group.id)
            """)
    }

    static func delete(_ id: SecurityGroupID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM security_group_rules WHERE group_id = \(id)")
        try transaction.execute("DELETE FROM network_rbac WHERE object_id = \(id)")
        try NetworkLogStore.delete(about: id.rawValue, transaction)
        try transaction.execute("DELETE FROM default_security_groups WHERE group_id = \(id)")
        try transaction.execute("DELETE FROM default_security_group_rules WHERE remote_group = \(id)")
        try transaction.execute("DELETE FROM security_groups WHERE id = \(id)")
    }

    static func isInUse(_ id: SecurityGroupID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM port_groups WHERE group_id = \(id) LIMIT 1")
    }

    // MARK: Default group

    static func defaultGroup(of project: ProjectID, _ transaction: any Transaction) throws -> SecurityGroupID? {
        try transaction.first("SELECT group_id FROM default_security_groups WHERE project_id = \(project)") { $0.id(0) }
    }

    static func setDefault(_ id: SecurityGroupID, of project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute(
            "INSERT INTO default_security_groups (project_id, group_id) VALUES (\(project), \(id))")
    }

    // MARK: Rules

    static func listRules(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws
        -> [SecurityGroupRule]
    {
        let own = viewer.owns("r.project_id", orHosts: "r.host_project")
        let granted: [SQL] = viewer.seesAll ? [] : ["g.id IN (\(viewer.granted("security_group")))"]
        return try ruleSchema.list(
            query, columns: ruleColumns, where: Visibility(own.parts + granted), transaction,
            missing: { NetworkFault.ruleNotFound(SecurityGroupRuleID($0)) }, rule)
    }

    static func rules(where condition: SQL, _ transaction: any Transaction) throws -> [SecurityGroupRule] {
        try transaction.query(
            "SELECT \(ruleColumns) \(ruleSchema.from) WHERE \(condition) ORDER BY r.created_at, r.id", rule)
    }

    static func insert(_ rule: SecurityGroupRule, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO security_group_rules (id, project_id, group_id, is_ingress, is_ipv6, protocol, port_minimum,
                port_maximum, remote_prefix, remote_group, remote_address_group, fingerprint, description, tags,
                revision, created_at, updated_at, host_project)
            VALUES (\(rule.id), \(rule.project), \(rule.group), \(rule.isIngress), \(rule.isIPv6), \(rule.protocolName),
                \(rule.portMinimum), \(rule.portMaximum), \(rule.remotePrefix), \(rule.remoteGroup),
                \(rule.remoteAddressGroup), \(rule.fingerprint), \(rule.standard.description),
                \(rule.standard.tags), \(rule.standard.revision),
                \(rule.standard.createdAt), \(rule.standard.updatedAt),
                (SELECT project_id FROM security_groups WHERE id = \(rule.group) AND project_id <> \(rule.project)))
            """)
    }

    static func deleteRule(_ id: SecurityGroupRuleID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM security_group_rules WHERE id = \(id)")
    }

    /// The rule of the group that means the same, if there is one.
    static func duplicate(of rule: SecurityGroupRule, _ transaction: any Transaction) throws -> SecurityGroupRuleID? {
        try transaction.first(
            "SELECT id FROM security_group_rules WHERE group_id = \(rule.group) AND fingerprint = \(rule.fingerprint)"
        ) { $0.id(0) }
    }
}
