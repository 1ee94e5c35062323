// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of this service, in order.
package enum NetworkMigrations {
    package static let all: [Migration] = [
        Migration("network-0001-networks", networks),
        Migration("network-0002-ports", ports),
        Migration("network-0003-routers", routers),
        Migration("network-0004-security-groups", securityGroups),
        Migration("network-0005-bookkeeping", bookkeeping),
        Migration("network-0006-subnet-pools", subnetPools),
    ]

    private static let networks = [
        """
        CREATE TABLE networks (
            id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
            is_enabled BIGINT NOT NULL, mtu BIGINT NOT NULL, kind TEXT NOT NULL, physical_network TEXT, segment BIGINT,
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
            name TEXT NOT NULL, description TEXT NOT NULL, ip_version BIGINT NOT NULL, cidr TEXT NOT NULL, gateway TEXT,
            uses_dhcp BIGINT NOT NULL, ra_mode TEXT, address_mode TEXT, pools TEXT NOT NULL, dns_servers TEXT NOT NULL,
            host_routes TEXT NOT NULL, service_types TEXT NOT NULL, publishes_dns BIGINT NOT NULL, tags TEXT NOT NULL,
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
    ]

    private static let ports = [
        """
        CREATE TABLE ports (
            id TEXT PRIMARY KEY, project_id TEXT NOT NULL, network_id TEXT NOT NULL REFERENCES networks (id),
            name TEXT NOT NULL, description TEXT NOT NULL, mac TEXT NOT NULL, is_enabled BIGINT NOT NULL,
            status TEXT NOT NULL, device_id TEXT NOT NULL, device_owner TEXT NOT NULL, host TEXT NOT NULL,
            vnic_type TEXT NOT NULL, profile TEXT NOT NULL, port_security BIGINT NOT NULL, fixed_ips TEXT NOT NULL,
            groups TEXT NOT NULL, address_pairs TEXT NOT NULL, dhcp_options TEXT NOT NULL, dns_name TEXT NOT NULL,
            dns_domain TEXT NOT NULL, is_compute_owned BIGINT NOT NULL, tags TEXT NOT NULL, revision BIGINT NOT NULL,
            created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
        """,
        "CREATE INDEX ports_project ON ports (project_id, created_at, id)",
        "CREATE UNIQUE INDEX ports_mac ON ports (network_id, mac)",
        "CREATE INDEX ports_device ON ports (device_id)",
        "CREATE INDEX ports_owner ON ports (device_owner)",
        "CREATE INDEX ports_name ON ports (name)",
        // `address_key` sorts as the addresses do; the key is the lock that gives an address to one port.
        """
        CREATE TABLE ip_allocations (
            subnet_id TEXT NOT NULL REFERENCES subnets (id), address_key TEXT NOT NULL, address TEXT NOT NULL,
            port_id TEXT NOT NULL REFERENCES ports (id), PRIMARY KEY (subnet_id, address_key))
        """,
        "CREATE INDEX ip_allocations_port ON ip_allocations (port_id)",
        "CREATE INDEX ip_allocations_address ON ip_allocations (address)",
        """
        CREATE TABLE port_groups (
            port_id TEXT NOT NULL REFERENCES ports (id), group_id TEXT NOT NULL, PRIMARY KEY (port_id, group_id))
        """,
        "CREATE INDEX port_groups_group ON port_groups (group_id)",
    ]

    private static let routers = [
        """
        CREATE TABLE routers (
            id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
            is_enabled BIGINT NOT NULL, gateway_network TEXT, gateway_port TEXT, uses_snat BIGINT NOT NULL,
            routes TEXT NOT NULL, zone_hints TEXT NOT NULL, tags TEXT NOT NULL, revision BIGINT NOT NULL,
            created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
        """,
        "CREATE INDEX routers_project ON routers (project_id, created_at, id)",
        "CREATE INDEX routers_name ON routers (name)",
        "CREATE INDEX routers_gateway ON routers (gateway_network)",
        """
        CREATE TABLE floatingips (
            id TEXT PRIMARY KEY, project_id TEXT NOT NULL, description TEXT NOT NULL, network_id TEXT NOT NULL,
            reserved_port TEXT NOT NULL REFERENCES ports (id), subnet_id TEXT NOT NULL, address TEXT NOT NULL,
            router_id TEXT, port_id TEXT, fixed_address TEXT, dns_name TEXT NOT NULL, dns_domain TEXT NOT NULL,
            tags TEXT NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
        """,
        "CREATE INDEX floatingips_project ON floatingips (project_id, created_at, id)",
        "CREATE UNIQUE INDEX floatingips_target ON floatingips (port_id, fixed_address, network_id)",
        "CREATE INDEX floatingips_router ON floatingips (router_id)",
        "CREATE INDEX floatingips_network ON floatingips (network_id)",
        "CREATE INDEX floatingips_address ON floatingips (address)",
    ]

    private static let securityGroups = [
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
    ]

    private static let subnetPools = [
        """
        CREATE TABLE address_scopes (
            id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, ip_version BIGINT NOT NULL)
        """,
        "CREATE INDEX address_scopes_project ON address_scopes (project_id, id)",
        """
        CREATE TABLE subnetpools (
            id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
            ip_version BIGINT NOT NULL, prefixes TEXT NOT NULL, default_length BIGINT NOT NULL,
            minimum_length BIGINT NOT NULL, maximum_length BIGINT NOT NULL, default_quota BIGINT,
            address_scope TEXT REFERENCES address_scopes (id), is_default BIGINT NOT NULL, tags TEXT NOT NULL,
            revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
        """,
        "CREATE INDEX subnetpools_project ON subnetpools (project_id, created_at, id)",
        "CREATE INDEX subnetpools_name ON subnetpools (name)",
        "CREATE INDEX subnetpools_address_scope ON subnetpools (address_scope)",
        "ALTER TABLE subnets ADD COLUMN subnetpool TEXT",
        "CREATE INDEX subnets_subnetpool ON subnets (subnetpool)",
    ]

    private static let bookkeeping = [
        // What the data plane has not been told yet. `stamp` changes with each mark, so newer dirt survives older work.
        """
        CREATE TABLE network_dirty (
            kind TEXT NOT NULL, id TEXT NOT NULL, stamp BIGINT NOT NULL, PRIMARY KEY (kind, id))
        """
    ]
}
