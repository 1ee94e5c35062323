// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Ports, their addresses and their security groups.
enum M0002Ports {
    static let migration = Migration(
        "network-0002-ports",
        [
            """
            CREATE TABLE ports (
                id TEXT PRIMARY KEY, project_id TEXT NOT NULL, network_id TEXT NOT NULL REFERENCES networks (id),
                name TEXT NOT NULL, description TEXT NOT NULL, mac TEXT NOT NULL, is_enabled BIGINT NOT NULL,
                status TEXT NOT NULL, device_id TEXT NOT NULL, device_owner TEXT NOT NULL, host TEXT NOT NULL,
                vnic_type TEXT NOT NULL, profile TEXT NOT NULL, port_security BIGINT NOT NULL, fixed_ips TEXT NOT NULL,
                groups TEXT NOT NULL, address_pairs TEXT NOT NULL, dhcp_options TEXT NOT NULL, dns_name TEXT NOT NULL,
                dns_domain TEXT NOT NULL, is_compute_owned BIGINT NOT NULL, tags TEXT NOT NULL,
                revision BIGINT NOT NULL,
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
        ])
}
