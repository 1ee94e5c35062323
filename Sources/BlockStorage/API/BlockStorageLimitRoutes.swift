// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /limits: what a project may have and has.
struct BlockStorageLimitRoutes: Sendable {
    let quotas: BlockStorageQuotaEngine

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/limits", object: "limits_extension:used_limits", show)
    }

    /// Every token may see its own project's limits; what is used, only who the rule allows.
    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        var project = context.projectID ?? ProjectID("")
        if context.has(39), context.allowsAllProjects,
            let other = request.query("project_id") ?? request.query("tenant_id"), !other.isEmpty
        {
            project = ProjectID(other)
        }
        let usage = try await quotas.usage(of: project)
        let showsUse = context.allows("limits_extension:used_limits", PolicyTarget(project: context.projectID))
        return .object { writer in
            writer.object("limits") { writer in
                writer.array("rate") { _ in }
                writer.object("absolute") { writer in
                    if showsUse {
                        writer.field("totalSnapshotsUsed", usage.use(of: "snapshots"))
                        writer.field("totalBackupsUsed", usage.use(of: "backups"))
                        writer.field("totalVolumesUsed", usage.use(of: "volumes"))
                        writer.field("totalGigabytesUsed", usage.use(of: "gigabytes"))
                        writer.field("totalBackupGigabytesUsed", usage.use(of: "backup_gigabytes"))
                    }
                    writer.field("maxTotalBackups", usage.limit(of: "backups"))
                    writer.field("maxTotalBackupGigabytes", usage.limit(of: "backup_gigabytes"))
                    writer.field("maxTotalSnapshots", usage.limit(of: "snapshots"))
                    writer.field("maxTotalVolumes", usage.limit(of: "volumes"))
                    writer.field("maxTotalVolumeGigabytes", usage.limit(of: "gigabytes"))
                }
            }
        }
    }
}
