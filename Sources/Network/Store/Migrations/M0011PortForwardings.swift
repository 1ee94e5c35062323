// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Ports of floating IPs that are forwarded each to a place of its own.
enum M0011PortForwardings {
    static let migration = Migration(
        "network-0011-port-forwardings",
        [
            """
            CREATE TABLE port_forwardings (
                id TEXT PRIMARY KEY, floatingip_id TEXT NOT NULL REFERENCES floatingips (id), protocol TEXT NOT NULL,
                external_first BIGINT NOT NULL, external_last BIGINT NOT NULL, internal_first BIGINT NOT NULL,
                internal_last BIGINT NOT NULL, internal_address TEXT NOT NULL,
                internal_port TEXT NOT NULL REFERENCES ports (id), description TEXT NOT NULL,
                created_at BIGINT NOT NULL)
            """,
            """
            CREATE UNIQUE INDEX port_forwardings_outside
                ON port_forwardings (floatingip_id, protocol, external_first)
            """,
            "CREATE INDEX port_forwardings_inside ON port_forwardings (internal_port)",
        ])
}
