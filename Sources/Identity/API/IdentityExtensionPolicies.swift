// SPDX-License-Identifier: Apache-2.0
import PolicyKit

/// The defaults of what upstream calls extensions (keystone: `common/policies`).
extension IdentityPolicies {
    static let trusts: [PolicyRule] = {
        let (trustor, trustee) = (
            "user_id:%(target.trust.trustor_user_id)s", "user_id:%(target.trust.trustee_user_id)s"
        )
        let reader = "(\(admin)) or (\(systemReader))"
        return [
            PolicyRule("identity:list_trusts", adminOrSystemReader, "List all trusts."),
            PolicyRule("identity:list_trusts_for_trustor", "\(reader) or \(trustor)", "List the trusts of a trustor."),
            PolicyRule("identity:list_trusts_for_trustee", "\(reader) or \(trustee)", "List the trusts of a trustee."),
            PolicyRule("identity:get_trust", "\(reader) or \(trustor) or \(trustee)", "Show a trust."),
            PolicyRule(
                "identity:list_roles_for_trust", "\(reader) or \(trustor) or \(trustee)", "List the roles of a trust."),
            PolicyRule(
                "identity:get_role_for_trust", "\(reader) or \(trustor) or \(trustee)", "Show a role of a trust."),
            PolicyRule("identity:delete_trust", "\(admin) or \(trustor)", "End a trust."),
        ].needing(.system, .project)
            + [PolicyRule("identity:create_trust", trustor, "Make a trust.")].needing(.project)
    }()

    static let oauth =
        managed("consumer")
        + [
            PolicyRule("identity:authorize_request_token", admin, "Say yes to a consumer's request."),
            PolicyRule("identity:get_access_token", admin, "Show an access token."),
            PolicyRule("identity:get_access_token_role", admin, "Show a role of an access token."),
            PolicyRule("identity:list_access_tokens", admin, "List a user's access tokens."),
            PolicyRule("identity:list_access_token_roles", admin, "List the roles of an access token."),
            PolicyRule("identity:delete_access_token", admin, "Take an access token back."),
        ].needing(.project)

    static let endpointFilters =
        managed("endpoint_group")
        + [
            PolicyRule(
                "identity:list_projects_associated_with_endpoint_group", adminOrSystemReader,
                "List the projects of an endpoint group."),
            PolicyRule(
                "identity:list_endpoints_associated_with_endpoint_group", adminOrSystemReader,
                "List the endpoints of an endpoint group."),
            PolicyRule(
                "identity:get_endpoint_group_in_project", adminOrSystemReader,
                "Say whether a project has an endpoint group."),
            PolicyRule(
                "identity:list_endpoint_groups_for_project", adminOrSystemReader,
                "List the endpoint groups of a project."),
            PolicyRule("identity:add_endpoint_group_to_project", admin, "Give a project an endpoint group."),
            PolicyRule(
                "identity:remove_endpoint_group_from_project", admin, "Take an endpoint group from a project."),
            PolicyRule("identity:list_projects_for_endpoint", adminOrSystemReader, "List the projects of an endpoint."),
            PolicyRule("identity:add_endpoint_to_project", admin, "Give a project an endpoint."),
            PolicyRule(
                "identity:check_endpoint_in_project", adminOrSystemReader, "Say whether a project has an endpoint."),
            PolicyRule("identity:list_endpoints_for_project", adminOrSystemReader, "List the endpoints of a project."),
            PolicyRule("identity:remove_endpoint_from_project", admin, "Take an endpoint from a project."),
        ].needing(.system, .project)

    static let policies = (policyBlobs + policyAssociations).needing(.system, .project)

    private static let policyBlobs =
        [
            PolicyRule("identity:get_policy", adminOrSystemReader, "Show a policy."),
            PolicyRule("identity:list_policies", adminOrSystemReader, "List policies."),
            PolicyRule("identity:create_policy", admin, "Keep a policy."),
            PolicyRule("identity:update_policy", admin, "Change a policy."),
            PolicyRule("identity:delete_policy", admin, "Delete a policy."),
            PolicyRule("identity:get_policy_for_endpoint", adminOrSystemReader, "Show the policy of an endpoint."),
            PolicyRule("identity:list_endpoints_for_policy", adminOrSystemReader, "List the endpoints of a policy."),
        ]

    private static let policyAssociations = ["endpoint", "service", "region_and_service"].flatMap { target in
        [("create", admin), ("check", adminOrSystemReader), ("delete", admin)].map { verb, check in
            PolicyRule(PolicyName("identity:\(verb)_policy_association_for_\(target)"), check)
        }
    }

    static let domainConfigs =
        [
            PolicyRule("identity:create_domain_config", admin, "Replace a domain's configuration."),
            PolicyRule("identity:get_domain_config", adminOrSystemReader, "Show a domain's configuration."),
            PolicyRule("identity:update_domain_config", admin, "Change a domain's configuration."),
            PolicyRule("identity:delete_domain_config", admin, "Delete a domain's configuration."),
            PolicyRule("identity:get_domain_config_default", adminOrSystemReader, "Show the default configuration."),
        ].needing(.system, .project) + [
            PolicyRule("identity:get_security_compliance_domain_config", "", "Show what a domain asks of passwords.")
        ]

    static let federation =
        managed("identity_provider") + managed("protocol") + managed("mapping") + managed("service_provider")
        + [
            PolicyRule("identity:list_revoke_events", "rule:service_or_admin", "List what was revoked.")
        ].needing(.system, .project)

    /// Readable by administrators and readers of the system, changed by administrators.
    private static func managed(_ noun: String) -> [PolicyRule] {
        [
            PolicyRule(PolicyName("identity:list_\(noun)s"), adminOrSystemReader),
            PolicyRule(PolicyName("identity:get_\(noun)"), adminOrSystemReader),
            PolicyRule(PolicyName("identity:create_\(noun)"), admin),
            PolicyRule(PolicyName("identity:update_\(noun)"), admin),
            PolicyRule(PolicyName("identity:delete_\(noun)"), admin),
        ].needing(.system, .project)
    }
}
