// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

package enum RBACTag {}
package typealias RBACPolicyID = ID<RBACTag>

/// One project's leave to use another's object. `*` is every project.
package struct RBACPolicy: Sendable, Equatable {
    package enum ObjectType: String, Sendable {
        case network
        case securityGroup = "security_group"
        case subnetPool = "subnetpool"
        case addressScope = "address_scope"
        case addressGroup = "address_group"
        case qosPolicy = "qos_policy"
    }
    package enum Action: String, Sendable {
        case shared = "access_as_shared"
        case external = "access_as_external"
    }

    package var id: RBACPolicyID
    package var project: ProjectID
    package var objectType: ObjectType
    package var object: String
    package var action: Action
    package var target: String
    package var createdAt: Timestamp
}

/// Rows of `network_rbac`.
enum RBACStore {
    static let schema = ListSchema(
        from: "FROM network_rbac b", id: "b.id", tags: "'[]'",
        [
            ListAttribute("id", "b.id"), ListAttribute("project_id", "b.project_id"),
            ListAttribute("tenant_id", "b.project_id"), ListAttribute("object_type", "b.object_type"),
            ListAttribute("object_id", "b.object_id"), ListAttribute("action", "b.action"),
            ListAttribute("target_tenant", "b.target_project"), ListAttribute("target_project", "b.target_project"),
        ])

    private static let columns: SQL =
        "b.id, b.project_id, b.object_type, b.object_id, b.action, b.target_project, b.created_at"

    private static func policy(_ row: any Row) throws -> RBACPolicy {
        RBACPolicy(
            id: row.id(0), project: row.id(1), objectType: try row.word(2),
            object: row.text(3), action: try row.word(4), target: row.text(5),
            createdAt: row.timestamp(6))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [RBACPolicy] {
        try schema.list(
            query, columns: columns, where: Visibility([viewer.owns("b.project_id")]), transaction,
            missing: { .notFound("RBAC policy of type network with ID \($0) not found", kind: "RbacPolicyNotFound") },
            policy)
    }

    static func find(_ id: RBACPolicyID, _ transaction: any Transaction) throws -> RBACPolicy? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE b.id = \(id)", policy)
    }

    static func entry(_ object: String, _ action: RBACPolicy.Action, _ target: String, _ transaction: any Transaction)
        throws -> RBACPolicy?
    {
        try transaction.first(
            """
            SELECT \(columns) \(schema.from)
             WHERE b.object_id = \(object) AND b.action = \(action.rawValue) AND b.target_project = \(target)
            """, policy)
    }

    static func insert(_ policy: RBACPolicy, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO network_rbac (id, project_id, object_type, object_id, action, target_project, created_at)
            VALUES (\(policy.id), \(policy.project), \(policy.objectType.rawValue), \(policy.object),
                \(policy.action.rawValue), \(policy.target), \(policy.createdAt))
            """)
    }

    static func update(_ policy: RBACPolicy, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE network_rbac SET target_project = \(policy.target) WHERE id = \(policy.id)")
    }

    static func delete(_ id: RBACPolicyID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_rbac WHERE id = \(id)")
    }
}
