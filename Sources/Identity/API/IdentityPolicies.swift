// SPDX-License-Identifier: Apache-2.0
import PolicyKit

/// Upstream's defaults (keystone: `common/policies`), rule by rule, for the newest release: without the deprecated
/// alternatives that older ones added. What is of a domain is for tokens of domains, too; the cloud itself is not.
package enum IdentityPolicies {
    package static let defaults: [PolicyRule] =
        base + tokens + users + groups + projects + domains + roles + grants + catalog + credentials + ec2 + limits
        + trusts + oauth + endpointFilters + policies + domainConfigs + federation

    static let admin = "rule:admin_required"
    static let systemReader = "role:reader and system_scope:all"
    static let systemAdmin = "role:admin and system_scope:all"
    static let adminOrSystemReader = "rule:admin_required or (role:reader and system_scope:all)"

    private static let base = [
        PolicyRule("admin_required", "role:admin"),
        PolicyRule("service_role", "role:service"),
        PolicyRule("service_or_admin", "rule:admin_required or rule:service_role"),
        PolicyRule("owner", "user_id:%(user_id)s"),
        PolicyRule("admin_or_owner", "rule:admin_required or rule:owner"),
        PolicyRule("token_subject", "user_id:%(target.token.user_id)s"),
        PolicyRule(
            "domain_managed_target_role",
            "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s"),
    ]

    private static let tokens = [
        PolicyRule("identity:get_auth_catalog", "", "Show the caller's catalog."),
        PolicyRule("identity:get_auth_projects", "", "List projects that the caller has a role on."),
        PolicyRule("identity:get_auth_domains", "", "List domains that the caller has a role on."),
        PolicyRule("identity:get_auth_system", "", "Say whether the caller has a role on the system."),
        PolicyRule(
            "identity:check_token", "\(admin) or (\(systemReader)) or rule:token_subject", "Check a token."),
        PolicyRule(
            "identity:validate_token",
            "\(admin) or (\(systemReader)) or rule:service_role or rule:token_subject", "Show a token."),
        PolicyRule("identity:revoke_token", "\(admin) or rule:token_subject", "Revoke a token."),
    ]

    private static let users: [PolicyRule] = {
        let manager = "(\(admin)) or (role:manager and token.domain.id:%(target.user.domain_id)s)"
        return [
            PolicyRule(
                "identity:get_user",
                "(\(admin)) or (\(systemReader)) or (role:reader and token.domain.id:%(target.user.domain_id)s) "
                    + "or user_id:%(target.user.id)s", "Show a user."),
            PolicyRule(
                "identity:list_users",
                "(\(admin)) or (\(systemReader)) or (role:reader and domain_id:%(target.domain_id)s)", "List users."),
            PolicyRule("identity:create_user", manager, "Create a user."),
            PolicyRule("identity:update_user", manager, "Change a user."),
            PolicyRule("identity:delete_user", manager, "Delete a user."),
            PolicyRule(
                "identity:list_user_projects",
                "(\(admin)) or (\(systemReader)) or (role:reader and domain_id:%(target.user.domain_id)s) "
                    + "or user_id:%(target.user.id)s", "List the projects of a user."),
            PolicyRule(
                "identity:list_groups_for_user",
                "(\(admin)) or (\(systemReader)) or (role:reader and domain_id:%(target.user.domain_id)s) "
                    + "or user_id:%(user_id)s", "List the groups of a user."),
        ]
    }()

    private static let groups: [PolicyRule] = {
        let reader = "(\(admin)) or (\(systemReader)) or (role:reader and domain_id:%(target.group.domain_id)s)"
        let manager = "(\(admin)) or (role:manager and domain_id:%(target.group.domain_id)s)"
        let both = "domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s"
        return [
            PolicyRule("identity:get_group", reader, "Show a group."),
            PolicyRule("identity:list_groups", reader, "List groups."),
            PolicyRule("identity:create_group", manager, "Create a group."),
            PolicyRule("identity:update_group", manager, "Change a group."),
            PolicyRule("identity:delete_group", manager, "Delete a group."),
            PolicyRule("identity:list_users_in_group", reader, "List the members of a group."),
            PolicyRule(
                "identity:check_user_in_group", "(\(admin)) or (\(systemReader)) or (role:reader and \(both))",
                "Say whether a user is a member of a group."),
            PolicyRule("identity:add_user_to_group", "(\(admin)) or (role:manager and \(both))", "Add a member."),
            PolicyRule(
                "identity:remove_user_from_group", "(\(admin)) or (role:manager and \(both))", "Remove a member."),
        ]
    }()

    private static let projects: [PolicyRule] = {
        let ownDomain = "domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s"
        let reader =
            "(\(admin)) or (\(systemReader)) or (role:reader and \(ownDomain)) or project_id:%(target.project.id)s"
        let manager = "(\(admin)) or (role:manager and \(ownDomain))"
        return [
            PolicyRule("identity:get_project", reader, "Show a project."),
            PolicyRule(
                "identity:list_projects",
                "(\(admin)) or (\(systemReader)) or (role:reader and domain_id:%(target.domain_id)s)",
                "List projects."),
            PolicyRule("identity:create_project", manager, "Create a project."),
            PolicyRule("identity:update_project", manager, "Change a project."),
            PolicyRule("identity:delete_project", manager, "Delete a project."),
            PolicyRule("identity:list_project_tags", reader, "List the tags of a project."),
            PolicyRule("identity:get_project_tag", reader, "Say whether a project has a tag."),
            PolicyRule("identity:update_project_tags", manager, "Replace the tags of a project."),
            PolicyRule("identity:create_project_tag", manager, "Add a tag to a project."),
            PolicyRule("identity:delete_project_tags", manager, "Remove all tags of a project."),
            PolicyRule("identity:delete_project_tag", manager, "Remove a tag of a project."),
        ]
    }()

    private static let domains =
        [
            PolicyRule(
                "identity:get_domain",
                "\(admin) or (\(systemReader)) or token.domain.id:%(target.domain.id)s "
                    + "or token.project.domain.id:%(target.domain.id)s", "Show a domain."),
            PolicyRule(
                "identity:list_domains",
                "\(adminOrSystemReader) or (role:reader and domain_id:%(target.domain.id)s)", "List domains."),
        ]
        + [
            PolicyRule("identity:create_domain", admin, "Create a domain."),
            PolicyRule("identity:update_domain", admin, "Change a domain."),
            PolicyRule("identity:delete_domain", admin, "Delete a domain."),
        ].needing(.system, .project)

    private static let roles =
        [
            PolicyRule(
                "identity:get_role",
                "(\(adminOrSystemReader)) or (role:manager and rule:domain_managed_target_role)", "Show a role."),
            PolicyRule(
                "identity:list_roles", "(\(adminOrSystemReader)) or (role:manager and not domain_id:None)",
                "List roles."),
            PolicyRule(
                "identity:list_role_assignments",
                "(\(admin)) or (\(systemReader)) or (role:reader and domain_id:%(target.domain_id)s)",
                "List who has which role."),
            PolicyRule(
                "identity:list_role_assignments_for_tree",
                "(\(admin)) or (\(systemReader)) or (role:reader and domain_id:%(target.domain_id)s)",
                "List who has which role in a tree of projects."),
        ] + roleAdministration.needing(.system, .project)

    private static let roleAdministration = [
        PolicyRule("identity:create_role", admin, "Create a role."),
        PolicyRule("identity:update_role", admin, "Change a role."),
        PolicyRule("identity:delete_role", admin, "Delete a role."),
        PolicyRule("identity:get_domain_role", adminOrSystemReader, "Show a domain's own role."),
        PolicyRule("identity:list_domain_roles", adminOrSystemReader, "List a domain's own roles."),
        PolicyRule("identity:create_domain_role", admin, "Create a role of a domain."),
        PolicyRule("identity:update_domain_role", admin, "Change a role of a domain."),
        PolicyRule("identity:delete_domain_role", admin, "Delete a role of a domain."),
        PolicyRule("identity:get_implied_role", adminOrSystemReader, "Show an implication."),
        PolicyRule("identity:list_implied_roles", adminOrSystemReader, "List what a role implies."),
        PolicyRule("identity:create_implied_role", admin, "Make a role imply another."),
        PolicyRule("identity:delete_implied_role", admin, "Take an implication away."),
        PolicyRule("identity:list_role_inference_rules", adminOrSystemReader, "List all implications."),
        PolicyRule("identity:check_implied_role", adminOrSystemReader, "Check an implication."),
    ]

    private static let grants: [PolicyRule] = {
        /// `role` on the domain that both the actor and the target belong to.
        func inOneDomain(_ role: String) -> String {
            let pairs = [
                ("user", "project.domain_id"), ("user", "domain.id"), ("group", "project.domain_id"),
                ("group", "domain.id"),
            ]
            return pairs.map { actor, target in
                "(role:\(role) and domain_id:%(target.\(actor).domain_id)s and domain_id:%(target.\(target))s)"
            }.joined(separator: " or ")
        }
        let roleFits = "domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s"
        let writer =
            "(\(admin)) or ((\(inOneDomain("admin"))) and (\(roleFits))) "
            + "or ((\(inOneDomain("manager"))) and rule:domain_managed_target_role)"
        return [
            PolicyRule(
                "identity:check_grant",
                "(\(admin)) or (\(systemReader)) or ((\(inOneDomain("reader"))) and (\(roleFits)))", "Check a grant."),
            PolicyRule(
                "identity:list_grants", "(\(admin)) or (\(systemReader)) or \(inOneDomain("reader"))", "List grants."),
            PolicyRule("identity:create_grant", writer, "Give a role."),
            PolicyRule("identity:revoke_grant", writer, "Take a role back."),
        ] + systemGrants.needing(.system, .project)
    }()

    private static let systemGrants = [
        PolicyRule("identity:list_system_grants_for_user", adminOrSystemReader, "List a user's system roles."),
        PolicyRule("identity:check_system_grant_for_user", adminOrSystemReader, "Check a user's system role."),
        PolicyRule("identity:create_system_grant_for_user", admin, "Give a user a system role."),
        PolicyRule("identity:revoke_system_grant_for_user", admin, "Take a user's system role back."),
        PolicyRule("identity:list_system_grants_for_group", adminOrSystemReader, "List a group's system roles."),
        PolicyRule("identity:check_system_grant_for_group", adminOrSystemReader, "Check a group's system role."),
        PolicyRule("identity:create_system_grant_for_group", admin, "Give a group a system role."),
        PolicyRule("identity:revoke_system_grant_for_group", admin, "Take a group's system role back."),
    ]

    private static let catalog =
        [
            PolicyRule("identity:get_region", "", "Show a region."),
            PolicyRule("identity:list_regions", "", "List regions."),
        ] + catalogAdministration.needing(.system, .project)

    private static let catalogAdministration =
        [
            PolicyRule("identity:get_service", adminOrSystemReader, "Show a service."),
            PolicyRule("identity:list_services", adminOrSystemReader, "List services."),
            PolicyRule("identity:get_endpoint", adminOrSystemReader, "Show an endpoint."),
            PolicyRule("identity:list_endpoints", adminOrSystemReader, "List endpoints."),
        ]
        + ["region", "service", "endpoint"].flatMap { noun in
            ["create", "update", "delete"].map { PolicyRule(PolicyName("identity:\($0)_\(noun)"), admin) }
        }

    private static let credentials: [PolicyRule] = {
        let owner = "user_id:%(target.credential.user_id)s"
        return [
            PolicyRule("identity:get_credential", "(\(admin)) or (\(systemReader)) or \(owner)", "Show a credential."),
            PolicyRule("identity:list_credentials", "(\(admin)) or (\(systemReader)) or \(owner)", "List credentials."),
            PolicyRule("identity:create_credential", "(\(admin)) or \(owner)", "Create a credential."),
            PolicyRule("identity:update_credential", "(\(admin)) or \(owner)", "Change a credential."),
            PolicyRule("identity:delete_credential", "(\(admin)) or \(owner)", "Delete a credential."),
        ] + applicationCredentials
    }()

    private static let applicationCredentials: [PolicyRule] = {
        let reader = "(\(admin)) or (\(systemReader)) or rule:owner"
        return [
            PolicyRule("identity:get_application_credential", reader, "Show an application credential."),
            PolicyRule("identity:list_application_credentials", reader, "List application credentials."),
            PolicyRule(
                "identity:delete_application_credential", "rule:admin_or_owner", "Delete an application credential."),
            PolicyRule(
                "identity:get_access_rule", "(\(systemReader)) or user_id:%(target.user.id)s", "Show an access rule."),
            PolicyRule(
                "identity:list_access_rules", "(\(systemReader)) or user_id:%(target.user.id)s", "List access rules."),
            PolicyRule(
                "identity:delete_access_rule", "(\(systemAdmin)) or user_id:%(target.user.id)s",
                "Delete an access rule."),
        ].needing(.system, .project)
            + [PolicyRule("identity:create_application_credential", "rule:owner", "Create an application credential.")]
            .needing(.project)
    }()

    private static let ec2: [PolicyRule] = {
        let owner = "user_id:%(target.credential.user_id)s"
        let writer = "(\(admin)) or (role:member and \(owner))"
        return [
            PolicyRule(
                "identity:ec2_get_credential", "(\(admin)) or (\(systemReader)) or \(owner)", "Show an access key."),
            PolicyRule(
                "identity:ec2_list_credentials", "(\(admin)) or (\(systemReader)) or rule:owner", "List access keys."),
            PolicyRule("identity:ec2_create_credential", writer, "Make an access key."),
            PolicyRule("identity:ec2_delete_credential", writer, "Delete an access key."),
        ].needing(.system, .project) + [
            PolicyRule("identity:ec2tokens_validate", "rule:service_or_admin", "Take a signed request for a token."),
            PolicyRule("identity:s3tokens_validate", "rule:service_or_admin", "Take a signed S3 request for a token."),
        ]
    }()

    private static let limits =
        [
            PolicyRule("identity:get_limit_model", "", "Say how limits are enforced."),
            PolicyRule(
                "identity:get_limit",
                "\(admin) or (\(systemReader)) or (domain_id:%(target.limit.domain.id)s "
                    + "or domain_id:%(target.limit.project.domain_id)s) or (project_id:%(target.limit.project_id)s "
                    + "and not None:%(target.limit.project_id)s)", "Show a limit."),
            PolicyRule("identity:list_limits", "", "List limits."),
            PolicyRule("identity:get_registered_limit", "", "Show a registered limit."),
            PolicyRule("identity:list_registered_limits", "", "List registered limits."),
        ] + limitAdministration.needing(.system, .project)

    private static let limitAdministration = [
        PolicyRule("identity:create_limits", admin, "Create limits."),
        PolicyRule("identity:update_limit", admin, "Change a limit."),
        PolicyRule("identity:delete_limit", admin, "Delete a limit."),
        PolicyRule("identity:create_registered_limits", admin, "Create registered limits."),
        PolicyRule("identity:update_registered_limit", admin, "Change a registered limit."),
        PolicyRule("identity:delete_registered_limit", admin, "Delete a registered limit."),
    ]
}
