// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Flavors of network services, and what stands behind them.
enum M0016Flavors {
    static let migration = Migration(
        "network-0016-flavors",
        [
            """
            CREATE TABLE network_flavors (
                id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, service_type TEXT NOT NULL,
                is_enabled BIGINT NOT NULL)
            """,
            """
            CREATE TABLE network_service_profiles (
                id TEXT PRIMARY KEY, description TEXT NOT NULL, driver TEXT NOT NULL, metainfo TEXT NOT NULL,
                is_enabled BIGINT NOT NULL)
            """,
            """
            CREATE TABLE network_flavor_profiles (
                flavor_id TEXT NOT NULL REFERENCES network_flavors (id),
                profile_id TEXT NOT NULL REFERENCES network_service_profiles (id), position BIGINT NOT NULL,
                PRIMARY KEY (flavor_id, profile_id))
            """,
            "CREATE INDEX network_flavor_profiles_profile ON network_flavor_profiles (profile_id)",
            "ALTER TABLE routers ADD COLUMN flavor TEXT",
            "CREATE INDEX routers_flavor ON routers (flavor)",
        ])
}
