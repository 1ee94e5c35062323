// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// QoS policies: made, listed, changed and removed. Their rules have an engine of their own.
package struct QoSEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    /// Rules that the data plane enforces.
    package var supportedRules: Set<QoSRuleKind> { environment.driver.capabilities.qosRules }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [QoSPolicy] {
        let viewer = context.viewer("get_policy")
        return try await environment.read { try QoSStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: QoSPolicyID, for context: CallContext) async throws -> QoSPolicy {
        let policy = try await environment.read { try QoSStore.find(id, for: context.projectID, $0) }
        guard let policy else { throw NetworkFault.qosPolicyNotFound(id) }
        try context.authorizeSight("get_policy", PolicyTarget(policy), missing: NetworkFault.qosPolicyNotFound(id))
        return policy
    }

    // MARK: Create

    package func create(_ drafts: [QoSPolicyDraft], for context: CallContext) async throws -> [QoSPolicy] {
        try await environment.write { change in
            try drafts.map { draft in
                let project = try context.projectForNew(draft.project)
                try context.authorizeCreation("create_policy", PolicyTarget(project: project))
                let policy = QoSPolicy(
                    id: change.newID(), project: project, name: draft.name ?? "", isShared: draft.isShared ?? false,
                    isDefault: draft.isDefault ?? false, rules: [],
                    standard: change.standard(draft.description, draft.tags))
                if policy.isDefault { try Self.checkDefault(policy, change) }
                try QoSStore.insert(policy, change.transaction)
                if policy.isShared {
                    try RBACEngine.share(policy.id.rawValue, .qosPolicy, owner: project, change)
                }
                return policy
            }
        }
    }

    private static func checkDefault(_ policy: QoSPolicy, _ change: NetworkChange) throws {
        guard let other = try QoSStore.defaultPolicy(of: policy.project, change.transaction), other != policy.id else {
            return
        }
        throw CloudError.conflict(
            "A default QoS policy exists for project \(policy.project).", kind: "QoSPolicyDefaultAlreadyExists")
    }

    // MARK: Update

    package func update(_ id: QoSPolicyID, _ draft: QoSPolicyDraft, ifMatch: Int? = nil, for context: CallContext)
        async throws -> QoSPolicy
    {
        try await environment.write { change in
            var policy = try Self.authorized(id, "update_policy", for: context, change)
            try policy.standard.check(ifMatch)
            policy.name = draft.name ?? policy.name
            policy.standard.apply(description: draft.description, tags: draft.tags)
            if let isDefault = draft.isDefault {
                policy.isDefault = isDefault
                if isDefault { try Self.checkDefault(policy, change) }
            }
            if let isShared = draft.isShared {
                try Self.setShared(policy, isShared, change)
                policy.isShared = isShared
            }
            policy.standard.touch(change)
            try QoSStore.update(policy, change.transaction)
            return policy
        }
    }

    private static func setShared(_ policy: QoSPolicy, _ isShared: Bool, _ change: NetworkChange) throws {
        let object = policy.id.rawValue
        if isShared { return try RBACEngine.share(object, .qosPolicy, owner: policy.project, change) }
        guard let entry = try RBACStore.entry(object, .shared, "*", change.transaction) else { return }
        try RBACUse.check(entry, change)
        try RBACStore.delete(entry.id, change.transaction)
    }

    static func authorized(_ id: QoSPolicyID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange)
        throws -> QoSPolicy
    {
        guard let policy = try QoSStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.qosPolicyNotFound(id)
        }
        var target = PolicyTarget(policy)
        // neutron: who changes another's policy is not told that it is there, shared or not: `shared` is not among the
        // attributes that the rule of a change looks at (qos.py, policy_enforcement.py).
        if rule == "update_policy" { target["shared"] = "False" }
        try context.authorizeChange(rule, seenBy: "get_policy", target, missing: NetworkFault.qosPolicyNotFound(id))
        return policy
    }

    // MARK: Delete

    package func delete(_ id: QoSPolicyID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let policy = try Self.authorized(id, "delete_policy", for: context, change)
            try policy.standard.check(ifMatch)
            if let user = try QoSStore.user(of: id, change.transaction) {
                throw CloudError.conflict(
                    "QoS Policy \(id) is used by \(user.kind) \(user.id).", kind: "QosPolicyInUse")
            }
            try QoSStore.delete(id, change.transaction)
        }
    }
}

extension PolicyTarget {
    init(_ policy: QoSPolicy) {
        self.init(project: policy.project)
        self["shared"] = policy.isShared ? "True" : "False"
    }

    /// Of an object that lives in another, whose owner decides.
    init(parentOwner project: ProjectID) {
        self.init(project: project)
        self["ext_parent:project_id"] = project.rawValue
        self["ext_parent:tenant_id"] = project.rawValue
    }
}
