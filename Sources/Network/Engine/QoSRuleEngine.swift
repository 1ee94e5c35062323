// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Rules of QoS policies. What changes is told to the data plane for everything that is bound to the policy.
package struct QoSRuleEngine: Sendable {
    /// How a caller names a rule: within its policy, or by itself.
    package enum Scope: Sendable {
        case policy(QoSPolicyID)
        case alias

        fileprivate func rule(_ action: String, _ kind: QoSRuleKind) -> PolicyName {
            switch self {
            case .policy: PolicyName("\(action)_policy_\(kind.rawValue)_rule")
            case .alias: PolicyName("\(action)_alias_\(kind.rawValue)_rule")
            }
        }
    }

    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(
        _ kind: QoSRuleKind, in id: QoSPolicyID, _ query: ListQuery, for context: CallContext
    ) async throws -> [QoSRule] {
        let found = try await environment.read { transaction -> (QoSPolicy, [QoSRule])? in
            guard let policy = try QoSStore.find(id, for: context.projectID, transaction) else { return nil }
            return (policy, try QoSStore.rules(of: kind, in: id, query, transaction))
        }
        guard let (policy, rules) = found else { throw NetworkFault.qosPolicyNotFound(id) }
        try Self.authorizeSight(
            of: policy, Scope.policy(id).rule("get", kind), for: context, missing: NetworkFault.qosPolicyNotFound(id))
        return rules
    }

    package func get(_ kind: QoSRuleKind, _ id: QoSRuleID, _ scope: Scope, for context: CallContext) async throws
        -> QoSRule
    {
        let (rule, policy) = try await environment.read { transaction in
            try Self.find(kind, id, scope, for: context, transaction)
        }
        try Self.authorizeSight(
            of: policy, scope.rule("get", kind), for: context, missing: Self.missing(id, scope, policy))
        return rule
    }

    /// Who may see the policy sees its rules: upstream loads the policy for the caller.
    private static func authorizeSight(
        of policy: QoSPolicy, _ rule: PolicyName, for context: CallContext, missing: CloudError
    ) throws {
        context.authorizeListing()
        guard
            context.allows(rule, PolicyTarget(parentOwner: policy.project))
                || context.allows("get_policy", PolicyTarget(policy))
        else { throw missing }
    }

    private static func missing(_ id: QoSRuleID, _ scope: Scope, _ policy: QoSPolicy) -> CloudError {
        if case .policy = scope { return NetworkFault.qosPolicyNotFound(policy.id) }
        return NetworkFault.qosRuleNotFound(id, in: QoSPolicyID(""))
    }

    private static func find(
        _ kind: QoSRuleKind, _ id: QoSRuleID, _ scope: Scope, for context: CallContext,
        _ transaction: any Transaction
    ) throws -> (QoSRule, QoSPolicy) {
        let rule = try QoSStore.findRule(id, transaction).flatMap { $0.kind == kind ? $0 : nil }
        switch scope {
        case .policy(let parent):
            guard let policy = try QoSStore.find(parent, for: context.projectID, transaction) else {
                throw NetworkFault.qosPolicyNotFound(parent)
            }
            guard let rule, rule.policy == parent else { throw NetworkFault.qosRuleNotFound(id, in: parent) }
            return (rule, policy)
        case .alias:
            guard let rule, let policy = try QoSStore.find(rule.policy, for: context.projectID, transaction) else {
                throw NetworkFault.qosRuleNotFound(id, in: QoSPolicyID(""))
            }
            return (rule, policy)
        }
    }

    // MARK: Create

    package func create(
        _ kind: QoSRuleKind, in id: QoSPolicyID, _ drafts: [QoSRuleDraft], for context: CallContext
    ) async throws -> [QoSRule] {
        try await environment.write { change in
            let found = try QoSStore.find(id, for: context.projectID, change.transaction)
            // Who may not make rules cannot tell a foreign policy from none.
            try context.authorizeCreation(
                Scope.policy(id).rule("create", kind), found.map { PolicyTarget(parentOwner: $0.project) } ?? [:])
            guard let policy = found else { throw NetworkFault.qosPolicyNotFound(id) }
            var rules = policy.rules
            let made = try drafts.map { given in
                var draft = given
                draft.direction = kind == .dscpMarking ? nil : given.direction ?? .egress
                let rule = QoSRule(
                    id: change.newID(), policy: id, kind: kind, direction: draft.direction, amount: draft.amount ?? 0,
                    burst: draft.burst ?? 0, createdAt: change.now)
                try QoSRuleCheck.check(rule, draft, among: rules)
                try QoSStore.insert(rule, change.transaction)
                rules.append(rule)
                return rule
            }
            try Self.apply(made, to: policy, change)
            return made
        }
    }

    // MARK: Update

    package func update(
        _ kind: QoSRuleKind, _ id: QoSRuleID, _ scope: Scope, _ draft: QoSRuleDraft, for context: CallContext
    ) async throws -> QoSRule {
        try await environment.write { change in
            let (old, policy) = try Self.authorized("update", kind, id, scope, for: context, change)
            var rule = old
            if kind != .dscpMarking { rule.direction = draft.direction ?? old.direction }
            rule.amount = draft.amount ?? old.amount
            rule.burst = draft.burst ?? old.burst
            try QoSRuleCheck.check(rule, draft, among: policy.rules)
            try QoSStore.update(rule, change.transaction)
            try Self.apply([rule], to: policy, change)
            return rule
        }
    }

    private static func authorized(
        _ action: String, _ kind: QoSRuleKind, _ id: QoSRuleID, _ scope: Scope, for context: CallContext,
        _ change: NetworkChange
    ) throws -> (QoSRule, QoSPolicy) {
        let (rule, policy) = try find(kind, id, scope, for: context, change.transaction)
        try context.authorizeChange(
            scope.rule(action, kind), seenBy: scope.rule("get", kind), PolicyTarget(parentOwner: policy.project),
            missing: missing(id, scope, policy))
        return (rule, policy)
    }

    // MARK: Delete

    package func delete(_ kind: QoSRuleKind, _ id: QoSRuleID, _ scope: Scope, for context: CallContext) async throws {
        try await environment.write { change in
            let (rule, policy) = try Self.authorized("delete", kind, id, scope, for: context, change)
            try QoSStore.deleteRule(id, change.transaction)
            try Self.apply([rule], to: policy, isRemoval: true, change)
        }
    }

    /// After `rules` of the policy changed: refuses what bound ports cannot have, and tells the data plane.
    private static func apply(
        _ rules: [QoSRule], to policy: QoSPolicy, isRemoval: Bool = false, _ change: NetworkChange
    ) throws {
        let ports = try QoSStore.ports(under: policy.id, change.transaction)
        try QoSRuleCheck.check(rules, onPorts: ports, isRemoval: isRemoval, change)
        try change.transaction.execute(
            """
            UPDATE qos_policies SET revision = revision + 1, updated_at = \(change.now) WHERE id = \(policy.id)
            """)
        for port in ports { change.mark(.port(port)) }
        for router in try QoSStore.routers(under: policy.id, change.transaction) { change.mark(.router(router)) }
    }
}

