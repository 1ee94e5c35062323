// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

enum M0003Credentials {
    static let migration = Migration(
        "identity-0003-credentials",
        [
            """
            CREATE TABLE identity_credentials (
                id TEXT NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL,
                project_id TEXT,
                type TEXT NOT NULL,
                blob TEXT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            "CREATE INDEX identity_credentials_user ON identity_credentials (user_id, type)",
            "CREATE INDEX identity_credentials_project ON identity_credentials (project_id)",
            """
            CREATE TABLE identity_application_credentials (
                id TEXT NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL,
                project_id TEXT NOT NULL,
                name TEXT NOT NULL,
                description TEXT,
                expires_at BIGINT,
                unrestricted BIGINT NOT NULL,
                secret_hash TEXT NOT NULL
            )
            """,
            """
            CREATE UNIQUE INDEX identity_application_credentials_name
                ON identity_application_credentials (user_id, name)
            """,
            """
            CREATE INDEX identity_application_credentials_project
                ON identity_application_credentials (project_id)
            """,
            """
            CREATE TABLE identity_application_credential_roles (
                application_credential_id TEXT NOT NULL,
                role_id TEXT NOT NULL,
                PRIMARY KEY (application_credential_id, role_id)
            )
            """,
            """
            CREATE TABLE identity_access_rules (
                id TEXT NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL,
                service TEXT NOT NULL,
                method TEXT NOT NULL,
                path TEXT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX identity_access_rules_rule ON identity_access_rules (user_id, service, method, path)",
            """
            CREATE TABLE identity_application_credential_rules (
                application_credential_id TEXT NOT NULL,
                access_rule_id TEXT NOT NULL,
                PRIMARY KEY (application_credential_id, access_rule_id)
            )
            """,
            """
            CREATE INDEX identity_application_credential_rules_rule
                ON identity_application_credential_rules (access_rule_id)
            """,
        ])
}
