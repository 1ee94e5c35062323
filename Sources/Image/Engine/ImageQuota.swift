// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import PolicyKit

/// What may be bounded, under upstream's names of registered limits (glance: `quota/keystone.py`).
package enum ImageQuota: String, Sendable, CaseIterable {
    /// MiB of images with bytes, each as often as stores hold it.
    case imageSizeTotal = "image_size_total"
    /// MiB of images whose bytes wait in the staging area.
    case imageStageTotal = "image_stage_total"
    case imageCountTotal = "image_count_total"
    /// Images whose bytes are on their way.
    case imageCountUploading = "image_count_uploading"
}

/// The limits of projects, as Identity keeps them.
package protocol ImageQuotaSource: Sendable {
    /// By names of registered limits of the service `image`; what is not registered is absent.
    func limits(of project: ProjectID) async throws -> [String: Int]
}

/// One quota's use and limit.
package struct ImageQuotaUse: Sendable, Equatable {
    package let quota: ImageQuota
    package let usage: Int
    package let limit: Int
}

extension ImageEngine {
    /// Nil: nothing bounds the project.
    func quotaLimits(of project: ProjectID?) async throws -> [String: Int]? {
        guard config.usesUnifiedLimits, let quotas, let project else { return nil }
        return try await quotas.limits(of: project)
    }

    /// Throws `.tooLarge` when the project has more than it may with what is added. What is not registered is bounded
    /// to nothing (oslo.limit).
    func checkQuota(
        _ limits: [String: Int]?, _ project: ProjectID?, adding: [ImageQuota: Int], _ tx: any Transaction
    ) throws {
        guard let limits, let project else { return }
        for (quota, amount) in adding.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let limit = limits[quota.rawValue] ?? 0
            guard limit >= 0 else { continue }
            let used = try usage(of: quota, project, tx)
            guard used + amount > limit else { continue }
            throw CloudError(
                .tooLarge,
                """
                Project \(project) is over a limit for [Resource \(quota.rawValue) is over limit of \(limit) due to \
                current usage \(used) and delta \(amount)]
                """)
        }
    }

    private func usage(of quota: ImageQuota, _ project: ProjectID, _ tx: any Transaction) throws -> Int {
        switch quota {
        case .imageSizeTotal: return Int(try images.storedBytes(of: project, tx) >> 20)
        case .imageStageTotal: return Int(try images.stagedBytes(of: project, tx) >> 20)
        case .imageCountTotal: return try images.count(of: project, tx)
        case .imageCountUploading: return try images.countUploading(of: project, tx)
        }
    }

    /// The caller's project's quotas; none when nothing bounds it (glance: `get_usage`).
    package func quotaUse(for context: CallContext) async throws -> [ImageQuotaUse] {
        context.authorizeListing()
        guard let project = context.projectID, let limits = try await quotaLimits(of: project) else { return [] }
        return try await database.read { tx in
            try ImageQuota.allCases.map { quota in
                ImageQuotaUse(
                    quota: quota, usage: try usage(of: quota, project, tx), limit: limits[quota.rawValue] ?? 0)
            }
        }
    }
}
