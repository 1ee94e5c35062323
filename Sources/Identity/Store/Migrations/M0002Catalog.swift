// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

enum M0002Catalog {
    static let migration = Migration(
        "identity-0002-catalog",
        [
            """
            CREATE TABLE identity_regions (
                id TEXT NOT NULL PRIMARY KEY,
                parent_id TEXT,
                description TEXT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE identity_services (
                id TEXT NOT NULL PRIMARY KEY,
                type TEXT NOT NULL,
                name TEXT,
                description TEXT,
                enabled BIGINT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            "CREATE INDEX identity_services_type ON identity_services (type)",
            """
            CREATE TABLE identity_endpoints (
                id TEXT NOT NULL PRIMARY KEY,
                service_id TEXT NOT NULL,
                region_id TEXT,
                interface TEXT NOT NULL,
                url TEXT NOT NULL,
                enabled BIGINT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            "CREATE INDEX identity_endpoints_service ON identity_endpoints (service_id)",
            "CREATE INDEX identity_endpoints_region ON identity_endpoints (region_id)",
        ])
}
