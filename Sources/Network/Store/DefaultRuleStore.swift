// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `default_security_group_rules`.
enum DefaultRuleStore {
    static let schema = ListSchema(
        from: "FROM default_security_group_rules r", id: "r.id", tags: nil,
        [
            ListAttribute("id", "r.id"), ListAttribute("description", "r.description", isSortKey: false),
            ListAttribute("direction", "CASE WHEN r.is_ingress = 1 THEN 'ingress' ELSE 'egress' END"),
            ListAttribute("ethertype", "CASE WHEN r.is_ipv6 = 1 THEN 'IPv6' ELSE 'IPv4' END"),
            ListAttribute("protocol", "r.protocol", isNullable: true),
            ListAttribute("port_range_min", "r.port_minimum", .integer, isNullable: true),
            ListAttribute("port_range_max", "r.port_maximum", .integer, isNullable: true),
            ListAttribute("remote_ip_prefix", "r.remote_prefix", isNullable: true),
            ListAttribute("remote_group_id", "r.remote_group", isNullable: true),
            ListAttribute("remote_address_group_id", "r.remote_address_group", isNullable: true),
            ListAttribute("used_in_default_sg", "r.for_default", .boolean, isSortKey: false),
            ListAttribute("used_in_non_default_sg", "r.for_others", .boolean, isSortKey: false),
        ])

    private static let columns: SQL = """
        r.id, r.is_ingress, r.is_ipv6, r.protocol, r.port_minimum, r.port_maximum, r.remote_prefix, r.remote_group, \
        r.remote_address_group, r.description, r.for_default, r.for_others, r.created_at
        """

    private static func rule(_ row: any Row) -> DefaultSecurityGroupRule {
        DefaultSecurityGroupRule(
            id: row.id(0),
            pattern: SecurityGroupRulePattern(
                isIngress: row.bool(1), isIPv6: row.bool(2), protocolName: row.textOrNil(3),
                portMinimum: row.intOrNil(4), portMaximum: row.intOrNil(5), remotePrefix: row.textOrNil(6),
                remoteGroup: row.idOrNil(7), remoteAddressGroup: row.idOrNil(8), description: row.text(9)),
            isForDefault: row.bool(10), isForOthers: row.bool(11), createdAt: row.timestamp(12))
    }

    static func list(_ query: ListQuery, _ transaction: any Transaction) throws -> [DefaultSecurityGroupRule] {
        try schema.list(
            query, columns: columns, where: "1 = 1", transaction,
            missing: { NetworkFault.defaultRuleNotFound(DefaultRuleID($0)) }, rule)
    }

    static func find(_ id: DefaultRuleID, _ transaction: any Transaction) throws -> DefaultSecurityGroupRule? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE r.id = \(id)", rule)
    }

    /// What a new group starts with.
    static func patterns(isDefault: Bool, _ transaction: any Transaction) throws -> [SecurityGroupRulePattern] {
        let wanted: SQL = isDefault ? "r.for_default = 1" : "r.for_others = 1"
        return try transaction.query(
            "SELECT \(columns) \(schema.from) WHERE \(wanted) ORDER BY r.created_at, r.id", rule
        ).map(\.pattern)
    }

    /// A rule that means the same to some group that would get both.
    static func duplicate(of draft: DefaultRuleDraft, _ transaction: any Transaction) throws -> DefaultRuleID? {
        try transaction.first(
            """
            SELECT id FROM default_security_group_rules
             WHERE fingerprint = \(draft.rule.fingerprint)
               AND (for_default + \(draft.isForDefault) = 2 OR for_others + \(draft.isForOthers) = 2)
            """
        ) { $0.id(0) }
    }

    static func insert(_ rule: DefaultSecurityGroupRule, fingerprint: String, _ transaction: any Transaction) throws {
        let pattern = rule.pattern
        try transaction.execute(
            """
            INSERT INTO default_security_group_rules (id, is_ingress, is_ipv6, protocol, port_minimum, port_maximum,
                remote_prefix, remote_group, remote_address_group, fingerprint, description, for_default, for_others,
                created_at)
            VALUES (\(rule.id), \(pattern.isIngress), \(pattern.isIPv6), \(pattern.protocolName),
                \(pattern.portMinimum), \(pattern.portMaximum), \(pattern.remotePrefix), \(pattern.remoteGroup),
                \(pattern.remoteAddressGroup), \(fingerprint), \(pattern.description), \(rule.isForDefault),
                \(rule.isForOthers), \(rule.createdAt))
            """)
    }

    static func delete(_ id: DefaultRuleID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM default_security_group_rules WHERE id = \(id)")
    }
}
