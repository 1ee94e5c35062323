// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: administrators write policies, projects bind to those they may see, and the data plane hears of each change.
/// Method: the API as administrator and as two projects; what the fake data plane holds afterwards.
@Suite("Quality of service")
struct QoSTests {
    private func makePolicy(_ world: NetworkWorld, _ attributes: JSON = [:]) async throws -> String {
        let answer = try await world.call(.post, "qos/policies", ["policy": attributes], as: .admin)
        try #require(answer.status == 201, "\(answer.text)")
        return try answer.string("policy", "id")
    }

    @discardableResult
    private func addRule(
        _ world: NetworkWorld, _ policy: String, _ kind: String, _ attributes: JSON, as user: NetworkWorld.User = .admin
    ) async throws -> NetworkWorld.Answer {
        try await world.call(
            .post, "qos/policies/\(policy)/\(kind)_rules", .object(["\(kind)_rule": attributes]), as: user)
    }

    // MARK: Policies

    @Test("a policy and its rules: made, shown, changed, removed")
    func policies() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world, ["name": "gold", "description": "d", "tags": ["t"]])
        let rule = try await addRule(
            world, policy, "bandwidth_limit", ["max_kbps": 200, "max_burst_kbps": 1337, "direction": "ingress"])
        #expect(rule.status == 201)
        let id = try rule.string("bandwidth_limit_rule", "id")
        let shown = try await world.get("qos/policies/\(policy)", as: .admin)
        #expect(shown["policy", "name"] == "gold")
        #expect(shown["policy", "shared"] == false && shown["policy", "is_default"] == false)
        #expect(
            shown["policy", "rules"]?.array == [
                [
                    "id": .string(id), "qos_policy_id": .string(policy), "type": "bandwidth_limit", "max_kbps": 200,
                    "max_burst_kbps": 1337, "direction": "ingress",
                ]
            ])
        let path = "qos/policies/\(policy)/bandwidth_limit_rules"
        #expect(try await world.get(path, as: .admin)["bandwidth_limit_rules"]?.array?.count == 1)
        let changed = try await world.call(
            .put, "\(path)/\(id)", ["bandwidth_limit_rule": ["max_kbps": 300]], as: .admin)
        #expect(changed["bandwidth_limit_rule", "max_kbps"] == 300)
        #expect(changed["bandwidth_limit_rule", "max_burst_kbps"] == 1337)
        let alias = "qos/alias-bandwidth-limit-rules/\(id)"
        #expect(try await world.get(alias, as: .admin)["alias_bandwidth_limit_rule", "max_kbps"] == 300)
        let byAlias = try await world.call(.put, alias, ["alias_bandwidth_limit_rule": ["max_kbps": 5]], as: .admin)
        #expect(byAlias["alias_bandwidth_limit_rule", "max_kbps"] == 5)
        #expect(try await world.call(.delete, alias, as: .admin).status == 204)
        #expect(try await world.get("\(path)/\(id)", as: .admin).fault == "QosRuleNotFound")
        #expect(try await world.call(.delete, "qos/policies/\(policy)", as: .admin).status == 204)
        #expect(try await world.get("qos/policies/\(policy)", as: .admin).fault == "QosPolicyNotFound")
        #expect(try await world.get(path, as: .admin).fault == "QosPolicyNotFound")
    }

    @Test("members of a project see what is theirs or shared, and write nothing")
    func access() async throws {
        let world = try await NetworkWorld()
        let refused = try await world.call(.post, "qos/policies", ["policy": ["name": "x"]])
        #expect(refused.status == 403)
        let own = try await makePolicy(world, ["project_id": "p-demo"])
        let foreign = try await makePolicy(world)
        #expect(try await world.get("qos/policies/\(own)").status == 200)
        #expect(try await world.get("qos/policies/\(foreign)").status == 404)
        let change: JSON = ["policy": ["name": "mine"]]
        #expect(try await world.call(.put, "qos/policies/\(own)", change).status == 403)
        #expect(try await world.call(.put, "qos/policies/\(foreign)", change).status == 404)
        #expect(try await addRule(world, foreign, "dscp_marking", ["dscp_mark": 8], as: .demo).status == 403)
        let rule = try await addRule(world, own, "bandwidth_limit", ["max_kbps": 1])
        let path = "qos/policies/\(own)/bandwidth_limit_rules/" + (try rule.string("bandwidth_limit_rule", "id"))
        let faster: JSON = ["bandwidth_limit_rule": ["max_kbps": 2]]
        #expect(try await world.get(path).status == 200)
        #expect(try await world.call(.put, path, faster).status == 403)
        #expect(try await world.call(.put, path, faster, as: .other).status == 404)
        let shared = try await world.call(
            .put, "qos/policies/\(foreign)", ["policy": ["shared": true]], as: .admin)
        #expect(shared["policy", "shared"] == true)
        #expect(try await world.get("qos/policies/\(foreign)", as: .other)["policy", "shared"] == true)
        let listed = try await world.get("qos/policies", as: .other)["policies"]?.array ?? []
        #expect(listed.map(\.id) == [foreign])
    }

    @Test("rules that contradict each other are refused")
    func conflicts() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world)
        try await addRule(world, policy, "bandwidth_limit", ["max_kbps": 200])
        #expect(
            try await addRule(world, policy, "bandwidth_limit", ["max_kbps": 201, "direction": "egress"]).fault
                == "QoSRulesConflict")
        #expect(
            try await addRule(world, policy, "bandwidth_limit", ["max_kbps": 1, "direction": "ingress"]).status == 201)
        #expect(
            try await addRule(world, policy, "minimum_bandwidth", ["min_kbps": 201]).fault == "QoSRuleParameterConflict"
        )
        #expect(try await addRule(world, policy, "minimum_bandwidth", ["min_kbps": 100]).status == 201)
        #expect(try await addRule(world, policy, "dscp_marking", ["dscp_mark": 58]).status == 400)
        #expect(try await addRule(world, policy, "dscp_marking", ["dscp_mark": 56]).status == 201)
        #expect(try await addRule(world, policy, "dscp_marking", ["dscp_mark": 48]).fault == "QoSRulesConflict")
        #expect(try await addRule(world, policy, "minimum_bandwidth", ["direction": "egress"]).status == 400)
        #expect(try await addRule(world, policy, "minimum_packet_rate", ["min_kpps": 9]).status == 201)
        #expect(
            try await addRule(world, policy, "minimum_packet_rate", ["min_kpps": 9, "direction": "any"]).fault
                == "QoSRuleParameterConflict")
    }

    @Test("one default for each project, which its new networks have")
    func byDefault() async throws {
        let world = try await NetworkWorld()
        let first = try await makePolicy(world, ["project_id": "p-demo", "is_default": true])
        let second = try await world.call(
            .post, "qos/policies", ["policy": ["project_id": "p-demo", "is_default": true]], as: .admin)
        #expect(second.fault == "QoSPolicyDefaultAlreadyExists")
        #expect(try await world.make("network", [:])["qos_policy_id"] == .string(first))
        let other = try await makePolicy(world, ["shared": true])
        #expect(
            try await world.make("network", ["qos_policy_id": .string(other)])["qos_policy_id"] == .string(other))
        #expect(try await world.make("network", [:], as: .other)["qos_policy_id"] == .null)
    }

    @Test("types of rules: those that the data plane enforces, all on demand, details for administrators")
    func types() async throws {
        let world = try await NetworkWorld()
        let types = try await world.get("qos/rule-types")["rule_types"]?.array?.compactMap { $0["type"]?.string }
        #expect(Set(types ?? []) == ["bandwidth_limit", "dscp_marking", "minimum_bandwidth"])
        #expect(try await world.get("qos/rule-types?all_rules=True")["rule_types"]?.array?.count == 5)
        #expect(try await world.get("qos/rule-types/dscp_marking").status == 403)
        let details = try await world.get("qos/rule-types/dscp_marking", as: .admin)["rule_type", "drivers"]?.array?[0]
        let marks = details?["supported_parameters"]?.array?.first?["parameter_values"]?.array
        #expect(marks?.count == 22 && marks?.first == 0 && marks?.last == 56)
        #expect(try await world.get("qos/rule-types/none", as: .admin).status == 404)
    }

    // MARK: Bindings

    @Test("who is bound: ports of a network by default, one port by itself")
    func bindings() async throws {
        let world = try await NetworkWorld()
        let wide = try await makePolicy(world, ["shared": true])
        let narrow = try await makePolicy(world, ["shared": true])
        try await addRule(world, wide, "bandwidth_limit", ["max_kbps": 1000, "max_burst_kbps": 800])
        try await addRule(world, narrow, "dscp_marking", ["dscp_mark": 26])
        let network = try await world.makeNetwork().network
        let first = try await world.make("port", ["network_id": .string(network)]).id
        let second = try await world.make(
            "port", ["network_id": .string(network), "qos_policy_id": .string(narrow)]
        ).id
        try await world.project()
        #expect(world.logicalPort(first)?.qos == nil)
        let bound = try await world.call(
            .put, "networks/\(network)", ["network": ["qos_policy_id": .string(wide)]])
        #expect(bound["network", "qos_policy_id"] == .string(wide))
        try await world.project()
        #expect(world.logicalPort(first)?.qos == LogicalQoS(egress: .init(kbps: 1000, burstKilobits: 800)))
        #expect(world.logicalPort(second)?.qos == LogicalQoS(dscp: 26))
        let shown = try await world.get("ports/\(first)")["port"]
        #expect(shown?["qos_policy_id"] == .null && shown?["qos_network_policy_id"] == .string(wide))
        try await addRule(world, wide, "bandwidth_limit", ["max_kbps": 500, "direction": "ingress"])
        try await world.project()
        #expect(world.logicalPort(first)?.qos?.ingress == .init(kbps: 500))
        let inUse = try await world.call(.delete, "qos/policies/\(wide)", as: .admin)
        #expect(inUse.fault == "QosPolicyInUse" && inUse.status == 409)
        for (path, body) in [("networks/\(network)", "network"), ("ports/\(second)", "port")] {
            _ = try await world.call(.put, path, .object([body: ["qos_policy_id": .null]]))
        }
        try await world.project()
        #expect(world.logicalPort(first)?.qos == nil && world.logicalPort(second)?.qos == nil)
        #expect(try await world.call(.delete, "qos/policies/\(wide)", as: .admin).status == 204)
    }

    @Test("a project binds to no policy that it may not see, and does not shake off what an administrator bound")
    func foreignPolicy() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world)
        let network = try await world.makeNetwork().network
        let bind: JSON = ["network": ["qos_policy_id": .string(policy)]]
        #expect(try await world.call(.post, "networks", bind).fault == "QosPolicyNotFound")
        #expect(try await world.call(.put, "networks/\(network)", bind).fault == "QosPolicyNotFound")
        #expect(try await world.call(.put, "networks/\(network)", bind, as: .admin).status == 200)
        let release: JSON = ["network": ["qos_policy_id": .null]]
        let refused = try await world.call(.put, "networks/\(network)", release)
        #expect(refused.status == 403 && refused.fault == "PolicyRemoveAuthorizationError")
        _ = try await world.call(.put, "qos/policies/\(policy)", ["policy": ["shared": true]], as: .admin)
        let unshare: JSON = ["policy": ["shared": false]]
        #expect(try await world.call(.put, "qos/policies/\(policy)", unshare, as: .admin).fault == "RbacPolicyInUse")
        #expect(try await world.call(.put, "networks/\(network)", release)["network", "qos_policy_id"] == .null)
        #expect(try await world.call(.put, "qos/policies/\(policy)", unshare, as: .admin).status == 200)
    }

    @Test("a network whose ports are on hosts takes no policy that they cannot have")
    func unsupportedOnNetwork() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world, ["shared": true])
        try await addRule(world, policy, "packet_rate_limit", ["max_kpps": 5])
        let network = try await world.makeNetwork().network
        let port = try await world.make(
            "port", ["network_id": .string(network), "binding:host_id": "fake"], as: .admin
        ).id
        let bind: JSON = ["network": ["qos_policy_id": .string(policy)]]
        #expect(try await world.call(.put, "networks/\(network)", bind).fault == "QosRuleNotSupported")
        _ = try await world.call(.put, "ports/\(port)", ["port": ["binding:host_id": ""]], as: .admin)
        #expect(try await world.call(.put, "networks/\(network)", bind).status == 200)
        let back: JSON = ["port": ["binding:host_id": "fake"]]
        #expect(try await world.call(.put, "ports/\(port)", back, as: .admin).fault == "QosRuleNotSupported")
    }

    @Test("a policy is shared with one project by RBAC")
    func sharedWithOne() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world)
        let entry = try await world.call(
            .post, "rbac-policies",
            [
                "rbac_policy": [
                    "object_type": "qos_policy", "object_id": .string(policy), "action": "access_as_shared",
                    "target_tenant": "p-demo",
                ]
            ], as: .admin)
        #expect(entry.status == 201)
        #expect(try await world.get("qos/policies/\(policy)")["policy", "shared"] == true)
        #expect(try await world.get("qos/policies/\(policy)", as: .other).status == 404)
        _ = try await world.make("network", ["qos_policy_id": .string(policy)])
        let path = "rbac-policies/" + (try entry.string("rbac_policy", "id"))
        #expect(try await world.call(.delete, path, as: .admin).fault == "RbacPolicyInUse")
    }

    @Test("floating IPs and gateways have bounds of their own")
    func routers() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world, ["shared": true])
        try await addRule(world, policy, "bandwidth_limit", ["max_kbps": 7])
        let external = try await world.makeExternal()
        let (network, subnet) = try await world.makeNetwork()
        let gateway: JSON = ["network_id": .string(external.network), "qos_policy_id": .string(policy)]
        let router = try await world.make("router", ["external_gateway_info": gateway])
        #expect(router["external_gateway_info"]?["qos_policy_id"] == .string(policy))
        _ = try await world.call(.put, "routers/\(router.id)/add_router_interface", ["subnet_id": .string(subnet)])
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let floating = try await world.make(
            "floatingip",
            [
                "floating_network_id": .string(external.network), "port_id": .string(port),
                "qos_policy_id": .string(policy),
            ])
        #expect(floating["qos_policy_id"] == .string(policy))
        try await world.project()
        let wanted = LogicalQoS(egress: .init(kbps: 7))
        #expect(world.logicalRouter(router.id)?.gatewayQoS == wanted)
        #expect(world.logicalRouter(router.id)?.floatingAddresses.map(\.qos) == [wanted])
        try await addRule(world, policy, "dscp_marking", ["dscp_mark": 8])
        try await world.project()
        #expect(world.logicalRouter(router.id)?.gatewayQoS?.dscp == 8)
        let changed = try await world.call(
            .put, "floatingips/\(floating.id)", ["floatingip": ["qos_policy_id": .null]])
        #expect(changed["floatingip", "qos_policy_id"] == .null)
        #expect(changed["floatingip", "port_id"] == .string(port))
        let plain: JSON = [
            "router": ["external_gateway_info": ["network_id": .string(external.network), "qos_policy_id": .null]]
        ]
        #expect(try await world.call(.put, "routers/\(router.id)", plain).status == 200)
        try await world.project()
        #expect(world.logicalRouter(router.id)?.gatewayQoS == nil)
        #expect(world.logicalRouter(router.id)?.floatingAddresses.map(\.qos) == [nil])
    }

    @Test("what a port is promised, placement is told; a promise is not changed under a server")
    func promises() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world, ["shared": true])
        let rule = try await addRule(world, policy, "minimum_bandwidth", ["min_kbps": 100])
        try await addRule(world, policy, "minimum_packet_rate", ["min_kpps": 3, "direction": "any"])
        let network = try await world.makeNetwork().network
        let body: JSON = ["network_id": .string(network), "qos_policy_id": .string(policy)]
        let port = try await world.make("port", body).id
        let shown = try await world.get("ports/\(port)", as: .admin)["port", "resource_request"]
        let groups = shown?["request_groups"]?.array ?? []
        #expect(
            groups.map { $0["resources"] } == [
                ["NET_BW_EGR_KILOBIT_PER_SEC": 100], ["NET_PACKET_RATE_KILOPACKET_PER_SEC": 3],
            ])
        #expect(groups.first?["required"] == ["CUSTOM_NETWORK_TUNNEL_PROVIDER", "CUSTOM_VNIC_TYPE_NORMAL"])
        #expect(shown?["same_subtree"]?.array == groups.compactMap { $0["id"] })
        #expect(try await world.get("ports/\(port)")["port"]?["resource_request"] == nil)
        // No data plane here keeps packet rates.
        let bound = try await world.call(
            .put, "ports/\(port)", ["port": ["binding:host_id": "node-1"]], as: .admin)
        #expect(bound.fault == "QosRuleNotSupported")
        _ = try await world.call(
            .put, "ports/\(port)", ["port": ["device_owner": "compute:nova", "device_id": "s"]], as: .admin)
        let path =
            "qos/policies/\(policy)/minimum_bandwidth_rules/"
            + (try rule.string("minimum_bandwidth_rule", "id"))
        let more = try await world.call(.put, path, ["minimum_bandwidth_rule": ["min_kbps": 200]], as: .admin)
        #expect(more.status == 501)
    }

    @Test("tags")
    func tags() async throws {
        let world = try await NetworkWorld()
        let policy = try await makePolicy(world)
        #expect(
            try await world.call(.put, "qos/policies/\(policy)/tags", ["tags": ["a", "b"]], as: .admin).status == 200)
        #expect(try await world.get("policies/\(policy)/tags", as: .admin)["tags"] == ["a", "b"])
        #expect(try await world.get("qos/policies?tags=a,b", as: .admin)["policies"]?.array?.count == 1)
        #expect(try await world.get("qos/policies?tags=c", as: .admin)["policies"]?.array?.count == 0)
    }
}