/// Which rules can stand side by side (neutron/objects/qos/qos_policy_validator.py), and on which ports.
enum QoSRuleCheck {
    static func check(_ rule: QoSRule, _ draft: QoSRuleDraft, among rules: [QoSRule]) throws {
        for other in rules where other.id != rule.id {
            try checkBandwidth(rule, draft, other)
            try checkPacketDirections(rule, other)
        }
        for other in rules where other.id != rule.id && other.kind == rule.kind && other.direction == rule.direction {
            throw CloudError.conflict(
                "Rule \(rule.kind.rawValue) conflicts with rule \(other.id) which already exists in QoS Policy "
                    + "\(rule.policy).", kind: "QoSRulesConflict")
        }
    }

    /// A promise must be within the limit.
    private static func checkBandwidth(_ rule: QoSRule, _ draft: QoSRuleDraft, _ other: QoSRule) throws {
        guard draft.amount != nil, draft.direction == nil || draft.direction == other.direction else { return }
        let isBroken =
            switch (rule.kind, other.kind) {
            case (.bandwidthLimit, .minimumBandwidth): other.amount > rule.amount
            case (.minimumBandwidth, .bandwidthLimit): other.amount < rule.amount
            default: false
            }
        if isBroken { throw conflict(rule, "\(rule.amount)", other, "\(other.amount)") }
    }

    /// One rule for both directions, or one for each.
    private static func checkPacketDirections(_ rule: QoSRule, _ other: QoSRule) throws {
        guard rule.kind == .minimumPacketRate, other.kind == .minimumPacketRate,
            (rule.direction == .any) != (other.direction == .any)
        else { return }
        throw conflict(rule, rule.direction?.rawValue ?? "", other, other.direction?.rawValue ?? "")
    }

    private static func conflict(_ rule: QoSRule, _ value: String, _ other: QoSRule, _ otherValue: String)
        -> CloudError
    {
        .conflict(
            "Unable to add the rule with value \(value) to the policy \(rule.policy) as the existing rule of type "
                + "\(other.kind.rawValue) has value \(otherValue).", kind: "QoSRuleParameterConflict")
    }

    /// Ports that are on a host must be able to have all that the policy says. What a server was placed by stays as it
    /// is while servers use it.
    static func check(_ rules: [QoSRule], onPorts ports: [PortID], isRemoval: Bool, _ change: NetworkChange) throws {
        let supported = change.environment.driver.capabilities.qosRules
        let foreign = isRemoval ? nil : rules.first { !supported.contains($0.kind) }
        let placed = rules.contains { $0.kind == .minimumBandwidth || $0.kind == .minimumPacketRate }
        guard foreign != nil || placed else { return }
        for chunk in ports.slices() {
            let bound = try PortStore.all(
                where: "p.id IN \(list: chunk) AND (p.host <> '' OR p.device_owner LIKE 'compute:%')",
                change.transaction)
            if let foreign, let port = bound.first(where: { !$0.host.isEmpty }) {
                throw unsupported(foreign.kind, by: port.id)
            }
            if placed, bound.contains(where: { $0.deviceOwner.hasPrefix("compute:") }) {
                throw CloudError(
                    .notImplemented, "Cannot update QoS policies/rules backed by resources tracked in Placement",
                    kind: "HTTPNotImplemented")
            }
        }
    }

    static func unsupported(_ kind: QoSRuleKind, by port: PortID) -> CloudError {
        .conflict("Rule \(kind.rawValue) is not supported by port \(port)", kind: "QosRuleNotSupported")
    }
}
