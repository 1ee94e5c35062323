// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import QuotaKit

/// Limits of projects and what they use of them, for those who ask.
package struct BlockStorageQuotaEngine: Sendable {
    private let parts: BlockStorageParts
    private let quotas: BlockStorageQuotas

    package init(_ parts: BlockStorageParts) {
        self.parts = parts
        quotas = BlockStorageQuotas(parts)
    }

    package func usage(of project: ProjectID) async throws -> QuotaUsage {
        let (parts, quotas) = (parts, quotas)
        return try await parts.database.read { try Self.usage(of: project, parts, quotas, $0) }
    }

    private static func usage(
        of project: ProjectID, _ parts: BlockStorageParts, _ quotas: BlockStorageQuotas,
        _ transaction: any Transaction
    ) throws -> QuotaUsage {
        var used: [String: Int] = [:]
        for resource in parts.config.quota.limits.keys {
            used[resource] = try quotas.used(resource, by: project, transaction)
        }
        for type in try parts.stores.types.all(transaction) {
            for resource in ["volumes", "gigabytes", "snapshots"] {
                let name = "\(resource)_\(type.name)"
                used[name] = try quotas.used(name, by: project, type: type.id, transaction)
            }
        }
        return QuotaUsage(limits: try quotas.engine(transaction).limits(of: project, transaction), used: used)
    }

    /// Of projects that have no limits of their own.
    package func defaults() async throws -> [String: Int] {
        let quotas = quotas
        return try await parts.database.read { try quotas.engine($0).classLimits($0) }
    }

    /// Refuses limits below what the project uses now.
    package func set(_ limits: [String: Int], for project: ProjectID) async throws -> [String: Int] {
        let (parts, quotas) = (parts, quotas)
        return try await parts.database.write { transaction in
            let engine = try quotas.engine(transaction)
            let usage = try Self.usage(of: project, parts, quotas, transaction)
            for (resource, limit) in limits.sorted(by: { $0.key < $1.key }) {
                let used = usage.use(of: resource)
                guard limit < 0 || limit >= used || resource == "per_volume_gigabytes" else {
                    throw CloudError.badRequest(
                        "Quota \(resource) limit must be equal or greater than existing resources. Current usage is "
                            + "\(used) and the requested limit is \(limit).")
                }
            }
            try engine.set(limits, for: project, transaction)
            return try engine.limits(of: project, transaction)
        }
    }

    package func setDefaults(_ limits: [String: Int]) async throws -> [String: Int] {
        let quotas = quotas
        return try await parts.database.write { transaction in
            let engine = try quotas.engine(transaction)
            try engine.setClass(limits, transaction)
            return try engine.classLimits(transaction)
        }
    }

    package func reset(_ project: ProjectID) async throws {
        let quotas = quotas
        try await parts.database.write { _ = try quotas.engine($0).delete(project, $0) }
    }
}
