// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `qos_policies` and `qos_rules`, and who is bound to a policy.
enum QoSStore {
    static let schema = ListSchema(
        from: "FROM qos_policies q", id: "q.id", tags: "q.tags",
        [
            ListAttribute("id", "q.id"), ListAttribute("name", "q.name"), ListAttribute("project_id", "q.project_id"),
            ListAttribute("tenant_id", "q.project_id"), ListAttribute("description", "q.description"),
            ListAttribute("is_default", "q.is_default", .boolean),
            ListAttribute("revision_number", "q.revision", .integer),
            ListAttribute("created_at", "q.created_at", .time),
            ListAttribute("updated_at", "q.updated_at", .time),
            .filter("shared") { try Viewer.sharedWithAll("q.id", $0) },
        ])

    private static func columns(_ project: ProjectID?) -> SQL {
        """
        q.id, q.project_id, q.name, q.is_default, \(Viewer.isShared("q.id", with: project)), q.description, q.tags, \
        q.revision, q.created_at, q.updated_at
        """
    }

    private static func policy(_ row: any Row) -> QoSPolicy {
        QoSPolicy(
            id: row.id(0), project: row.id(1), name: row.text(2), isShared: row.bool(4), isDefault: row.bool(3),
            rules: [], standard: row.standard(5))
    }

    // MARK: Policies

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [QoSPolicy] {
        let visible = viewer.ownsOrGranted("q.project_id", "q.id", "qos_policy")
        var policies = try schema.list(
            query, columns: columns(viewer.project), where: visible, transaction,
            missing: { NetworkFault.qosPolicyNotFound($0) }, policy)
        guard query.fields?.contains("rules") ?? true else { return policies }
        let rules = try rules(of: policies.map(\.id), transaction)
        for index in policies.indices { policies[index].rules = rules[policies[index].id] ?? [] }
        return policies
    }

    static func find(_ id: QoSPolicyID, for project: ProjectID?, _ transaction: any Transaction) throws -> QoSPolicy? {
        guard var policy = try transaction.first("SELECT \(columns(project)) \(schema.from) WHERE q.id = \(id)", policy)
        else { return nil }
        policy.rules = try rules(of: [id], transaction)[id] ?? []
        return policy
    }

    static func defaultPolicy(of project: ProjectID, _ transaction: any Transaction) throws -> QoSPolicyID? {
        try transaction.first("SELECT id FROM qos_policies WHERE project_id = \(project) AND is_default = 1") {
            $0.id(0)
        }
    }

