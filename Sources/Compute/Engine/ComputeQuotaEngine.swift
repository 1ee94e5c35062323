// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit
import QuotaKit

/// Limits of projects and what they use of them. Use is counted when somebody asks.
package struct ComputeQuotaEngine: Sendable {
    private let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    package func usage(of project: ProjectID, user: UserID? = nil) async throws -> QuotaUsage {
        let (stores, quotas) = (parts.stores, parts.quotas)
        return try await parts.database.read { transaction in
            let servers = try stores.servers.usage(of: project, user: user, transaction)
            let groups = try stores.groups.count(of: project, transaction)
            return QuotaUsage(
                limits: try quotas.limits(of: project, transaction),
                used: [
                    "instances": servers.instances, "cores": servers.cores, "ram": servers.memoryMiB,
                    "server_groups": groups,
                ])
        }
    }

    package func defaults() async throws -> [String: Int] {
        let quotas = parts.quotas
        return try await parts.database.read { try quotas.classLimits($0) }
    }

    /// Refuses limits below the present use unless `isForced`.
    package func set(_ limits: [String: Int], for project: ProjectID, isForced: Bool) async throws -> [String: Int] {
        let present = try await usage(of: project)
        if !isForced {
            for (resource, limit) in limits.sorted(by: { $0.key < $1.key }) {
                let used = present.use(of: resource)
                guard limit < 0 || limit >= used else {
                    throw CloudError.badRequest(
                        "Quota limit \(limit) for \(resource) must be greater than or equal to already used and "
                            + "reserved \(used).")
                }
            }
        }
        let quotas = parts.quotas
        return try await parts.database.write { transaction in
            try quotas.set(limits, for: project, transaction)
            return try quotas.limits(of: project, transaction)
        }
    }

    package func setDefaults(_ limits: [String: Int]) async throws -> [String: Int] {
        let quotas = parts.quotas
        return try await parts.database.write { transaction in
            try quotas.setClass(limits, transaction)
            return try quotas.classLimits(transaction)
        }
    }

    package func reset(_ project: ProjectID) async throws {
        let quotas = parts.quotas
        try await parts.database.write { _ = try quotas.delete(project, $0) }
    }
}
