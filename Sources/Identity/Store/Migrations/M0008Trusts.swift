// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// `implied` marks a role that came along with one that was named.
enum M0008Trusts {
    static let migration = Migration(
        "identity-0008-trusts",
        [
            """
            CREATE TABLE identity_trusts (
                id TEXT NOT NULL PRIMARY KEY,
                trustor_id TEXT NOT NULL,
                trustee_id TEXT NOT NULL,
                project_id TEXT,
                impersonation BIGINT NOT NULL,
                expires_at BIGINT,
                remaining_uses BIGINT,
                redelegation_count BIGINT NOT NULL,
                redelegated_from TEXT
            )
            """,
            "CREATE INDEX identity_trusts_trustor ON identity_trusts (trustor_id)",
            "CREATE INDEX identity_trusts_trustee ON identity_trusts (trustee_id)",
            "CREATE INDEX identity_trusts_project ON identity_trusts (project_id)",
            "CREATE INDEX identity_trusts_parent ON identity_trusts (redelegated_from)",
            """
            CREATE TABLE identity_trust_roles (
                trust_id TEXT NOT NULL,
                role_id TEXT NOT NULL,
                implied BIGINT NOT NULL,
                PRIMARY KEY (trust_id, role_id)
            )
            """,
            "CREATE INDEX identity_trust_roles_role ON identity_trust_roles (role_id)",
        ])
}
