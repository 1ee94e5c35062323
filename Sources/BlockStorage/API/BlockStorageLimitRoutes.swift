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
        func limit(_ name: String) -> Int { usage.limits[name] ?? -1 }
        func used(_ name: String) -> Int { usage.used[name] ?? 0 }
        return .object { writer in
            writer.object("limits") { writer in
                writer.array("rate") { _ in }
                writer.object("absolute") { writer in
                    if showsUse {
                        writer.field("totalSnapshotsUsed", used("snapshots"))
                        writer.field("totalBackupsUsed", used("backups"))
                        writer.field("totalVolumesUsed", used("volumes"))
                        writer.field("totalGigabytesUsed", used("gigabytes"))
                        writer.field("totalBackupGigabytesUsed", used("backup_gigabytes"))
                    }
                    writer.field("maxTotalBackups", limit("backups"))
                    writer.field("maxTotalBackupGigabytes", limit("backup_gigabytes"))
                    writer.field("maxTotalSnapshots", limit("snapshots"))
                    writer.field("maxTotalVolumes", limit("volumes"))
                    writer.field("maxTotalVolumeGigabytes", limit("gigabytes"))
                }
            }
        }
    }
}
