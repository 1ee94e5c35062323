// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Rules that each new security group starts with. Groups that are there keep theirs.
package struct DefaultRuleEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    /// Empty for those who may see none.
    package func list(_ query: ListQuery, for context: CallContext) async throws -> [DefaultSecurityGroupRule] {
        context.authorizeListing()
        guard context.allows("get_default_security_group_rule", [:]) else { return [] }
        return try await environment.read { try DefaultRuleStore.list(query, $0) }
    }

    package func get(_ id: DefaultRuleID, for context: CallContext) async throws -> DefaultSecurityGroupRule {
        try context.authorizeSight(
            "get_default_security_group_rule", [:], missing: NetworkFault.defaultRuleNotFound(id))
        guard let rule = try await environment.read({ try DefaultRuleStore.find(id, $0) }) else {
            throw NetworkFault.defaultRuleNotFound(id)
        }
        return rule
    }

    package func create(_ drafts: [DefaultRuleDraft], for context: CallContext) async throws
        -> [DefaultSecurityGroupRule]
    {
        try context.authorizeCreation("create_default_security_group_rule", [:])
        return try await environment.write { change in try drafts.map { try Self.create($0, for: context, change) } }
    }

    private static func create(_ given: DefaultRuleDraft, for context: CallContext, _ change: NetworkChange) throws
        -> DefaultSecurityGroupRule
    {
        var draft = given
        draft.rule = try SecurityGroupRuleCheck.canonical(given.rule)
        if let remote = draft.rule.remoteGroup, remote != SecurityGroupRulePattern.parent {
            guard try SecurityGroupStore.find(remote, for: nil, change.transaction) != nil else {
                throw NetworkFault.groupNotFound(remote)
            }
        }
        if let addresses = draft.rule.remoteAddressGroup {
            try AddressGroupEngine.check(addresses, for: context, change)
        }
        if let present = try DefaultRuleStore.duplicate(of: draft, change.transaction) {
            throw CloudError.conflict(
                "Default Security group rule already exists. Rule id is \(present).",
                kind: "DefaultSecurityGroupRuleExists")
        }
        let rule = DefaultSecurityGroupRule(
            id: change.newID(), pattern: SecurityGroupRulePattern(draft.rule), isForDefault: draft.isForDefault,
            isForOthers: draft.isForOthers, createdAt: change.now)
        try DefaultRuleStore.insert(rule, fingerprint: draft.rule.fingerprint, change.transaction)
        return rule
    }

    package func delete(_ id: DefaultRuleID, for context: CallContext) async throws {
        try context.authorizeChange(
            "delete_default_security_group_rule", seenBy: "get_default_security_group_rule", [:],
            missing: NetworkFault.defaultRuleNotFound(id))
        try await environment.write { change in
            guard try DefaultRuleStore.find(id, change.transaction) != nil else {
                throw NetworkFault.defaultRuleNotFound(id)
            }
            try DefaultRuleStore.delete(id, change.transaction)
        }
    }
}
