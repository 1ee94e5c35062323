// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// What one user may have of a project, where that is less than all.
package struct UserQuotaStore: Sendable {
    package init() {}

    package func limits(
        of user: UserID, in project: ProjectID, _ transaction: any Transaction
    ) throws -> [String: Int] {
        let rows = try transaction.query(
            """
            SELECT resource, hard_limit FROM compute_user_quotas
             WHERE project_id = \(project) AND user_id = \(user)
            """
        ) { ($0.text(0), $0.int(1)) }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    /// What all users of the project may have together; users without a limit do not count.
    package func sums(in project: ProjectID, _ transaction: any Transaction) throws -> [String: Int] {
        let rows = try transaction.query(
            """
            SELECT resource, SUM(hard_limit) FROM compute_user_quotas
             WHERE project_id = \(project) AND hard_limit > 0 GROUP BY resource
            """
        ) { ($0.text(0), $0.int(1)) }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    package func set(
        _ resource: String, _ limit: Int, for user: UserID, in project: ProjectID, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO compute_user_quotas (project_id, user_id, resource, hard_limit)
            VALUES (\(project), \(user), \(resource), \(limit))
            ON CONFLICT (project_id, user_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit
            """)
    }

    package func delete(_ user: UserID, in project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute(
            "DELETE FROM compute_user_quotas WHERE project_id = \(project) AND user_id = \(user)")
    }

    package func delete(_ project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM compute_user_quotas WHERE project_id = \(project)")
    }
}
