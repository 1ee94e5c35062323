// SPDX-License-Identifier: Apache-2.0
import PolicyKit

/// Upstream's defaults (placement: `placement/policies`), under its own names.
package enum PlacementPolicies {
    private static let adminOrService = "rule:admin_or_service_api"
    private static let collections: [(String, [String])] = [
        ("placement:resource_providers", ["list", "create", "show", "update", "delete"]),
        ("placement:resource_providers:inventories", ["list", "create", "show", "update", "delete"]),
        ("placement:resource_providers:traits", ["list", "update", "delete"]),
        ("placement:resource_providers:aggregates", ["list", "update"]),
        ("placement:resource_providers:allocations", ["list"]),
        ("placement:resource_classes", ["list", "create", "show", "update", "delete"]),
        ("placement:traits", ["list", "show", "update", "delete"]),
        ("placement:allocations", ["manage", "list", "update", "delete"]),
        ("placement:allocation_candidates", ["list"]),
    ]

    package static let all: [PolicyRule] =
        [
            PolicyRule("admin_api", "role:admin"),
            PolicyRule("service_api", "role:service"),
            PolicyRule("admin_or_service_api", "role:admin or role:service"),
            PolicyRule("project_reader_api", "role:reader and project_id:%(project_id)s"),
            PolicyRule(
                "admin_or_project_reader_or_service_api", "role:admin or rule:project_reader_api or role:service"),
        ]
        + [PolicyRule("placement:unknown_path", "@", "Learn that a path does not exist.")]
        + collections.flatMap { collection, actions in
            actions.map { PolicyRule(PolicyName("\(collection):\($0)"), adminOrService) }.needing(.project)
        }
        + [
            PolicyRule(
                "placement:resource_providers:usages", adminOrService, "Show what consumers hold of a provider."),
            PolicyRule(
                "placement:usages", "rule:admin_or_project_reader_or_service_api", "Show what a project holds in all."),
            PolicyRule("placement:reshaper:reshape", "rule:service_api", "Move inventory between providers."),
        ].needing(.project)
}
