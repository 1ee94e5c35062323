// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit
import QuotaKit

/// Limits of projects, and of single users within them, and what they use of them. Use is counted when somebody asks.
package struct ComputeQuotaEngine: Sendable {
    private let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    package func usage(of project: ProjectID, user: UserID? = nil) async throws -> QuotaUsage {
        let (stores, quotas) = (parts.stores, parts.quotas)
        return try await parts.database.read { transaction in
            try Self.usage(of: project, user: user, stores, quotas, transaction)
        }
    }

    private static func usage(
        of project: ProjectID, user: UserID?, _ stores: ComputeStores, _ quotas: QuotaEngine,
        _ transaction: any Transaction
    ) throws -> QuotaUsage {
        let servers = try stores.servers.usage(of: project, user: user, transaction)
        let groups = try stores.groups.count(of: project, user: user, transaction)
        var limits = try quotas.limits(of: project, transaction)
        if let user {
            limits.merge(try stores.userQuotas.limits(of: user, in: project, transaction)) { _, own in own }
        }
        return QuotaUsage(
            limits: limits,
            used: [
                "instances": servers.instances, "cores": servers.cores, "ram": servers.memoryMiB,
                "server_groups": groups,
            ])
    }

    package func defaults() async throws -> [String: Int] {
        let quotas = parts.quotas
        return try await parts.database.read { try quotas.classLimits($0) }
    }

    /// Refuses limits below the present use unless `isForced`; those of a user also beyond what the project has left
    /// for it (nova: quota.py, `get_settable_quotas`).
    package func set(
        _ limits: [String: Int], for project: ProjectID, user: UserID? = nil, isForced: Bool
    ) async throws -> [String: Int] {
        let (stores, quotas) = (parts.stores, parts.quotas)
        return try await parts.database.write { transaction in
            if !isForced {
                let present = try Self.usage(of: project, user: user, stores, quotas, transaction)
                let sums = try stores.userQuotas.sums(in: project, transaction)
                let own = try user.map { try stores.userQuotas.limits(of: $0, in: project, transaction) }
                let all = try quotas.limits(of: project, transaction)
                for (resource, limit) in limits.sorted(by: { $0.key < $1.key }) {
                    var (minimum, maximum) = (present.use(of: resource), -1)
                    if let own {
                        let (whole, given) = (all[resource] ?? -1, sums[resource] ?? 0)
                        if whole >= 0 { maximum = whole - given + max(own[resource] ?? 0, 0) }
                    } else {
                        minimum = max(minimum, sums[resource] ?? 0)
                    }
                    try Self.check(limit, resource, minimum, maximum)
                }
            }
            if let user {
                for (resource, limit) in limits {
                    try stores.userQuotas.set(resource, limit, for: user, in: project, transaction)
                }
            } else {
                try quotas.set(limits, for: project, transaction)
            }
            return try Self.usage(of: project, user: user, stores, quotas, transaction).limits
        }
    }

    /// -1 is more than any number.
    private static func check(_ limit: Int, _ resource: String, _ minimum: Int, _ maximum: Int) throws {
        guard limit < 0 || limit >= minimum else {
            throw CloudError.badRequest(
                "Quota limit \(limit) for \(resource) must be greater than or equal to already used and "
                    + "reserved \(minimum).")
        }
        guard maximum < 0 || (limit >= 0 && limit <= maximum) else {
            throw CloudError.badRequest(
                "Quota limit \(limit) for \(resource) must be less than or equal to \(maximum).")
        }
    }

    /// Without a user, those of all its users go, too.
    package func reset(_ project: ProjectID, user: UserID? = nil) async throws {
        let (stores, quotas) = (parts.stores, parts.quotas)
        try await parts.database.write { transaction in
            if let user { return try stores.userQuotas.delete(user, in: project, transaction) }
            _ = try quotas.delete(project, transaction)
            try stores.userQuotas.delete(project, transaction)
        }
    }

    // MARK: Classes

    package func classLimits(of name: String) async throws -> [String: Int] {
        let quotas = parts.quotas
        return try await parts.database.read { try quotas.classLimits(of: name, $0) }
    }

    package func setClass(_ limits: [String: Int], of name: String) async throws -> [String: Int] {
        let quotas = parts.quotas
        return try await parts.database.write { transaction in
            try quotas.setClass(limits, of: name, transaction)
            return try quotas.classLimits(of: name, transaction)
        }
    }
}

extension ComputeParts {
    /// Throws `.overQuota` when one user of a project may not have `wanted` more, whatever the project may. `usage`
    /// counts what the user has.
    func checkUserQuota(
        _ user: UserID, in project: ProjectID, _ wanted: [String: Int], _ transaction: any Transaction,
        error: ([QuotaExcess]) -> CloudError = QuotaExcess.error, usage: (_ resource: String) throws -> Int
    ) throws {
        let limits = try stores.userQuotas.limits(of: user, in: project, transaction)
        let excesses = try QuotaEngine.excesses(wanted, over: limits, usage: usage)
        if !excesses.isEmpty { throw error(excesses) }
    }

    /// What a user's servers use of a project.
    func serverUsage(
        of user: UserID, in project: ProjectID, _ transaction: any Transaction
    ) throws -> [String: Int] {
        let used = try stores.servers.usage(of: project, user: user, transaction)
        return ["instances": used.instances, "cores": used.cores, "ram": used.memoryMiB]
    }
}
