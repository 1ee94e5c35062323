// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Subnet pools and address scopes.
enum M0006SubnetPools {
    static let migration = Migration(
        "network-0006-subnet-pools",
        [
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
        ])
}
