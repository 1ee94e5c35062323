// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Who else may say who somebody is, what is made of what they say, and other clouds that trust this one.
enum M0013Federation {
    static let migration = Migration(
        "identity-0013-federation",
        [
            """
            CREATE TABLE identity_providers (
                id TEXT NOT NULL PRIMARY KEY,
                domain_id TEXT NOT NULL,
                enabled BIGINT NOT NULL,
                description TEXT,
                authorization_ttl BIGINT
            )
            """,
            """
            CREATE TABLE identity_provider_remote_ids (
                remote_id TEXT NOT NULL PRIMARY KEY,
                provider_id TEXT NOT NULL
            )
            """,
            "CREATE INDEX identity_provider_remote_ids_provider ON identity_provider_remote_ids (provider_id)",
            """
            CREATE TABLE identity_provider_protocols (
                provider_id TEXT NOT NULL,
                id TEXT NOT NULL,
                mapping_id TEXT NOT NULL,
                remote_id_attribute TEXT,
                PRIMARY KEY (provider_id, id)
            )
            """,
            "CREATE INDEX identity_provider_protocols_mapping ON identity_provider_protocols (mapping_id)",
            """
            CREATE TABLE identity_mappings (
                id TEXT NOT NULL PRIMARY KEY,
                rules TEXT NOT NULL,
                schema_version TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE identity_service_providers (
                id TEXT NOT NULL PRIMARY KEY,
                auth_url TEXT NOT NULL,
                sp_url TEXT NOT NULL,
                enabled BIGINT NOT NULL,
                description TEXT,
                relay_state_prefix TEXT
            )
            """,
        ])
}
