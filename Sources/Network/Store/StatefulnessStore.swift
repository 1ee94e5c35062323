// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

package enum StatefulnessTag {}
package typealias StatefulnessID = ID<StatefulnessTag>

/// What a new security group is when its maker does not say.
package struct DefaultStatefulness: Sendable, Equatable {
    package var id: StatefulnessID
    /// Nil: every project without a setting of its own.
    package var project: ProjectID?
    package var isStateful: Bool
}

/// Rows of `security_group_statefulness`. Without a project: the empty text.
enum StatefulnessStore {
    static let schema = ListSchema(
        from: "FROM security_group_statefulness d", id: "d.id", tags: nil,
        [
            ListAttribute("id", "d.id"), ListAttribute("project_id", "d.project_id"),
            ListAttribute("tenant_id", "d.project_id"), ListAttribute("stateful", "d.is_stateful", .boolean),
        ])

    private static let columns: SQL = "d.id, d.project_id, d.is_stateful"

    private static func setting(_ row: any Row) -> DefaultStatefulness {
        let project = row.text(1)
        return DefaultStatefulness(
            id: row.id(0), project: project.isEmpty ? nil : ProjectID(project), isStateful: row.bool(2))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws
        -> [DefaultStatefulness]
    {
        try schema.list(
            query, columns: columns, where: Visibility([viewer.owns("d.project_id")]), transaction,
            missing: { NetworkFault.statefulnessNotFound(StatefulnessID($0)) }, setting)
    }

    static func find(_ id: StatefulnessID, _ transaction: any Transaction) throws -> DefaultStatefulness? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE d.id = \(id)", setting)
    }

    static func find(of project: ProjectID?, _ transaction: any Transaction) throws -> DefaultStatefulness? {
        try transaction.first(
            "SELECT \(columns) \(schema.from) WHERE d.project_id = \(project?.rawValue ?? "")", setting)
    }

    /// What holds for a project: its own setting, else everybody's, else upstream's.
    static func isStateful(_ project: ProjectID, _ transaction: any Transaction) throws -> Bool {
        try (find(of: project, transaction) ?? find(of: nil, transaction))?.isStateful ?? true
    }

    static func insert(_ setting: DefaultStatefulness, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO security_group_statefulness (id, project_id, is_stateful)
            VALUES (\(setting.id), \(setting.project?.rawValue ?? ""), \(setting.isStateful))
            """)
    }

    static func update(_ setting: DefaultStatefulness, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE security_group_statefulness SET is_stateful = \(setting.isStateful) WHERE id = \(setting.id)")
    }

    static func delete(_ id: StatefulnessID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM security_group_statefulness WHERE id = \(id)")
    }
}
