// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Programs of others, what they ask users for, and what users let them do. `identity_oauth_roles` holds the roles of
/// both; `implied` marks one that came along with one that was named.
enum M0011OAuth1 {
    static let migration = Migration(
        "identity-0011-oauth1",
        [
            """
            CREATE TABLE identity_oauth_consumers (
                id TEXT NOT NULL PRIMARY KEY,
                description TEXT,
                secret TEXT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE identity_oauth_requests (
                id TEXT NOT NULL PRIMARY KEY,
                secret TEXT NOT NULL,
                consumer_id TEXT NOT NULL,
                project_id TEXT NOT NULL,
                expires_at BIGINT,
                verifier TEXT,
                user_id TEXT
            )
            """,
            "CREATE INDEX identity_oauth_requests_consumer ON identity_oauth_requests (consumer_id)",
            "CREATE INDEX identity_oauth_requests_expiry ON identity_oauth_requests (expires_at)",
            "CREATE INDEX identity_oauth_requests_project ON identity_oauth_requests (project_id)",
            """
            CREATE TABLE identity_oauth_access_tokens (
                id TEXT NOT NULL PRIMARY KEY,
                secret TEXT NOT NULL,
                consumer_id TEXT NOT NULL,
                project_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                expires_at BIGINT
            )
            """,
            "CREATE INDEX identity_oauth_access_tokens_consumer ON identity_oauth_access_tokens (consumer_id)",
            "CREATE INDEX identity_oauth_access_tokens_user ON identity_oauth_access_tokens (user_id)",
            "CREATE INDEX identity_oauth_access_tokens_project ON identity_oauth_access_tokens (project_id)",
            """
            CREATE TABLE identity_oauth_roles (
                token_id TEXT NOT NULL,
                role_id TEXT NOT NULL,
                implied BIGINT NOT NULL,
                PRIMARY KEY (token_id, role_id)
            )
            """,
            "CREATE INDEX identity_oauth_roles_role ON identity_oauth_roles (role_id)",
        ])
}
