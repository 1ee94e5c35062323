// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkCore
import PolicyKit

/// The network service's API, v2.0.
package struct NetworkAPI: ServiceAPI {
    package let serviceType = "network"
    package let prefix = "/network"
    package let routes: RouteTable
    package let enforcer: PolicyEnforcer
    /// v2.0 has no microversions; its extensions say what there is.
    package let versioning: Versioning? = nil

    /// `policyOverrides` is the operator's `policy.yaml`. Throws when it does not parse.
    package init(_ environment: NetworkEnvironment, policyOverrides: [String: String] = [:]) throws {
        enforcer = try PolicyEnforcer(NetworkPolicies.rules, overrides: policyOverrides)
        let zone = environment.config.availabilityZone
        let page = environment.config.maximumPage
        let networks = NetworkEngine(environment)
        var routes = RouteTable()
        ExtensionRoutes(environment.driver.capabilities).register(on: &routes)
        NetworkRoutes(networks, zone: zone, maximumPage: page).register(on: &routes)
        SubnetRoutes(SubnetEngine(environment), maximumPage: page).register(on: &routes)
        SubnetPoolRoutes(SubnetPoolEngine(environment), maximumPage: page).register(on: &routes)
        AddressScopeRoutes(AddressScopeEngine(environment), maximumPage: page).register(on: &routes)
        PortRoutes(PortEngine(environment), maximumPage: page).register(on: &routes)
        RouterRoutes(RouterEngine(environment), zone: zone, maximumPage: page).register(on: &routes)
        FloatingIPRoutes(FloatingIPEngine(environment), maximumPage: page).register(on: &routes)
        SecurityGroupRoutes(SecurityGroupEngine(environment), maximumPage: page).register(on: &routes)
        RBACRoutes(RBACEngine(environment), maximumPage: page).register(on: &routes)
        TagRoutes(TagEngine(environment)).register(on: &routes)
        QuotaRoutes(NetworkQuotaEngine(environment)).register(on: &routes)
        AgentRoutes(NetworkAgents(environment), networks, maximumPage: page).register(on: &routes)
        self.routes = routes
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        NetworkFaults.render(error, status: status)
    }
}
