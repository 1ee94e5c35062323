// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Routers and floating IPs.
enum M0003Routers {
    static let migration = Migration(
        "network-0003-routers",
        [
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
        ])
}
