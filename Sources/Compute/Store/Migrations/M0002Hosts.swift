// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Hosts with their agents and hypervisors, and how administrators group them.
enum M0002Hosts {
    static let migration = Migration(
        "compute-0002-hosts",
        [
            """
            CREATE TABLE compute_hosts (
                number BIGINT PRIMARY KEY, service_id TEXT NOT NULL, node_id TEXT NOT NULL, host TEXT NOT NULL,
                is_disabled BIGINT NOT NULL, disabled_reason TEXT, is_forced_down BIGINT NOT NULL,
                last_seen_at BIGINT NOT NULL, created_at BIGINT NOT NULL, booted_at BIGINT, hypervisor TEXT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX compute_hosts_host ON compute_hosts (host)",
            "CREATE UNIQUE INDEX compute_hosts_service ON compute_hosts (service_id)",
            "CREATE UNIQUE INDEX compute_hosts_node ON compute_hosts (node_id)",
            """
            CREATE TABLE compute_orphans (
                host TEXT NOT NULL, server_id TEXT NOT NULL, first_seen_at BIGINT NOT NULL,
                PRIMARY KEY (host, server_id)
            )
            """,
            """
            CREATE TABLE host_aggregates (
                number BIGINT PRIMARY KEY, uuid TEXT NOT NULL, name TEXT NOT NULL, zone TEXT, metadata TEXT NOT NULL,
                created_at BIGINT NOT NULL, updated_at BIGINT
            )
            """,
            "CREATE UNIQUE INDEX host_aggregates_name ON host_aggregates (name)",
            """
            CREATE TABLE host_aggregate_hosts (
                aggregate_number BIGINT NOT NULL, host TEXT NOT NULL, PRIMARY KEY (aggregate_number, host)
            )
            """,
            "CREATE INDEX host_aggregate_hosts_host ON host_aggregate_hosts (host)",
        ])
}
