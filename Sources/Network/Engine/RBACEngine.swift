// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// What a caller gives to share an object.
package struct RBACDraft: Sendable {
    package var project: ProjectID?
    package var objectType: String
    package var object: String
    package var action: String
    package var target: String

    package init(objectType: String, object: String, action: String, target: String) {
        self.objectType = objectType
        self.object = object
        self.action = action
        self.target = target
    }
}

/// Leave of one project to use another's objects.
package struct RBACEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [RBACPolicy] {
        let viewer = context.viewer("get_rbac_policy")
        return try await environment.read { try RBACStore.list(query, for: viewer, $0) }
    }

    private static func missing(_ id: RBACPolicyID) -> CloudError {
        .notFound("RBAC policy of type network with ID \(id) not found", kind: "RbacPolicyNotFound")
    }

    package func get(_ id: RBACPolicyID, for context: CallContext) async throws -> RBACPolicy {
        guard let policy = try await environment.read({ try RBACStore.find(id, $0) }) else { throw Self.missing(id) }
        try context.authorizeSight("get_rbac_policy", PolicyTarget(project: policy.project), missing: Self.missing(id))
        return policy
    }

    package func create(_ draft: RBACDraft, for context: CallContext) async throws -> RBACPolicy {
        try await environment.write { change in
            let project = try context.projectForNew(draft.project)
            var target = PolicyTarget(project: project)
            target["target_tenant"] = draft.target
            try context.authorizeCreation("create_rbac_policy", target)
            try context.authorizeAttributes("create_rbac_policy", ["target_tenant"], target)
            let (type, action) = try Self.checked(draft)
            try Self.authorizeObject(type, draft.object, sharedWith: draft.target, for: context, change)
            try change.checkQuota(.rbacPolicy, project)
            guard try RBACStore.entry(draft.object, action, draft.target, change.transaction) == nil else {
                throw CloudError.conflict(
                    "An RBAC policy already exists with those values.", kind: "DuplicateRbacPolicy")
            }
            let policy = RBACPolicy(
                id: change.newID(), project: project, objectType: type, object: draft.object, action: action,
                target: draft.target, createdAt: change.now)
            try RBACStore.insert(policy, change.transaction)
            try Self.setExternal(policy, true, change)
            try Self.touch(policy, change)
            return policy
        }
    }

    private static func checked(_ draft: RBACDraft) throws -> (RBACPolicy.ObjectType, RBACPolicy.Action) {
        guard let type = RBACPolicy.ObjectType(rawValue: draft.objectType) else {
            throw CloudError.badRequest(
                "Invalid input for object_type. Reason: '\(draft.objectType.prefix(64))' is not in ['network', "
                    + "'security_group', 'subnetpool', 'address_scope', 'address_group', 'qos_policy'].",
                kind: "HTTPBadRequest")
        }
        guard let action = RBACPolicy.Action(rawValue: draft.action), type == .network || action == .shared else {
            throw CloudError.badRequest(
                "Invalid action '\(draft.action.prefix(64))' for object type '\(type.rawValue)'. Valid actions: "
                    + (type == .network ? "access_as_shared, access_as_external" : "access_as_shared"),
                kind: "InvalidAction")
        }
        return (type, action)
    }

    /// Only the owner of an object, or an administrator, shares it. neutron says so with 400 (rbac_db_mixin.py).
    private static func authorizeObject(
        _ type: RBACPolicy.ObjectType, _ object: String, sharedWith target: String, for context: CallContext,
        _ change: NetworkChange
    ) throws {
        switch type {
        case .network:
            let id = NetworkID(object)
            guard let network = try NetworkStore.find(id, for: context.projectID, change.transaction) else {
                throw NetworkFault.networkNotFound(id)
            }
            try authorizeOwner(
                "update_network", seenBy: "get_network", PolicyTarget(network),
                missing: NetworkFault.networkNotFound(id), context)
        case .securityGroup:
            let id = SecurityGroupID(object)
            guard let group = try SecurityGroupStore.find(id, for: context.projectID, change.transaction) else {
                throw NetworkFault.groupNotFound(id)
            }
            try authorizeOwner(
                "update_security_group", seenBy: "get_security_group", PolicyTarget(group),
                missing: NetworkFault.groupNotFound(id), context)
        case .subnetPool: try authorizePool(SubnetPoolID(object), sharedWith: target, for: context, change)
        case .addressScope: try authorizeScope(AddressScopeID(object), for: context, change)
        case .qosPolicy:
            let id = QoSPolicyID(object)
            guard let policy = try QoSStore.find(id, for: context.projectID, change.transaction) else {
                throw NetworkFault.qosPolicyNotFound(id)
            }
            try authorizeOwner(
                "update_policy", seenBy: "get_policy", PolicyTarget(policy),
                missing: NetworkFault.qosPolicyNotFound(id), context)
        case .addressGroup:
            let id = AddressGroupID(object)
            guard let group = try AddressGroupStore.find(id, for: context.projectID, change.transaction) else {
                throw NetworkFault.addressGroupNotFound(id)
            }
            try authorizeOwner(
                "update_address_group", seenBy: "get_address_group", PolicyTarget(group),
                missing: NetworkFault.addressGroupNotFound(id), context)
        }
    }

    private static func authorizeOwner(
        _ rule: PolicyName, seenBy sight: PolicyName, _ target: PolicyTarget,
        missing: CloudError, _ context: CallContext
    ) throws {
        try context.authorizeSight(sight, target, missing: missing)
        guard context.allows(rule, target) else {
            throw NetworkFault.invalidInput("Only admins can manipulate policies on objects they do not own")
        }
    }

    private static func authorizePool(
        _ id: SubnetPoolID, sharedWith target: String, for context: CallContext, _ change: NetworkChange
    ) throws {
        guard let pool = try SubnetPoolStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.subnetPoolNotFound(id)
        }
        try authorizeOwner(
            "update_subnetpool", seenBy: "get_subnetpool", PolicyTarget(pool),
            missing: NetworkFault.subnetPoolNotFound(id), context)
        // Who gets the pool must have its address scope.
        guard let scope = pool.addressScope else { return }
        let shared = try AddressScopeStore.find(scope, for: ProjectID(target), change.transaction)
        guard shared == nil || shared?.isShared == true || shared?.project.rawValue == target else {
            throw NetworkFault.invalidInput(
                "Insufficient rights to share subnetpool \(id): the target has no access to address scope \(scope)")
        }
    }

    private static func authorizeScope(_ id: AddressScopeID, for context: CallContext, _ change: NetworkChange) throws {
        guard let scope = try AddressScopeStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.addressScopeNotFound(id)
        }
        try authorizeOwner(
            "update_address_scope", seenBy: "get_address_scope", PolicyTarget(scope),
            missing: NetworkFault.addressScopeNotFound(id), context)
    }

    /// Shows an object to every project, as `shared` at its creation does.
    static func share(
        _ object: String, _ type: RBACPolicy.ObjectType, owner: ProjectID, _ change: NetworkChange
    ) throws {
        guard try RBACStore.entry(object, .shared, "*", change.transaction) == nil else { return }
        try RBACStore.insert(
            RBACPolicy(
                id: change.newID(), project: owner, objectType: type, object: object, action: .shared, target: "*",
                createdAt: change.now), change.transaction)
    }

    private static func touch(_ policy: RBACPolicy, _ change: NetworkChange) throws {
        if policy.objectType == .network { try NetworkStore.touch(NetworkID(policy.object), change) }
    }

    /// A network that one project may use as external is an external one.
    private static func setExternal(_ policy: RBACPolicy, _ isExternal: Bool, _ change: NetworkChange) throws {
        guard policy.action == .external else { return }
        try change.transaction.execute(
            "UPDATE networks SET is_external = \(isExternal), updated_at = \(change.now) WHERE id = \(policy.object)")
        change.mark(.network(NetworkID(policy.object)))
    }

    package func update(_ id: RBACPolicyID, target: String, for context: CallContext) async throws -> RBACPolicy {
        try await environment.write { change in
            guard var policy = try RBACStore.find(id, change.transaction) else { throw Self.missing(id) }
            var object = PolicyTarget(project: policy.project)
            object["target_tenant"] = target
            try context.authorizeChange(
                "update_rbac_policy", seenBy: "get_rbac_policy", object, missing: Self.missing(id))
            try context.authorizeAttributes("update_rbac_policy", ["target_tenant"], object)
            guard target != policy.target else { return policy }
            try RBACUse.check(policy, replacement: target, change)
            policy.target = target
            try RBACStore.update(policy, change.transaction)
            try Self.touch(policy, change)
            return policy
        }
    }

    package func delete(_ id: RBACPolicyID, for context: CallContext) async throws {
        try await environment.write { change in
            guard let policy = try RBACStore.find(id, change.transaction) else { throw Self.missing(id) }
            try context.authorizeChange(
                "delete_rbac_policy", seenBy: "get_rbac_policy", PolicyTarget(project: policy.project),
                missing: Self.missing(id))
            try RBACUse.check(policy, change)
            try RBACStore.delete(id, change.transaction)
            try Self.touch(policy, change)
            let others = try change.transaction.exists(
                "SELECT 1 FROM network_rbac WHERE object_id = \(policy.object) AND action = "
                    + "'access_as_external' LIMIT 1"
            )
            if !others { try Self.setExternal(policy, false, change) }
        }
    }
}
