// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Gateways of routers besides the first, and what default routes through several do.
enum M0021ExtraGateways {
    static let migration = Migration(
        "network-0021-extra-gateways",
        [
            """
            CREATE TABLE router_extra_gateways (
                port_id TEXT PRIMARY KEY REFERENCES ports (id), router_id TEXT NOT NULL, position BIGINT NOT NULL)
            """,
            "CREATE INDEX router_extra_gateways_router ON router_extra_gateways (router_id, position)",
            "ALTER TABLE routers ADD COLUMN default_route_ecmp BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE routers ADD COLUMN default_route_bfd BIGINT NOT NULL DEFAULT 0",
        ])
}
