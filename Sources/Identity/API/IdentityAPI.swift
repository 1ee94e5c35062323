// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityCore
import PolicyKit

/// Identity v3, mounted at `/identity`.
package struct IdentityAPI: ServiceAPI {
    package let serviceType = "identity"
    package let prefix = "/identity"
    package let routes: RouteTable
    package let enforcer: PolicyEnforcer
    package let versioning: Versioning? = nil

    /// `policyOverrides` is the operator's `policy.yaml` of this service.
    package init(engine: IdentityEngine, policyOverrides: [String: String] = [:]) throws {
        enforcer = try PolicyEnforcer(IdentityPolicies.defaults, overrides: policyOverrides)
        var routes = RouteTable()
        VersionRoutes().register(on: &routes)
        AuthRoutes(
            tokens: engine.tokens, reach: engine.reach, catalog: engine.catalog, federation: engine.federation
        ).register(on: &routes)
        UserRoutes(users: engine.users, projects: engine.projects).register(on: &routes)
        GroupRoutes(groups: engine.groups).register(on: &routes)
        ProjectRoutes(projects: engine.projects).register(on: &routes)
        DomainRoutes(domains: engine.domains).register(on: &routes)
        RoleRoutes(roles: engine.roles).register(on: &routes)
        GrantRoutes(assignments: engine.assignments).register(on: &routes)
        RoleAssignmentRoutes(assignments: engine.assignments).register(on: &routes)
        RegionRoutes(catalog: engine.catalog).register(on: &routes)
        CatalogServiceRoutes(catalog: engine.catalog).register(on: &routes)
        EndpointRoutes(catalog: engine.catalog).register(on: &routes)
        ApplicationCredentialRoutes(engine: engine.applicationCredentials).register(on: &routes)
        CredentialRoutes(credentials: engine.credentials).register(on: &routes)
        EC2CredentialRoutes(credentials: engine.ec2Credentials).register(on: &routes)
        EC2TokenRoutes(tokens: engine.ec2Tokens, catalog: engine.catalog).register(on: &routes)
        LimitRoutes(limits: engine.limits).register(on: &routes)
        TrustRoutes(trusts: engine.trusts).register(on: &routes)
        OAuthRoutes(oauth: engine.oauth).register(on: &routes)
        OAuth2Routes(tokens: engine.tokens).register(on: &routes)
        EndpointFilterRoutes(filters: engine.endpointFilters).register(on: &routes)
        PolicyBlobRoutes(policies: engine.policies).register(on: &routes)
        DomainConfigRoutes(configs: engine.domainConfigs).register(on: &routes)
        FederationRoutes(federation: engine.federation).register(on: &routes)
        FederationAuthRoutes(signIn: engine.federatedSignIn, federation: engine.federation).register(on: &routes)
        ServiceProviderRoutes(federation: engine.federation).register(on: &routes)
        RevocationEventRoutes().register(on: &routes)
        self.routes = routes
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        IdentityFaults.render(error, status: status)
    }
}
