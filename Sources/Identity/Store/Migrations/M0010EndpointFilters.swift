// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Which endpoints a project's catalog shows; and policies that operators keep for services.
///
/// An association's `endpoint_id`, `service_id` and `region_id` are '' where it does not name one.
enum M0010EndpointFilters {
    static let migration = Migration(
        "identity-0010-endpoint-filters",
        [
            """
            CREATE TABLE identity_endpoint_groups (
                id TEXT NOT NULL PRIMARY KEY,
                name TEXT NOT NULL,
                description TEXT,
                service_id TEXT,
                region_id TEXT,
                interface TEXT
            )
            """,
            """
            CREATE TABLE identity_project_endpoints (
                project_id TEXT NOT NULL,
                endpoint_id TEXT NOT NULL,
                PRIMARY KEY (project_id, endpoint_id)
            )
            """,
            "CREATE INDEX identity_project_endpoints_endpoint ON identity_project_endpoints (endpoint_id)",
            """
            CREATE TABLE identity_project_endpoint_groups (
                project_id TEXT NOT NULL,
                endpoint_group_id TEXT NOT NULL,
                PRIMARY KEY (project_id, endpoint_group_id)
            )
            """,
            """
            CREATE INDEX identity_project_endpoint_groups_group
                ON identity_project_endpoint_groups (endpoint_group_id)
            """,
            """
            CREATE TABLE identity_policies (
                id TEXT NOT NULL PRIMARY KEY,
                type TEXT NOT NULL,
                blob TEXT NOT NULL,
                extras TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE identity_policy_associations (
                endpoint_id TEXT NOT NULL,
                service_id TEXT NOT NULL,
                region_id TEXT NOT NULL,
                policy_id TEXT NOT NULL,
                PRIMARY KEY (endpoint_id, service_id, region_id)
            )
            """,
            "CREATE INDEX identity_policy_associations_policy ON identity_policy_associations (policy_id)",
        ])
}
