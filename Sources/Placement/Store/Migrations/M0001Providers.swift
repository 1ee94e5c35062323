// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Providers, what they have, and what consumers hold of it.
enum M0001Providers {
    static let migration = Migration(
        "placement-0001-providers",
        [
            """
            CREATE TABLE placement_providers (
                id TEXT PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                generation BIGINT NOT NULL,
                parent_id TEXT REFERENCES placement_providers (id),
                root_id TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX placement_providers_by_root ON placement_providers (root_id)",
            "CREATE INDEX placement_providers_by_parent ON placement_providers (parent_id)",
            // `capacity` follows from the columns before it, and `used` from the allocations: both are written
            // by the transaction that changes what they follow from, so that a search adds up nothing.
            """
            CREATE TABLE placement_inventories (
                provider_id TEXT NOT NULL REFERENCES placement_providers (id),
                resource_class TEXT NOT NULL,
                total BIGINT NOT NULL,
                reserved BIGINT NOT NULL,
                min_unit BIGINT NOT NULL,
                max_unit BIGINT NOT NULL,
                step_size BIGINT NOT NULL,
                allocation_ratio TEXT NOT NULL,
                capacity BIGINT NOT NULL,
                used BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                PRIMARY KEY (provider_id, resource_class)
            )
            """,
            """
            CREATE INDEX placement_inventories_by_class ON placement_inventories
                (resource_class, provider_id, capacity, used, min_unit, max_unit, step_size)
            """,
            """
            CREATE TABLE placement_provider_traits (
                provider_id TEXT NOT NULL REFERENCES placement_providers (id),
                trait TEXT NOT NULL,
                PRIMARY KEY (provider_id, trait)
            )
            """,
            "CREATE INDEX placement_provider_traits_by_trait ON placement_provider_traits (trait, provider_id)",
            """
            CREATE TABLE placement_provider_aggregates (
                provider_id TEXT NOT NULL REFERENCES placement_providers (id),
                aggregate_id TEXT NOT NULL,
                PRIMARY KEY (provider_id, aggregate_id)
            )
            """,
            """
            CREATE INDEX placement_provider_aggregates_by_aggregate ON placement_provider_aggregates
                (aggregate_id, provider_id)
            """,
            "CREATE TABLE placement_traits (name TEXT PRIMARY KEY, created_at BIGINT NOT NULL)",
            "CREATE TABLE placement_resource_classes (name TEXT PRIMARY KEY, created_at BIGINT NOT NULL)",
            """
            CREATE TABLE placement_consumers (
                id TEXT PRIMARY KEY,
                project_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                consumer_type TEXT,
                generation BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX placement_consumers_by_project ON placement_consumers (project_id, user_id, id)",
            """
            CREATE TABLE placement_allocations (
                consumer_id TEXT NOT NULL REFERENCES placement_consumers (id),
                provider_id TEXT NOT NULL REFERENCES placement_providers (id),
                resource_class TEXT NOT NULL,
                used BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                PRIMARY KEY (consumer_id, provider_id, resource_class)
            )
            """,
            """
            CREATE INDEX placement_allocations_by_provider ON placement_allocations
                (provider_id, resource_class, used)
            """,
        ])
}
