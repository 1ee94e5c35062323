// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Who depends on leave to use another project's object: such leave cannot be taken back.
enum RBACUse {
    /// Whether a project would lose an object that it uses when `target` loses its leave. `replacement` gets leave in
    /// the same step.
    static func isNeeded(
        _ object: String, _ type: RBACPolicy.ObjectType, _ action: RBACPolicy.Action, target: String,
        replacement: String? = nil, _ transaction: any Transaction
    ) throws -> Bool {
        var others = Set(
            try transaction.query(
                """
                SELECT target_project FROM network_rbac
                 WHERE object_id = \(object) AND action = \(action.rawValue) AND target_project <> \(target)
                """
            ) { $0.text(0) })
        if let replacement { others.insert(replacement) }
        guard !others.contains("*") else { return false }
        return try users(of: object, type, action, transaction).contains { user in
            (target == "*" || target == user) && !others.contains(user)
        }
    }

    /// Projects that use the object and do not own it.
    private static func users(
        of object: String, _ type: RBACPolicy.ObjectType, _ action: RBACPolicy.Action, _ transaction: any Transaction
    ) throws -> [String] {
        let statement: SQL =
            switch (type, action) {
            case (.network, .shared):
                """
                SELECT DISTINCT p.project_id FROM ports p JOIN networks n ON n.id = p.network_id
                 WHERE n.id = \(object) AND p.project_id NOT IN (n.project_id, '')
                """
            case (.network, .external):
                """
                SELECT DISTINCT r.project_id FROM routers r
                  JOIN ports p ON p.device_id = r.id AND p.device_owner = \(DeviceOwner.routerGateway)
                  JOIN networks n ON n.id = p.network_id
                 WHERE n.id = \(object) AND r.project_id <> n.project_id
                """
            case (.securityGroup, _):
                """
                SELECT DISTINCT p.project_id FROM port_groups m JOIN ports p ON p.id = m.port_id
                  JOIN security_groups g ON g.id = m.group_id
                 WHERE g.id = \(object) AND p.project_id <> g.project_id
                """
            case (.subnetPool, _):
                """
                SELECT DISTINCT s.project_id FROM subnets s JOIN subnetpools b ON b.id = s.subnetpool
                 WHERE b.id = \(object) AND s.project_id <> b.project_id
                """
            // neutron: also its owner's networks and ports keep a policy that everybody may use as it is.
            case (.qosPolicy, _):
                """
                SELECT n.project_id FROM networks n WHERE n.qos_policy = \(object)
                UNION SELECT p.project_id FROM ports p WHERE p.qos_policy = \(object)
                """
            case (.addressGroup, _):
                """
                SELECT DISTINCT r.project_id FROM security_group_rules r
                  JOIN address_groups a ON a.id = r.remote_address_group
                 WHERE a.id = \(object) AND r.project_id <> a.project_id
                """
            case (.addressScope, _):
                """
                SELECT DISTINCT b.project_id FROM subnetpools b JOIN address_scopes a ON a.id = b.address_scope
                 WHERE a.id = \(object) AND b.project_id <> a.project_id
                """
            }
        return try transaction.query(statement) { $0.text(0) }
    }

    /// Before an entry goes, or becomes another project's.
    static func check(_ policy: RBACPolicy, replacement: String? = nil, _ change: NetworkChange) throws {
        if policy.action == .external, policy.target == "*" {
            let isDefault = try change.transaction.exists(
                "SELECT 1 FROM networks WHERE id = \(policy.object) AND is_default = 1")
            guard !isDefault else {
                throw CloudError.conflict(
                    "RBAC policy on object \(policy.object) cannot be removed because other objects depend on it. "
                        + "Details: Default external networks must be shared to everyone.", kind: "RbacPolicyInUse")
            }
        }
        // neutron: but for networks, leave that becomes one project's is leave that goes (rbac_db.py,
        // `validate_rbac_policy_update`).
        let counts = policy.objectType == .network || replacement == "*"
        let isNeeded = try isNeeded(
            policy.object, policy.objectType, policy.action, target: policy.target,
            replacement: counts ? replacement : nil, change.transaction)
        guard isNeeded else { return }
        throw CloudError.conflict(
            "RBAC policy on object \(policy.object) cannot be removed because other objects depend on it.",
            kind: "RbacPolicyInUse")
    }

    /// Before a network is no longer shared or external for everybody.
    static func check(_ network: Network, withoutWildcard action: RBACPolicy.Action, _ change: NetworkChange) throws {
        switch action {
        case .shared:
            guard try isNeeded(network.id.rawValue, .network, .shared, target: "*", change.transaction) else { return }
            throw CloudError.conflict(
                "Unable to reconfigure sharing settings for network \(network.id). Multiple tenants are using it.",
                kind: "InvalidSharedSetting")
        case .external:
            let hasGateways = try change.transaction.exists(
                """
                SELECT 1 FROM ports
                 WHERE network_id = \(network.id) AND device_owner = \(DeviceOwner.routerGateway) LIMIT 1
                """)
            guard hasGateways else { return }
            throw CloudError.conflict(
                "External network \(network.id) cannot be updated to be made non-external, since it has existing "
                    + "gateway ports.", kind: "ExternalNetworkInUse")
        }
    }
}
