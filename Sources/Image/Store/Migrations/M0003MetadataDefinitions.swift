// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Namespaces of metadata definitions with what they hold, and the types of resources they are about.
enum M0003MetadataDefinitions {
    static let migration = Migration(
        "image-0003-metadata-definitions",
        [
            """
            CREATE TABLE metadata_namespaces (
                id TEXT PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                display_name TEXT,
                description TEXT,
                visibility TEXT NOT NULL,
                protected BIGINT NOT NULL,
                owner TEXT,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX metadata_namespaces_by_age ON metadata_namespaces (created_at, id)",
            "CREATE INDEX metadata_namespaces_by_owner ON metadata_namespaces (owner, created_at, id)",
            """
            CREATE TABLE metadata_definitions (
                namespace_id TEXT NOT NULL REFERENCES metadata_namespaces (id) ON DELETE CASCADE,
                kind TEXT NOT NULL,
                name TEXT NOT NULL,
                body TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                PRIMARY KEY (namespace_id, kind, name)
            )
            """,
            "CREATE INDEX metadata_definitions_by_name ON metadata_definitions (kind, name)",
            """
            CREATE TABLE metadata_resource_types (
                name TEXT PRIMARY KEY,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL
            )
            """,
            // The kinds of things that this cloud keeps properties of.
            """
            INSERT INTO metadata_resource_types (name, created_at, updated_at)
            VALUES ('OS::Cinder::Volume', 0, 0), ('OS::Glance::Image', 0, 0), ('OS::Nova::Aggregate', 0, 0),
                   ('OS::Nova::Flavor', 0, 0), ('OS::Nova::Server', 0, 0)
            """,
        ])
}
