// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Limits of one user within a project.
enum M0007UserQuotas {
    static let migration = Migration(
        "compute-0007-user-quotas",
        [
            """
            CREATE TABLE compute_user_quotas (
                project_id TEXT NOT NULL, user_id TEXT NOT NULL, resource TEXT NOT NULL, hard_limit BIGINT NOT NULL,
                PRIMARY KEY (project_id, user_id, resource)
            )
            """
        ])
}
