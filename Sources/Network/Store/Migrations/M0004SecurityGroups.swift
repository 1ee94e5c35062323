// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Security groups and their rules.
enum M0004SecurityGroups {
    static let migration = Migration(
        "network-0004-security-groups",
        [
            """
            CREATE TABLE security_groups (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
                is_stateful BIGINT NOT NULL, tags TEXT NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX security_groups_project ON security_groups (project_id, created_at, id)",
            "CREATE INDEX security_groups_name ON security_groups (name)",
            "CREATE TABLE default_security_groups (project_id TEXT PRIMARY KEY, group_id TEXT NOT NULL)",
            "CREATE UNIQUE INDEX default_security_groups_group ON default_security_groups (group_id)",
            """
            CREATE TABLE security_group_rules (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, group_id TEXT NOT NULL REFERENCES security_groups (id),
                is_ingress BIGINT NOT NULL, is_ipv6 BIGINT NOT NULL, protocol TEXT, port_minimum BIGINT,
                    port_maximum BIGINT,
                remote_prefix TEXT, remote_group TEXT, fingerprint TEXT NOT NULL, description TEXT NOT NULL,
                tags TEXT NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX security_group_rules_project ON security_group_rules (project_id, created_at, id)",
            "CREATE UNIQUE INDEX security_group_rules_fingerprint ON security_group_rules (group_id, fingerprint)",
            "CREATE INDEX security_group_rules_remote ON security_group_rules (remote_group)",
        ])
}
