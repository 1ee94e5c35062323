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
        PortBindingRoutes(PortBindingEngine(environment), maximumPage: page).register(on: &routes)
        let routers = RouterRoutes(RouterEngine(environment), zone: zone, maximumPage: page)
        routers.register(on: &routes)
        FloatingIPRoutes(FloatingIPEngine(environment), maximumPage: page).register(on: &routes)
        FloatingIPPoolRoutes(FloatingIPEngine(environment), maximumPage: page).register(on: &routes)
        SecurityGroupRoutes(SecurityGroupEngine(environment), maximumPage: page).register(on: &routes)
        QoSPolicyRoutes(QoSEngine(environment), maximumPage: page).register(on: &routes)
        QoSRuleRoutes.register(QoSRuleEngine(environment), maximumPage: page, on: &routes)
        let capabilities = environment.driver.capabilities
        if capabilities.hasTrunks { TrunkRoutes(TrunkEngine(environment), maximumPage: page).register(on: &routes) }
        if capabilities.hasPortForwarding {
            PortForwardingRoutes(PortForwardingEngine(environment), maximumPage: page).register(on: &routes)
        }
        if capabilities.hasConntrackHelpers {
            ConntrackHelperRoutes(ConntrackHelperEngine(environment), maximumPage: page).register(on: &routes)
        }
        if capabilities.hasMetering {
            MeteringRoutes(MeteringEngine(environment), maximumPage: page).register(on: &routes)
        }
        if capabilities.hasLogs {
            NetworkLogRoutes(NetworkLogEngine(environment), maximumPage: page).register(on: &routes)
        }
        RBACRoutes(RBACEngine(environment), maximumPage: page).register(on: &routes)
        AddressGroupRoutes(AddressGroupEngine(environment), maximumPage: page).register(on: &routes)
        DefaultRuleRoutes(DefaultRuleEngine(environment), maximumPage: page).register(on: &routes)
        StatefulnessRoutes(StatefulnessEngine(environment), maximumPage: page).register(on: &routes)
        AutoTopologyRoutes(AutoTopologyEngine(environment)).register(on: &routes)
        SegmentRoutes(SegmentEngine(environment), maximumPage: page).register(on: &routes)
        NetworkFlavorRoutes(NetworkFlavorEngine(environment), maximumPage: page).register(on: &routes)
        TagRoutes(TagEngine(environment)).register(on: &routes)
        QuotaRoutes(NetworkQuotaEngine(environment)).register(on: &routes)
        let agents = AgentRoutes(NetworkAgents(environment), networks, maximumPage: page)
        agents.register(on: &routes)
        AgentSchedulingRoutes(environment, agents, routers).register(on: &routes)
        self.routes = routes
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        NetworkFaults.render(error, status: status)
    }
}
