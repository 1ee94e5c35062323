// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Networks, their subnets and segments, and who else may use them.
enum M0001Networks {
    static let migration = Migration(
        "network-0001-networks",
        [
            """
            CREATE TABLE networks (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
                is_enabled BIGINT NOT NULL, mtu BIGINT NOT NULL, kind TEXT NOT NULL,
                physical_network TEXT, segment BIGINT,
                is_external BIGINT NOT NULL, is_default BIGINT NOT NULL, port_security BIGINT NOT NULL,
                dns_domain TEXT NOT NULL, zone_hints TEXT NOT NULL, tags TEXT NOT NULL, revision BIGINT NOT NULL,
                created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX networks_project ON networks (project_id, created_at, id)",
            "CREATE INDEX networks_name ON networks (name)",
            "CREATE INDEX networks_external ON networks (is_external)",
            // One row for each segment that is taken: `geneve:77`, `vlan:physnet1:100`, `flat:physnet1`.
            "CREATE TABLE network_segment_claims (claim TEXT PRIMARY KEY, network_id TEXT NOT NULL)",
            "CREATE INDEX network_segment_claims_network ON network_segment_claims (network_id)",
            """
            CREATE TABLE subnets (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, network_id TEXT NOT NULL REFERENCES networks (id),
                name TEXT NOT NULL, description TEXT NOT NULL, ip_version BIGINT NOT NULL,
                cidr TEXT NOT NULL, gateway TEXT,
                uses_dhcp BIGINT NOT NULL, ra_mode TEXT, address_mode TEXT,
                pools TEXT NOT NULL, dns_servers TEXT NOT NULL,
                host_routes TEXT NOT NULL, service_types TEXT NOT NULL,
                publishes_dns BIGINT NOT NULL, tags TEXT NOT NULL,
                revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
            """,
            "CREATE INDEX subnets_project ON subnets (project_id, created_at, id)",
            "CREATE INDEX subnets_network ON subnets (network_id)",
            "CREATE INDEX subnets_name ON subnets (name)",
            """
            CREATE TABLE network_rbac (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, object_type TEXT NOT NULL, object_id TEXT NOT NULL,
                action TEXT NOT NULL, target_project TEXT NOT NULL, created_at BIGINT NOT NULL)
            """,
            "CREATE UNIQUE INDEX network_rbac_entry ON network_rbac (object_id, action, target_project)",
            "CREATE INDEX network_rbac_target ON network_rbac (target_project, object_type)",
            "CREATE INDEX network_rbac_project ON network_rbac (project_id)",
        ])
}
