// SPDX-License-Identifier: Apache-2.0

extension UpstreamRules {
    /// keystone 30: keystone/common/policies.
    static let identity = """
        onlysys.reader+user identity:get_access_rule GET /v3/users/{}/access_rules/{}
        onlysys.reader+user identity:list_access_rules GET /v3/users/{}/access_rules
        onlysys.admin+user identity:delete_access_rule DELETE /v3/users/{}/access_rules/{}
        admin identity:authorize_request_token PUT /v3/OS-OAUTH1/authorize/{}
        admin identity:get_access_token GET /v3/users/{}/OS-OAUTH1/access_tokens/{}
        admin identity:get_access_token_role GET /v3/users/{}/OS-OAUTH1/access_tokens/{}/roles/{}
        admin identity:list_access_tokens GET /v3/users/{}/OS-OAUTH1/access_tokens
        admin identity:list_access_token_roles GET /v3/users/{}/OS-OAUTH1/access_tokens/{}/roles
        admin identity:delete_access_token DELETE /v3/users/{}/OS-OAUTH1/access_tokens/{}
        sys.reader+user identity:get_application_credential GET /v3/users/{}/application_credentials/{}
        sys.reader+user identity:list_application_credentials GET /v3/users/{}/application_credentials
        onlyuser identity:create_application_credential POST /v3/users/{}/application_credentials
        sys.admin+user identity:delete_application_credential DELETE /v3/users/{}/application_credentials/{}
        token identity:get_auth_catalog
        token identity:get_auth_projects GET /v3/auth/projects
        token identity:get_auth_domains GET /v3/auth/domains
        token identity:get_auth_system GET /v3/auth/system
        sys.reader identity:get_consumer GET /v3/OS-OAUTH1/consumers/{}
        sys.reader identity:list_consumers GET /v3/OS-OAUTH1/consumers
        sys.admin identity:create_consumer POST /v3/OS-OAUTH1/consumers
        sys.admin identity:update_consumer PATCH /v3/OS-OAUTH1/consumers/{}
        sys.admin identity:delete_consumer DELETE /v3/OS-OAUTH1/consumers/{}
        cloud.reader+user identity:get_credential GET /v3/credentials/{}
        cloud.reader+user identity:list_credentials GET /v3/credentials
        cloud.admin+user identity:create_credential POST /v3/credentials
        cloud.admin+user identity:update_credential PATCH /v3/credentials/{}
        cloud.admin+user identity:delete_credential DELETE /v3/credentials/{}
        domain identity:get_domain GET /v3/domains/{}
        dom.reader identity:list_domains GET /v3/domains
        sys.admin identity:create_domain POST /v3/domains
        sys.admin identity:update_domain PATCH /v3/domains/{}
        sys.admin identity:delete_domain DELETE /v3/domains/{}
        sys.admin identity:create_domain_config PUT /v3/domains/{}/config
        sys.reader identity:get_domain_config GET /v3/domains/{}/config /v3/domains/{}/config/{}
          GET /v3/domains/{}/config/{}/{}
        token identity:get_security_compliance_domain_config GET /v3/domains/{}/config/security_compliance
          GET /v3/domains/{}/config/security_compliance/{}
        sys.admin identity:update_domain_config PATCH /v3/domains/{}/config /v3/domains/{}/config/{}
          PATCH /v3/domains/{}/config/{}/{}
        sys.admin identity:delete_domain_config DELETE /v3/domains/{}/config /v3/domains/{}/config/{}
          DELETE /v3/domains/{}/config/{}/{}
        sys.reader identity:get_domain_config_default GET /v3/domains/config/default /v3/domains/config/{}/default
          GET /v3/domains/config/{}/{}/default
        sys.reader+user identity:ec2_get_credential GET /v3/users/{}/credentials/OS-EC2/{}
        sys.reader+user identity:ec2_list_credentials GET /v3/users/{}/credentials/OS-EC2
        sys.admin+member identity:ec2_create_credential POST /v3/users/{}/credentials/OS-EC2
        sys.admin+member identity:ec2_delete_credential DELETE /v3/users/{}/credentials/OS-EC2/{}
        sys.reader identity:get_endpoint GET /v3/endpoints/{}
        sys.reader identity:list_endpoints GET /v3/endpoints
        sys.admin identity:create_endpoint POST /v3/endpoints
        sys.admin identity:update_endpoint PATCH /v3/endpoints/{}
        sys.admin identity:delete_endpoint DELETE /v3/endpoints/{}
        sys.admin identity:create_endpoint_group POST /v3/OS-EP-FILTER/endpoint_groups
        sys.reader identity:list_endpoint_groups GET /v3/OS-EP-FILTER/endpoint_groups
        sys.reader identity:get_endpoint_group GET /v3/OS-EP-FILTER/endpoint_groups/{}
        sys.admin identity:update_endpoint_group PATCH /v3/OS-EP-FILTER/endpoint_groups/{}
        sys.admin identity:delete_endpoint_group DELETE /v3/OS-EP-FILTER/endpoint_groups/{}
        sys.reader identity:list_projects_associated_with_endpoint_group
          GET /v3/OS-EP-FILTER/endpoint_groups/{}/projects
        sys.reader identity:list_endpoints_associated_with_endpoint_group
          GET /v3/OS-EP-FILTER/endpoint_groups/{}/endpoints
        sys.reader identity:get_endpoint_group_in_project GET /v3/OS-EP-FILTER/endpoint_groups/{}/projects/{}
        sys.reader identity:list_endpoint_groups_for_project GET /v3/OS-EP-FILTER/projects/{}/endpoint_groups
        sys.admin identity:add_endpoint_group_to_project PUT /v3/OS-EP-FILTER/endpoint_groups/{}/projects/{}
        sys.admin identity:remove_endpoint_group_from_project DELETE /v3/OS-EP-FILTER/endpoint_groups/{}/projects/{}
        dom.reader identity:check_grant GET /v3/projects/{}/users/{}/roles/{} /v3/projects/{}/groups/{}/roles/{}
          GET /v3/domains/{}/users/{}/roles/{} /v3/domains/{}/groups/{}/roles/{}
          GET /v3/OS-INHERIT/projects/{}/users/{}/roles/{}/inherited_to_projects
          GET /v3/OS-INHERIT/projects/{}/groups/{}/roles/{}/inherited_to_projects
          GET /v3/OS-INHERIT/domains/{}/users/{}/roles/{}/inherited_to_projects
          GET /v3/OS-INHERIT/domains/{}/groups/{}/roles/{}/inherited_to_projects
        dom.reader identity:list_grants GET /v3/projects/{}/users/{}/roles /v3/projects/{}/groups/{}/roles
          GET /v3/domains/{}/users/{}/roles /v3/domains/{}/groups/{}/roles
          GET /v3/OS-INHERIT/domains/{}/groups/{}/roles/inherited_to_projects
          GET /v3/OS-INHERIT/domains/{}/users/{}/roles/inherited_to_projects
        dom.manager identity:create_grant PUT /v3/projects/{}/users/{}/roles/{} /v3/projects/{}/groups/{}/roles/{}
          PUT /v3/domains/{}/users/{}/roles/{} /v3/domains/{}/groups/{}/roles/{}
          PUT /v3/OS-INHERIT/projects/{}/users/{}/roles/{}/inherited_to_projects
          PUT /v3/OS-INHERIT/projects/{}/groups/{}/roles/{}/inherited_to_projects
          PUT /v3/OS-INHERIT/domains/{}/users/{}/roles/{}/inherited_to_projects
          PUT /v3/OS-INHERIT/domains/{}/groups/{}/roles/{}/inherited_to_projects
        dom.manager identity:revoke_grant DELETE /v3/projects/{}/users/{}/roles/{}
          DELETE /v3/projects/{}/groups/{}/roles/{} /v3/domains/{}/users/{}/roles/{}
          DELETE /v3/domains/{}/groups/{}/roles/{}
          DELETE /v3/OS-INHERIT/projects/{}/users/{}/roles/{}/inherited_to_projects
          DELETE /v3/OS-INHERIT/projects/{}/groups/{}/roles/{}/inherited_to_projects
          DELETE /v3/OS-INHERIT/domains/{}/users/{}/roles/{}/inherited_to_projects
          DELETE /v3/OS-INHERIT/domains/{}/groups/{}/roles/{}/inherited_to_projects
        sys.reader identity:list_system_grants_for_user GET /v3/system/users/{}/roles
        sys.reader identity:check_system_grant_for_user GET /v3/system/users/{}/roles/{}
        sys.admin identity:create_system_grant_for_user PUT /v3/system/users/{}/roles/{}
        sys.admin identity:revoke_system_grant_for_user DELETE /v3/system/users/{}/roles/{}
        sys.reader identity:list_system_grants_for_group GET /v3/system/groups/{}/roles
        sys.reader identity:check_system_grant_for_group GET /v3/system/groups/{}/roles/{}
        sys.admin identity:create_system_grant_for_group PUT /v3/system/groups/{}/roles/{}
        sys.admin identity:revoke_system_grant_for_group DELETE /v3/system/groups/{}/roles/{}
        dom.reader identity:get_group GET /v3/groups/{}
        dom.reader identity:list_groups GET /v3/groups
        dom.reader+user identity:list_groups_for_user GET /v3/users/{}/groups
        dom.manager identity:create_group POST /v3/groups
        dom.manager identity:update_group PATCH /v3/groups/{}
        dom.manager identity:delete_group DELETE /v3/groups/{}
        dom.reader identity:list_users_in_group GET /v3/groups/{}/users
        dom.manager identity:remove_user_from_group DELETE /v3/groups/{}/users/{}
        dom.reader identity:check_user_in_group GET /v3/groups/{}/users/{}
        dom.manager identity:add_user_to_group PUT /v3/groups/{}/users/{}
        sys.admin identity:create_identity_provider PUT /v3/OS-FEDERATION/identity_providers/{}
        sys.reader identity:list_identity_providers GET /v3/OS-FEDERATION/identity_providers
        sys.reader identity:get_identity_provider GET /v3/OS-FEDERATION/identity_providers/{}
        sys.admin identity:update_identity_provider PATCH /v3/OS-FEDERATION/identity_providers/{}
        sys.admin identity:delete_identity_provider DELETE /v3/OS-FEDERATION/identity_providers/{}
        sys.reader identity:get_implied_role GET /v3/roles/{}/implies/{}
        sys.reader identity:list_implied_roles GET /v3/roles/{}/implies
        sys.admin identity:create_implied_role PUT /v3/roles/{}/implies/{}
        sys.admin identity:delete_implied_role DELETE /v3/roles/{}/implies/{}
        sys.reader identity:list_role_inference_rules GET /v3/role_inferences
        sys.reader identity:check_implied_role HEAD /v3/roles/{}/implies/{}
        token identity:get_limit_model GET /v3/limits/model
        limit identity:get_limit GET /v3/limits/{}
        token identity:list_limits GET /v3/limits
        sys.admin identity:create_limits POST /v3/limits
        sys.admin identity:update_limit PATCH /v3/limits/{}
        sys.admin identity:delete_limit DELETE /v3/limits/{}
        sys.admin identity:create_mapping PUT /v3/OS-FEDERATION/mappings/{}
        sys.reader identity:get_mapping GET /v3/OS-FEDERATION/mappings/{}
        sys.reader identity:list_mappings GET /v3/OS-FEDERATION/mappings
        sys.admin identity:delete_mapping DELETE /v3/OS-FEDERATION/mappings/{}
        sys.admin identity:update_mapping PATCH /v3/OS-FEDERATION/mappings/{}
        sys.reader identity:get_policy GET /v3/policies/{}
        sys.reader identity:list_policies GET /v3/policies
        sys.admin identity:create_policy POST /v3/policies
        sys.admin identity:update_policy PATCH /v3/policies/{}
        sys.admin identity:delete_policy DELETE /v3/policies/{}
        sys.admin identity:create_policy_association_for_endpoint
          PUT /v3/policies/{}/OS-ENDPOINT-POLICY/endpoints/{}
        sys.reader identity:check_policy_association_for_endpoint
          GET /v3/policies/{}/OS-ENDPOINT-POLICY/endpoints/{}
        sys.admin identity:delete_policy_association_for_endpoint
          DELETE /v3/policies/{}/OS-ENDPOINT-POLICY/endpoints/{}
        sys.admin identity:create_policy_association_for_service PUT /v3/policies/{}/OS-ENDPOINT-POLICY/services/{}
        sys.reader identity:check_policy_association_for_service GET /v3/policies/{}/OS-ENDPOINT-POLICY/services/{}
        sys.admin identity:delete_policy_association_for_service
          DELETE /v3/policies/{}/OS-ENDPOINT-POLICY/services/{}
        sys.admin identity:create_policy_association_for_region_and_service
          PUT /v3/policies/{}/OS-ENDPOINT-POLICY/services/{}/regions/{}
        sys.reader identity:check_policy_association_for_region_and_service
          GET /v3/policies/{}/OS-ENDPOINT-POLICY/services/{}/regions/{}
        sys.admin identity:delete_policy_association_for_region_and_service
          DELETE /v3/policies/{}/OS-ENDPOINT-POLICY/services/{}/regions/{}
        sys.reader identity:get_policy_for_endpoint GET /v3/endpoints/{}/OS-ENDPOINT-POLICY/policy
        sys.reader identity:list_endpoints_for_policy GET /v3/policies/{}/OS-ENDPOINT-POLICY/endpoints
        dom.reader+project identity:get_project GET /v3/projects/{}
        dom.reader identity:list_projects GET /v3/projects
        dom.reader+user identity:list_user_projects GET /v3/users/{}/projects
        dom.manager identity:create_project POST /v3/projects
        dom.manager identity:update_project PATCH /v3/projects/{}
        dom.manager identity:delete_project DELETE /v3/projects/{}
        dom.reader+project identity:list_project_tags GET /v3/projects/{}/tags
        dom.reader+project identity:get_project_tag GET /v3/projects/{}/tags/{}
        dom.manager identity:update_project_tags PUT /v3/projects/{}/tags
        dom.manager identity:create_project_tag PUT /v3/projects/{}/tags/{}
        dom.manager identity:delete_project_tags DELETE /v3/projects/{}/tags
        dom.manager identity:delete_project_tag DELETE /v3/projects/{}/tags/{}
        sys.reader identity:list_projects_for_endpoint GET /v3/OS-EP-FILTER/endpoints/{}/projects
        sys.admin identity:add_endpoint_to_project PUT /v3/OS-EP-FILTER/projects/{}/endpoints/{}
        sys.reader identity:check_endpoint_in_project GET /v3/OS-EP-FILTER/projects/{}/endpoints/{}
        sys.reader identity:list_endpoints_for_project GET /v3/OS-EP-FILTER/projects/{}/endpoints
        sys.admin identity:remove_endpoint_from_project DELETE /v3/OS-EP-FILTER/projects/{}/endpoints/{}
        sys.admin identity:create_protocol PUT /v3/OS-FEDERATION/identity_providers/{}/protocols/{}
        sys.admin identity:update_protocol PATCH /v3/OS-FEDERATION/identity_providers/{}/protocols/{}
        sys.reader identity:get_protocol GET /v3/OS-FEDERATION/identity_providers/{}/protocols/{}
        sys.reader identity:list_protocols GET /v3/OS-FEDERATION/identity_providers/{}/protocols
        sys.admin identity:delete_protocol DELETE /v3/OS-FEDERATION/identity_providers/{}/protocols/{}
        token identity:get_region GET /v3/regions/{}
        token identity:list_regions GET /v3/regions
        sys.admin identity:create_region POST /v3/regions PUT /v3/regions/{}
        sys.admin identity:update_region PATCH /v3/regions/{}
        sys.admin identity:delete_region DELETE /v3/regions/{}
        token identity:get_registered_limit GET /v3/registered_limits/{}
        token identity:list_registered_limits GET /v3/registered_limits
        sys.admin identity:create_registered_limits POST /v3/registered_limits
        sys.admin identity:update_registered_limit PATCH /v3/registered_limits/{}
        sys.admin identity:delete_registered_limit DELETE /v3/registered_limits/{}
        sys.admin+service identity:list_revoke_events GET /v3/OS-REVOKE/events
        role identity:get_role GET /v3/roles/{}
        roles identity:list_roles GET /v3/roles
        sys.admin identity:create_role POST /v3/roles
        sys.admin identity:update_role PATCH /v3/roles/{}
        sys.admin identity:delete_role DELETE /v3/roles/{}
        sys.reader identity:get_domain_role
        sys.reader identity:list_domain_roles
        sys.admin identity:create_domain_role
        sys.admin identity:update_domain_role
        sys.admin identity:delete_domain_role
        dom.reader identity:list_role_assignments GET /v3/role_assignments
        dom.reader identity:list_role_assignments_for_tree
        cloud.admin+service identity:s3tokens_validate POST /v3/s3tokens
        cloud.admin+service identity:ec2tokens_validate POST /v3/ec2tokens
        sys.reader identity:get_service GET /v3/services/{}
        sys.reader identity:list_services GET /v3/services
        sys.admin identity:create_service POST /v3/services
        sys.admin identity:update_service PATCH /v3/services/{}
        sys.admin identity:delete_service DELETE /v3/services/{}
        sys.admin identity:create_service_provider PUT /v3/OS-FEDERATION/service_providers/{}
        sys.reader identity:list_service_providers GET /v3/OS-FEDERATION/service_providers
        sys.reader identity:get_service_provider GET /v3/OS-FEDERATION/service_providers/{}
        sys.admin identity:update_service_provider PATCH /v3/OS-FEDERATION/service_providers/{}
        sys.admin identity:delete_service_provider DELETE /v3/OS-FEDERATION/service_providers/{}
        cloud.reader+user identity:check_token HEAD /v3/auth/tokens
        cloud.reader+user+service identity:validate_token GET /v3/auth/tokens
        cloud.admin+user identity:revoke_token DELETE /v3/auth/tokens
        onlyuser identity:create_trust POST /v3/OS-TRUST/trusts
        sys.reader identity:list_trusts GET /v3/OS-TRUST/trusts
        sys.reader+user identity:list_trusts_for_trustor
        sys.reader+trustee identity:list_trusts_for_trustee
        sys.reader+both identity:list_roles_for_trust GET /v3/OS-TRUST/trusts/{}/roles
        sys.reader+both identity:get_role_for_trust GET /v3/OS-TRUST/trusts/{}/roles/{}
        sys.admin+user identity:delete_trust DELETE /v3/OS-TRUST/trusts/{}
        sys.reader+both identity:get_trust GET /v3/OS-TRUST/trusts/{}
        dom.reader+user identity:get_user GET /v3/users/{}
        dom.reader identity:list_users GET /v3/users
        dom.manager identity:create_user POST /v3/users
        dom.manager identity:update_user PATCH /v3/users/{}
        dom.manager identity:delete_user DELETE /v3/users/{}
        """

    /// What has no rule there, or none that names its path: who gets through all the same. A catalogue is a project's
    /// (keystone/api/auth.py: AuthCatalogResource).
    static let identityUnruled = """
        project - GET /v3/auth/catalog
        dom.reader - GET /v3/OS-INHERIT/projects/{}/users/{}/roles/inherited_to_projects
        dom.reader - GET /v3/OS-INHERIT/projects/{}/groups/{}/roles/inherited_to_projects
        token - GET /v3/OS-FEDERATION/projects /v3/OS-FEDERATION/domains
        """
}
