// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Quality of service: policies, their rules, and what is bound to them.
enum M0009QoS {
    static let migration = Migration(
        "network-0009-qos",
        [
            """
            CREATE TABLE qos_policies (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
                is_default BIGINT NOT NULL, tags TEXT NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX qos_policies_project ON qos_policies (project_id, created_at, id)",
            "CREATE INDEX qos_policies_name ON qos_policies (name)",
            "CREATE UNIQUE INDEX qos_policies_default ON qos_policies (project_id) WHERE is_default = 1",
            // `direction` is empty for rules that have none.
            """
            CREATE TABLE qos_rules (
                id TEXT PRIMARY KEY, policy_id TEXT NOT NULL REFERENCES qos_policies (id), kind TEXT NOT NULL,
                direction TEXT NOT NULL, amount BIGINT NOT NULL, burst BIGINT NOT NULL, created_at BIGINT NOT NULL)
            """,
            "CREATE UNIQUE INDEX qos_rules_kind ON qos_rules (policy_id, kind, direction)",
            "ALTER TABLE networks ADD COLUMN qos_policy TEXT",
            "CREATE INDEX networks_qos_policy ON networks (qos_policy)",
            "ALTER TABLE ports ADD COLUMN qos_policy TEXT",
            "CREATE INDEX ports_qos_policy ON ports (qos_policy)",
            "ALTER TABLE floatingips ADD COLUMN qos_policy TEXT",
            "CREATE INDEX floatingips_qos_policy ON floatingips (qos_policy)",
            "ALTER TABLE routers ADD COLUMN gateway_qos_policy TEXT",
            "CREATE INDEX routers_gateway_qos_policy ON routers (gateway_qos_policy)",
        ])
}
