// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

enum M0005Limits {
    static let migration = Migration(
        "identity-0005-limits",
        [
            """
            CREATE TABLE identity_registered_limits (
                id TEXT NOT NULL PRIMARY KEY,
                service_id TEXT NOT NULL,
                region_id TEXT NOT NULL,
                resource_name TEXT NOT NULL,
                default_limit BIGINT NOT NULL,
                description TEXT
            )
            """,
            """
            CREATE UNIQUE INDEX identity_registered_limits_resource
                ON identity_registered_limits (service_id, region_id, resource_name)
            """,
            """
            CREATE TABLE identity_limits (
                id TEXT NOT NULL PRIMARY KEY,
                owner_kind TEXT NOT NULL,
                owner_id TEXT NOT NULL,
                service_id TEXT NOT NULL,
                region_id TEXT NOT NULL,
                resource_name TEXT NOT NULL,
                resource_limit BIGINT NOT NULL,
                description TEXT
            )
            """,
            """
            CREATE UNIQUE INDEX identity_limits_resource
                ON identity_limits (owner_id, owner_kind, service_id, region_id, resource_name)
            """,
            "CREATE INDEX identity_limits_service ON identity_limits (service_id, region_id, resource_name)",
        ])
}
