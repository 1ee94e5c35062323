// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Hosts that operators keep from carrying a router's gateway.
enum M0024GatewayHosts {
    static let migration = Migration(
        "network-0024-gateway-hosts",
        [
            """
            CREATE TABLE router_excluded_chassis (
                router_id TEXT NOT NULL REFERENCES routers (id), chassis TEXT NOT NULL,
                PRIMARY KEY (router_id, chassis))
            """
        ])
}
