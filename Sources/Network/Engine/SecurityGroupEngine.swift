// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Security groups and their rules.
package struct SecurityGroupEngine: Sendable {
    static let defaultName = "default"
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [SecurityGroup] {
        let viewer = context.viewer("get_security_group")
        try await ensureDefault(for: context, query)
        return try await environment.read { try SecurityGroupStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: SecurityGroupID, for context: CallContext) async throws -> SecurityGroup {
        let group = try await environment.read { try SecurityGroupStore.find(id, for: context.projectID, $0) }
        guard let group else { throw NetworkFault.groupNotFound(id) }
        try context.authorizeSight("get_security_group", PolicyTarget(group), missing: NetworkFault.groupNotFound(id))
        return group
    }

    package func listRules(_ query: ListQuery, for context: CallContext) async throws -> [SecurityGroupRule] {
        let viewer = context.viewer("get_security_group")
        try await ensureDefault(for: context, query)
        return try await environment.read { try SecurityGroupStore.listRules(query, for: viewer, $0) }
    }

    package func getRule(_ id: SecurityGroupRuleID, for context: CallContext) async throws -> SecurityGroupRule {
        let found = try await environment.read { transaction -> (SecurityGroupRule, SecurityGroup)? in
            guard let rule = try SecurityGroupStore.rules(where: "r.id = \(id)", transaction).first,
                let group = try SecurityGroupStore.find(rule.group, for: context.projectID, transaction)
            else { return nil }
            return (rule, group)
        }
        guard let (rule, group) = found else { throw NetworkFault.ruleNotFound(id) }
        try context.authorizeSight(
            "get_security_group_rule", PolicyTarget(rule, in: group), missing: NetworkFault.ruleNotFound(id))
        return rule
    }

    // MARK: Default group

    /// A project has its default group from its first look at groups on.
    /// An administrator's look at another project counts, too.
    private func ensureDefault(for context: CallContext, _ query: ListQuery) async throws {
        if let project = context.projectID { try await ensureDefault(of: project) }
        guard context.allows("context_is_admin", [:]) else { return }
        let named = query.filters.filter { $0.name == "project_id" || $0.name == "tenant_id" }.flatMap(\.values)
        if let other = named.first, !other.isEmpty, named.allSatisfy({ $0 == other }) {
            try await ensureDefault(of: ProjectID(other))
        }
    }

    package func ensureDefault(of project: ProjectID) async throws {
        let isThere = try await environment.read { try SecurityGroupStore.defaultGroup(of: project, $0) != nil }
        if !isThere { _ = try await environment.write { try Self.ensureDefault(of: project, $0) } }
    }

    static func ensureDefault(of project: ProjectID, _ change: NetworkChange) throws -> SecurityGroupID {
        if let id = try SecurityGroupStore.defaultGroup(of: project, change.transaction) { return id }
        let id: SecurityGroupID = change.newID()
        var group = SecurityGroup(
            id: id, project: project, name: defaultName, isStateful: true, isShared: false, rules: [],
            standard: change.standard("Default security group", nil))
        group.rules = try firstRules(of: group, isDefault: true, change)
        try SecurityGroupStore.insert(group, change.transaction)
        try SecurityGroupStore.setDefault(id, of: project, change.transaction)
        change.mark(.securityGroup(id))
        return id
    }

    /// What the default rules give a new group.
    private static func firstRules(of group: SecurityGroup, isDefault: Bool, _ change: NetworkChange) throws
        -> [SecurityGroupRule]
    {
        try DefaultRuleStore.patterns(isDefault: isDefault, change.transaction).map { pattern in
            rule(pattern.given(to: group.id), of: group, change)
        }
    }

    private static func rule(_ draft: SecurityGroupRuleDraft, of group: SecurityGroup, _ change: NetworkChange)
        -> SecurityGroupRule
    {
        SecurityGroupRule(
            id: change.newID(), project: draft.project ?? group.project, group: group.id, isIngress: draft.isIngress,
            isIPv6: draft.isIPv6, protocolName: draft.protocolName, portMinimum: draft.portMinimum,
            portMaximum: draft.portMaximum, remotePrefix: draft.remotePrefix, remoteGroup: draft.remoteGroup,
            remoteAddressGroup: draft.remoteAddressGroup, belongsToDefaultGroup: false,
            standard: change.standard(draft.description, nil))
    }

    // MARK: Groups

    package func create(_ drafts: [SecurityGroupDraft], for context: CallContext) async throws -> [SecurityGroup] {
        try await environment.write { change in
            try drafts.map { draft in
                let project = try context.projectForNew(draft.project)
                let target = PolicyTarget(project: project)
                try context.authorizeCreation("create_security_group", target)
                try context.authorizeAttributes("create_security_group", draft.given, target)
                try Self.checkName(draft.name)
                try Self.checkStateful(draft, change)
                _ = try Self.ensureDefault(of: project, change)
                try change.checkQuota(.securityGroup, project)
                var group = SecurityGroup(
                    id: change.newID(), project: project, name: draft.name ?? "",
                    isStateful: try draft.isStateful ?? StatefulnessStore.isStateful(project, change.transaction),
                    isShared: false, rules: [], standard: change.standard(draft.description, draft.tags))
                group.rules = try Self.firstRules(of: group, isDefault: false, change)
                try change.checkQuota(.securityGroupRule, project, adding: group.rules.count)
                try SecurityGroupStore.insert(group, change.transaction)
                change.mark(.securityGroup(group.id))
                return group
            }
        }
    }

    private static func checkStateful(_ draft: SecurityGroupDraft, _ change: NetworkChange) throws {
        guard draft.isStateful != false || change.environment.driver.capabilities.hasStatelessGroups else {
            throw NetworkFault.invalidInput("The data plane has no stateless security groups")
        }
    }

    private static func checkName(_ name: String?) throws {
        guard name?.lowercased() != defaultName else {
            throw CloudError.conflict(
                "Default security group already exists.", kind: "SecurityGroupDefaultAlreadyExists")
        }
    }

    private static func authorized(
        _ id: SecurityGroupID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> SecurityGroup {
        guard let group = try SecurityGroupStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.groupNotFound(id)
        }
        try context.authorizeChange(
            rule, seenBy: "get_security_group", PolicyTarget(group), missing: NetworkFault.groupNotFound(id))
        return group
    }

    package func update(
        _ id: SecurityGroupID, _ draft: SecurityGroupDraft, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> SecurityGroup {
        try await environment.write { change in
            var group = try Self.authorized(id, "update_security_group", for: context, change)
            try group.standard.check(ifMatch)
            let isDefault = try SecurityGroupStore.defaultGroup(of: group.project, change.transaction) == id
            if let name = draft.name, name != group.name {
                guard !isDefault else {
                    throw CloudError.conflict(
                        "Updating default security group not allowed.", kind: "SecurityGroupCannotUpdateDefault")
                }
                try Self.checkName(name)
                group.name = name
            }
            try Self.checkStateful(draft, change)
            if let isStateful = draft.isStateful, isStateful != group.isStateful {
                guard try !SecurityGroupStore.isInUse(id, change.transaction) else {
                    throw CloudError.conflict("Security Group \(id) in use.", kind: "SecurityGroupInUse")
                }
                group.isStateful = isStateful
            }
            group.standard.apply(description: draft.description, tags: draft.tags)
            group.standard.touch(change)
            try SecurityGroupStore.update(group, change.transaction)
            change.mark(.securityGroup(id))
            return group
        }
    }

    package func delete(_ id: SecurityGroupID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let group = try Self.authorized(id, "delete_security_group", for: context, change)
            try group.standard.check(ifMatch)
            guard try !SecurityGroupStore.isInUse(id, change.transaction) else {
                throw CloudError.conflict("Security Group \(id) in use.", kind: "SecurityGroupInUse")
            }
            let isDefault = try SecurityGroupStore.defaultGroup(of: group.project, change.transaction) == id
            guard !isDefault || context.allows("context_is_admin", [:]) else {
                throw CloudError.conflict(
                    "Insufficient rights for removing default security group.", kind: "SecurityGroupCannotRemoveDefault"
                )
            }
            // Rules of other groups that name this one go with it.
            for rule in try SecurityGroupStore.rules(where: "r.remote_group = \(id)", change.transaction) {
                try SecurityGroupStore.deleteRule(rule.id, change.transaction)
                change.mark(.securityGroup(rule.group))
            }
            try SecurityGroupStore.delete(id, change.transaction)
            change.mark(.securityGroup(id))
        }
    }

    // MARK: Rules

    package func createRules(_ drafts: [SecurityGroupRuleDraft], for context: CallContext) async throws
        -> [SecurityGroupRule]
    {
        guard Set(drafts.map(\.group)).count <= 1 else {
            throw CloudError.badRequest(
                "Only allowed to update rules for one security profile at a time",
                kind: "SecurityGroupNotSingleGroupRules")
        }
        return try await environment.write { change in
            var seen: Set<String> = []
            return try drafts.map { draft in
                let rule = try Self.createRule(draft, for: context, change)
                guard seen.insert(rule.fingerprint).inserted else {
                    throw CloudError.conflict(
                        "Duplicate Security Group Rule in POST.", kind: "DuplicateSecurityGroupRuleInPost")
                }
                return rule
            }
        }
    }

    private static func createRule(_ given: SecurityGroupRuleDraft, for context: CallContext, _ change: NetworkChange)
        throws -> SecurityGroupRule
    {
        let draft = try SecurityGroupRuleCheck.canonical(given)
        guard let group = try SecurityGroupStore.find(draft.group, for: context.projectID, change.transaction) else {
            throw NetworkFault.groupNotFound(draft.group)
        }
        try context.authorizeChange(
            "create_security_group_rule", seenBy: "get_security_group", PolicyTarget(group),
            missing: NetworkFault.groupNotFound(draft.group))
        if let remote = draft.remoteGroup {
            guard let other = try SecurityGroupStore.find(remote, for: context.projectID, change.transaction),
                context.allows("get_security_group", PolicyTarget(other))
            else { throw NetworkFault.groupNotFound(remote) }
        }
        if let addresses = draft.remoteAddressGroup {
            try AddressGroupEngine.check(addresses, for: context, change)
        }
        var owned = draft
        owned.project = try draft.project ?? context.projectForNew(nil)
        if context.allows("context_is_admin", [:]), draft.project == nil { owned.project = group.project }
        let new = rule(owned, of: group, change)
        if let present = try SecurityGroupStore.duplicate(of: new, change.transaction) {
            throw CloudError.conflict(
                "Security group rule already exists. Rule id is \(present).", kind: "SecurityGroupRuleExists")
        }
        try change.checkQuota(.securityGroupRule, new.project)
        try SecurityGroupStore.insert(new, change.transaction)
        try touch(group, change)
        return try SecurityGroupStore.rules(where: "r.id = \(new.id)", change.transaction).first ?? new
    }

    private static func touch(_ group: SecurityGroup, _ change: NetworkChange) throws {
        var touched = group
        touched.standard.touch(change)
        try SecurityGroupStore.update(touched, change.transaction)
        change.mark(.securityGroup(group.id))
    }

    package func deleteRule(_ id: SecurityGroupRuleID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            guard let rule = try SecurityGroupStore.rules(where: "r.id = \(id)", change.transaction).first,
                let group = try SecurityGroupStore.find(rule.group, for: context.projectID, change.transaction)
            else { throw NetworkFault.ruleNotFound(id) }
            try context.authorizeChange(
                "delete_security_group_rule", seenBy: "get_security_group_rule", PolicyTarget(rule, in: group),
                missing: NetworkFault.ruleNotFound(id))
            try rule.standard.check(ifMatch)
            try SecurityGroupStore.deleteRule(id, change.transaction)
            try Self.touch(group, change)
        }
    }
}
