// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Networks, ports, floating IPs and gateways bound to QoS policies: who may bind, and who hears of it.
enum QoSBinding {
    /// The policy that shall hold after a change: `given`, when the caller may use it and may let go of the old one.
    static func changed(
        from old: QoSPolicyID?, to given: QoSPolicyID??, for context: CallContext?, _ change: NetworkChange
    ) throws -> QoSPolicyID? {
        guard let given, given != old else { return old }
        if let old, let context { try checkRelease(of: old, for: context, change) }
        if let given { try check(given, for: context, change) }
        return given
    }

    private static func check(_ id: QoSPolicyID, for context: CallContext?, _ change: NetworkChange) throws {
        guard let policy = try QoSStore.find(id, for: context?.projectID, change.transaction),
            context?.allows("get_policy", PolicyTarget(policy)) ?? true
        else { throw NetworkFault.qosPolicyNotFound(id) }
    }

    /// What an administrator bound, only one who may use the policy lets go.
    private static func checkRelease(of id: QoSPolicyID, for context: CallContext, _ change: NetworkChange) throws {
        guard let policy = try QoSStore.find(id, for: context.projectID, change.transaction),
            !context.allows("get_policy", PolicyTarget(policy))
        else { return }
        throw CloudError(
            .forbidden, "Failed to remove provided policy \(id) because you are not authorized.",
            kind: "PolicyRemoveAuthorizationError")
    }

    /// What a new network is bound to: its project's default when its maker does not say.
    static func forNewNetwork(_ given: QoSPolicyID??, project: ProjectID, _ change: NetworkChange) throws
        -> QoSPolicyID?
    {
        try given ?? nil ?? QoSStore.defaultPolicy(of: project, change.transaction)
    }

    /// A port on a host must be able to have what the policy says.
    static func check(_ policy: QoSPolicyID?, onPort port: Port, _ change: NetworkChange) throws {
        guard !port.host.isEmpty, let kind = try unsupported(in: policy, change) else { return }
        throw QoSRuleCheck.unsupported(kind, by: port.id)
    }

    /// So must the network's ports that are on hosts and follow its policy.
    static func check(_ policy: QoSPolicyID?, onPortsOf network: NetworkID, _ change: NetworkChange) throws {
        guard let kind = try unsupported(in: policy, change) else { return }
        let port: PortID? = try change.transaction.first(
            "SELECT id FROM ports WHERE network_id = \(network) AND qos_policy IS NULL AND host <> '' LIMIT 1"
        ) { $0.id(0) }
        if let port { throw QoSRuleCheck.unsupported(kind, by: port) }
    }

    /// A kind of rule that the policy has and the data plane has not.
    private static func unsupported(in policy: QoSPolicyID?, _ change: NetworkChange) throws -> QoSRuleKind? {
        guard let policy else { return nil }
        let supported = change.environment.driver.capabilities.qosRules
        let rules = try QoSStore.rules(of: [policy], change.transaction)[policy] ?? []
        return rules.first { !supported.contains($0.kind) }?.kind
    }

    /// The network's ports that have no policy of their own follow its policy.
    static func markPorts(of network: NetworkID, _ change: NetworkChange) throws {
        let ports = try change.transaction.query(
            "SELECT id FROM ports WHERE network_id = \(network) AND qos_policy IS NULL"
        ) { $0.id(0) as PortID }
        for port in ports { change.mark(.port(port)) }
    }
}
