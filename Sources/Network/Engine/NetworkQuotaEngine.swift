// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit
import QuotaKit

/// Limits of projects and what they use, as the API shows them.
package struct NetworkQuotaEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package func limits(of project: ProjectID, for context: CallContext) async throws -> [NetworkQuota: Int] {
        try Self.authorizeSight(of: project, for: context)
        return try await environment.read { Self.typed(try environment.quotas.limits(of: project, $0)) }
    }

    package func defaults(of project: ProjectID, for context: CallContext) async throws -> [NetworkQuota: Int] {
        try Self.authorizeSight(of: project, for: context)
        return try await environment.read { Self.typed(try environment.quotas.classLimits($0)) }
    }

    package func usage(of project: ProjectID, for context: CallContext) async throws -> [NetworkQuota: (
        limit: Int, used: Int
    )] {
        // neutron: others' is for administrators, whatever the rule says (quotasv2_detail.py: details).
        if context.isAdmin { context.authorizeListing() } else { try Self.authorizeSight(of: project, for: context) }
        return try await environment.read { transaction in
            let limits = Self.typed(try environment.quotas.limits(of: project, transaction))
            var usage: [NetworkQuota: (limit: Int, used: Int)] = [:]
            for (resource, limit) in limits { usage[resource] = (limit, try resource.used(by: project, transaction)) }
            return usage
        }
    }

    // neutron: everybody sees the quota of the project of the token; the rule is for others' (quotasv2.py: show).
    private static func authorizeSight(of project: ProjectID, for context: CallContext) throws {
        guard project != context.projectID else { return context.authorizeListing() }
        try context.authorizeCreation("get_quota", PolicyTarget(project: project))
    }

    /// Projects that have limits of their own: all for administrators, and a project's manager sees its own.
    package func all(for context: CallContext) async throws -> [(project: ProjectID, limits: [NetworkQuota: Int])] {
        // neutron asks the rule about the project of the token (quotasv2.py: index).
        try context.authorizeCreation("get_quota", PolicyTarget(project: context.projectID))
        return try await environment.read { transaction in
            try environment.quotas.projects(transaction).filter { context.sees($0) }.map { project in
                (project, Self.typed(try environment.quotas.limits(of: project, transaction)))
            }
        }
    }

    /// Refuses a limit below what is used, unless `isForced` (quota-check-limit).
    package func set(
        _ limits: [NetworkQuota: Int], isForced: Bool, for project: ProjectID, _ context: CallContext
    ) async throws -> [NetworkQuota: Int] {
        try context.authorizeCreation("update_quota", PolicyTarget(project: project))
        return try await environment.write { change in
            if !isForced {
                for (resource, limit) in limits where limit >= 0 {
                    let used = try resource.used(by: project, change.transaction)
                    guard used <= limit else {
                        throw NetworkFault.badRequest(
                            "quota", "Quota limit \(limit) for \(resource.rawValue) is less than its usage \(used)")
                    }
                }
            }
            let named = Dictionary(uniqueKeysWithValues: limits.map { ($0.key.rawValue, $0.value) })
            try environment.quotas.set(named, for: project, change.transaction)
            return Self.typed(try environment.quotas.limits(of: project, change.transaction))
        }
    }

    package func delete(_ project: ProjectID, for context: CallContext) async throws {
        try context.authorizeCreation("delete_quota", PolicyTarget(project: project))
        try await environment.write { change in
            guard try environment.quotas.delete(project, change.transaction) else {
                throw CloudError.notFound(
                    "Quota for tenant \(project) could not be found.", kind: "TenantQuotaNotFound")
            }
        }
    }

    private static func typed(_ limits: [String: Int]) -> [NetworkQuota: Int] {
        var typed: [NetworkQuota: Int] = [:]
        for (name, limit) in limits { if let resource = NetworkQuota(rawValue: name) { typed[resource] = limit } }
        return typed
    }
}
