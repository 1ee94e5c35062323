// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Metering labels and their rules: made, listed and removed.
package struct MeteringEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Labels

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [MeteringLabel] {
        let viewer = context.viewer("get_metering_label")
        return try await environment.read { try MeteringStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: MeteringLabelID, for context: CallContext) async throws -> MeteringLabel {
        let label = try await environment.read { try MeteringStore.find(id, $0) }
        guard let label else { throw NetworkFault.meteringLabelNotFound(id) }
        try context.authorizeSight(
            "get_metering_label", PolicyTarget(project: label.project), missing: NetworkFault.meteringLabelNotFound(id))
        return label
    }

    package func create(_ drafts: [MeteringLabelDraft], for context: CallContext) async throws -> [MeteringLabel] {
        try await environment.write { change in
            try drafts.map { draft in
                let project = try context.projectForNew(draft.project)
                try context.authorizeCreation("create_metering_label", PolicyTarget(project: project))
                let label = MeteringLabel(
                    id: change.newID(), project: project, name: draft.name ?? "",
                    description: draft.description ?? "", isShared: draft.isShared ?? false, createdAt: change.now)
                try MeteringStore.insert(label, change.transaction)
                return label
            }
        }
    }

    package func delete(_ id: MeteringLabelID, for context: CallContext) async throws {
        try await environment.write { change in
            guard let label = try MeteringStore.find(id, change.transaction) else {
                throw NetworkFault.meteringLabelNotFound(id)
            }
            try context.authorizeChange(
                "delete_metering_label", seenBy: "get_metering_label", PolicyTarget(project: label.project),
                missing: NetworkFault.meteringLabelNotFound(id))
            try MeteringStore.delete(id, change.transaction)
        }
    }

    // MARK: Rules

    package func listRules(_ query: ListQuery, for context: CallContext) async throws -> [MeteringRule] {
        let viewer = context.viewer("get_metering_label_rule")
        return try await environment.read { try MeteringStore.listRules(query, for: viewer, $0) }
    }

    package func getRule(_ id: MeteringRuleID, for context: CallContext) async throws -> MeteringRule {
        let (rule, target) = try await environment.read { try Self.find(id, $0) }
        try context.authorizeSight("get_metering_label_rule", target, missing: NetworkFault.meteringRuleNotFound(id))
        return rule
    }

    private static func find(_ id: MeteringRuleID, _ transaction: any Transaction) throws -> (
        MeteringRule, PolicyTarget
    ) {
        guard let rule = try MeteringStore.findRule(id, transaction),
            let label = try MeteringStore.find(rule.label, transaction)
        else { throw NetworkFault.meteringRuleNotFound(id) }
        return (rule, PolicyTarget(project: label.project))
    }

    package func createRules(_ drafts: [MeteringRuleDraft], for context: CallContext) async throws -> [MeteringRule] {
        try await environment.write { change in
            try drafts.map { draft in
                guard let label = try MeteringStore.find(draft.label, change.transaction) else {
                    throw NetworkFault.meteringLabelNotFound(draft.label)
                }
                try context.authorizeCreation("create_metering_label_rule", PolicyTarget(project: label.project))
                try Self.check(draft, change)
                let rule = MeteringRule(
                    id: change.newID(), label: label.id, isIngress: draft.isIngress,
                    remotePrefix: draft.remotePrefix?.description, sourcePrefix: draft.sourcePrefix?.description,
                    destinationPrefix: draft.destinationPrefix?.description, isExcluded: draft.isExcluded,
                    createdAt: change.now)
                try MeteringStore.insert(rule, change.transaction)
                return rule
            }
        }
    }

    private static func check(_ draft: MeteringRuleDraft, _ change: NetworkChange) throws {
        let hasSide = draft.sourcePrefix != nil || draft.destinationPrefix != nil
        guard draft.remotePrefix == nil || !hasSide else {
            throw NetworkFault.invalidInput(
                "Cannot use 'remote-ip-prefix' in conjunction with 'source-ip-prefix' or 'destination-ip-prefix'")
        }
        guard let remote = draft.remotePrefix else {
            guard hasSide else {
                throw NetworkFault.invalidInput(
                    "You must define at least one of the following parameters 'remote_ip_prefix', or "
                        + "'source_ip_prefix' or 'destination_ip_prefix'")
            }
            return
        }
        // neutron: two rules of one direction and kind that count the same address would count it twice.
        let overlaps = try MeteringStore.rules(of: draft.label, change.transaction).contains { other in
            other.isIngress == draft.isIngress && other.isExcluded == draft.isExcluded
                && other.remotePrefix.flatMap { CIDR($0) }?.overlaps(remote) ?? false
        }
        guard !overlaps else {
            throw CloudError.conflict(
                "Metering label rule with remote_ip_prefix '\(remote)' overlaps another.",
                kind: "MeteringLabelRuleOverlaps")
        }
    }

    package func deleteRule(_ id: MeteringRuleID, for context: CallContext) async throws {
        try await environment.write { change in
            let (_, target) = try Self.find(id, change.transaction)
            try context.authorizeChange(
                "delete_metering_label_rule", seenBy: "get_metering_label_rule", target,
                missing: NetworkFault.meteringRuleNotFound(id))
            try MeteringStore.deleteRule(id, change.transaction)
        }
    }
}
