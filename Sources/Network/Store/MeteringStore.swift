// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `metering_labels` and `metering_label_rules`.
enum MeteringStore {
    static let schema = ListSchema(
        from: "FROM metering_labels m", id: "m.id", tags: nil,
        [
            ListAttribute("id", "m.id"), ListAttribute("name", "m.name"), ListAttribute("project_id", "m.project_id"),
            ListAttribute("tenant_id", "m.project_id"), ListAttribute("description", "m.description"),
            ListAttribute("shared", "m.is_shared", .boolean),
        ])

    static let ruleSchema = ListSchema(
        from: "FROM metering_label_rules r JOIN metering_labels m ON m.id = r.label_id", id: "r.id", tags: nil,
        [
            ListAttribute("id", "r.id"), ListAttribute("metering_label_id", "r.label_id"),
            ListAttribute("direction", "r.direction"),
            ListAttribute("remote_ip_prefix", "r.remote_prefix", isNullable: true),
            ListAttribute("source_ip_prefix", "r.source_prefix", isNullable: true),
            ListAttribute("destination_ip_prefix", "r.destination_prefix", isNullable: true),
            ListAttribute("excluded", "r.is_excluded", .boolean),
        ])

    private static let columns: SQL = "m.id, m.project_id, m.name, m.description, m.is_shared, m.created_at"

    private static func label(_ row: any Row) -> MeteringLabel {
        MeteringLabel(
            id: row.id(0), project: row.id(1), name: row.text(2), description: row.text(3), isShared: row.bool(4),
            createdAt: row.timestamp(5))
    }

    private static let ruleColumns: SQL = """
        r.id, r.label_id, r.direction, r.remote_prefix, r.source_prefix, r.destination_prefix, r.is_excluded, \
        r.created_at
        """

    private static func rule(_ row: any Row) -> MeteringRule {
        MeteringRule(
            id: row.id(0), label: row.id(1), isIngress: row.text(2) == "ingress", remotePrefix: row.textOrNil(3),
            sourcePrefix: row.textOrNil(4), destinationPrefix: row.textOrNil(5), isExcluded: row.bool(6),
            createdAt: row.timestamp(7))
    }

    // MARK: Labels

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws
        -> [MeteringLabel]
    {
        try schema.list(
            query, columns: columns, where: Visibility([viewer.owns("m.project_id")]), transaction,
            missing: { NetworkFault.meteringLabelNotFound(MeteringLabelID($0)) }, label)
    }

    static func find(_ id: MeteringLabelID, _ transaction: any Transaction) throws -> MeteringLabel? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE m.id = \(id)", label)
    }

    static func insert(_ label: MeteringLabel, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO metering_labels (id, project_id, name, description, is_shared, created_at)
            VALUES (\(label.id), \(label.project), \(label.name), \(label.description), \(label.isShared),
                \(label.createdAt))
            """)
    }

    static func delete(_ id: MeteringLabelID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM metering_label_rules WHERE label_id = \(id)")
        try transaction.execute("DELETE FROM metering_labels WHERE id = \(id)")
    }

    // MARK: Rules

    static func listRules(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws
        -> [MeteringRule]
    {
        try ruleSchema.list(
            query, columns: ruleColumns, where: Visibility([viewer.owns("m.project_id")]), transaction,
            missing: { NetworkFault.meteringRuleNotFound(MeteringRuleID($0)) }, rule)
    }

    static func rules(of label: MeteringLabelID, _ transaction: any Transaction) throws -> [MeteringRule] {
        try transaction.query("SELECT \(ruleColumns) \(ruleSchema.from) WHERE r.label_id = \(label)", rule)
    }

    static func findRule(_ id: MeteringRuleID, _ transaction: any Transaction) throws -> MeteringRule? {
        try transaction.first("SELECT \(ruleColumns) \(ruleSchema.from) WHERE r.id = \(id)", rule)
    }

    static func insert(_ rule: MeteringRule, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO metering_label_rules (id, label_id, direction, remote_prefix, source_prefix,
                destination_prefix, is_excluded, created_at)
            VALUES (\(rule.id), \(rule.label), \(rule.isIngress ? "ingress" : "egress"), \(rule.remotePrefix),
                \(rule.sourcePrefix), \(rule.destinationPrefix), \(rule.isExcluded), \(rule.createdAt))
            """)
    }

    static func deleteRule(_ id: MeteringRuleID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM metering_label_rules WHERE id = \(id)")
    }
}