    static func insert(_ policy: QoSPolicy, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO qos_policies (id, project_id, name, description, is_default, tags, revision, created_at,
                updated_at)
            VALUES (\(policy.id), \(policy.project), \(policy.name), \(policy.standard.description),
                \(policy.isDefault), \(policy.standard.tags), \(policy.standard.revision),
                \(policy.standard.createdAt), \(policy.standard.updatedAt))
            """)
    }

    static func update(_ policy: QoSPolicy, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE qos_policies
               SET name = \(policy.name), description = \(policy.standard.description),
                   is_default = \(policy.isDefault), tags = \(policy.standard.tags),
                   revision = \(policy.standard.revision), updated_at = \(policy.standard.updatedAt)
             WHERE id = \(policy.id)
            """)
    }

    static func delete(_ id: QoSPolicyID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM qos_rules WHERE policy_id = \(id)")
        try transaction.execute("DELETE FROM network_rbac WHERE object_id = \(id)")
        try transaction.execute("DELETE FROM qos_policies WHERE id = \(id)")
    }

    // MARK: Rules

    static let ruleSchema = ListSchema(
        from: "FROM qos_rules r", id: "r.id", tags: nil,
        [
            ListAttribute("id", "r.id"), ListAttribute("direction", "r.direction"),
            ListAttribute("max_kbps", "r.amount", .integer), ListAttribute("min_kbps", "r.amount", .integer),
            ListAttribute("max_kpps", "r.amount", .integer), ListAttribute("min_kpps", "r.amount", .integer),
            ListAttribute("dscp_mark", "r.amount", .integer), ListAttribute("max_burst_kbps", "r.burst", .integer),
            ListAttribute("max_burst_kpps", "r.burst", .integer),
        ])

    private static let ruleColumns: SQL = "r.id, r.policy_id, r.kind, r.direction, r.amount, r.burst, r.created_at"

    private static func rule(_ row: any Row) throws -> QoSRule {
        QoSRule(
            id: row.id(0), policy: row.id(1), kind: try row.word(2),
            direction: row.text(3).isEmpty ? nil : try row.word(3),
            amount: row.int(4), burst: row.int(5), createdAt: row.timestamp(6))
    }

    static func rules(
        of kind: QoSRuleKind, in policy: QoSPolicyID, _ query: ListQuery, _ transaction: any Transaction
    ) throws -> [QoSRule] {
        try ruleSchema.list(
            query, columns: ruleColumns, where: "r.policy_id = \(policy) AND r.kind = \(kind.rawValue)", transaction,
            missing: { NetworkFault.qosRuleNotFound($0, in: policy) }, rule)
    }

    /// In the order they were made.
    static func rules(of policies: [QoSPolicyID], _ transaction: any Transaction) throws -> [QoSPolicyID: [QoSRule]] {
        var rules: [QoSPolicyID: [QoSRule]] = [:]
        for chunk in policies.slices() {
            try transaction.forEach(
                """
                SELECT \(ruleColumns) \(ruleSchema.from) WHERE r.policy_id IN \(list: chunk)
                 ORDER BY r.created_at, r.id
                """
            ) { row in
                let rule = try rule(row)
                rules[rule.policy, default: []].append(rule)
            }
        }
        return rules
    }

    static func findRule(_ id: QoSRuleID, _ transaction: any Transaction) throws -> QoSRule? {
        try transaction.first("SELECT \(ruleColumns) \(ruleSchema.from) WHERE r.id = \(id)", rule)
    }

    static func insert(_ rule: QoSRule, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO qos_rules (id, policy_id, kind, direction, amount, burst, created_at)
            VALUES (\(rule.id), \(rule.policy), \(rule.kind.rawValue), \(rule.direction?.rawValue ?? ""),
                \(rule.amount), \(rule.burst), \(rule.createdAt))
            """)
    }

    static func update(_ rule: QoSRule, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE qos_rules
               SET direction = \(rule.direction?.rawValue ?? ""), amount = \(rule.amount), burst = \(rule.burst)
             WHERE id = \(rule.id)
            """)
    }

    static func deleteRule(_ id: QoSRuleID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM qos_rules WHERE id = \(id)")
    }

    // MARK: Who is bound

    /// Something that is bound to the policy, with its kind in upstream's words.
    static func user(of id: QoSPolicyID, _ transaction: any Transaction) throws -> (kind: String, id: String)? {
        try transaction.first(
            """
            SELECT 'network', id FROM networks WHERE qos_policy = \(id)
            UNION ALL SELECT 'port', id FROM ports WHERE qos_policy = \(id)
            UNION ALL SELECT 'floatingip', id FROM floatingips WHERE qos_policy = \(id)
            UNION ALL SELECT 'router', id FROM routers WHERE gateway_qos_policy = \(id)
            LIMIT 1
            """
        ) { ($0.text(0), $0.text(1)) }
    }

    /// Ports that the policy's rules bound: those bound to it, and those of its networks that have no other.
    static func ports(under id: QoSPolicyID, _ transaction: any Transaction) throws -> [PortID] {
        try transaction.query(
            """
            SELECT p.id FROM ports p WHERE p.qos_policy = \(id)
            UNION ALL
            SELECT p.id FROM networks n JOIN ports p ON p.network_id = n.id
             WHERE n.qos_policy = \(id) AND p.qos_policy IS NULL
            """
        ) { $0.id(0) }
    }

    static func routers(under id: QoSPolicyID, _ transaction: any Transaction) throws -> [RouterID] {
        try transaction.query(
            """
            SELECT id FROM routers WHERE gateway_qos_policy = \(id)
            UNION SELECT router_id FROM floatingips WHERE qos_policy = \(id) AND router_id IS NOT NULL
            """
        ) { $0.id(0) }
    }
}
