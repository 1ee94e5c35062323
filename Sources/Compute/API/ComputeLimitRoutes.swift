// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/limits: what a project may have and has.
struct ComputeLimitRoutes: Sendable {
    let quotas: ComputeQuotaEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2.1/limits", policy: "os_compute_api:limits", show)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["tenant_id", "reserved"])
        var project = context.projectID ?? ProjectID("")
        if let other = request.query("tenant_id"), other != project.rawValue {
            try context.authorize(PolicyTarget(project: ProjectID(other)), as: "os_compute_api:limits:other_project")
            project = ProjectID(other)
        }
        let usage = try await quotas.usage(of: project)
        return .object { writer in
            writer.object("limits") { writer in
                writer.array("rate") { _ in }
                writer.object("absolute") { writer in
                    writer.field("maxServerMeta", usage.limit(of: "metadata_items"))
                    if !context.has(57) {
                        writer.field("maxPersonality", usage.limit(of: "injected_files"))
                        writer.field("maxPersonalitySize", usage.limit(of: "injected_file_content_bytes"))
                    }
                    writer.field("maxTotalInstances", usage.limit(of: "instances"))
                    writer.field("maxTotalCores", usage.limit(of: "cores"))
                    writer.field("maxTotalRAMSize", usage.limit(of: "ram"))
                    writer.field("maxTotalKeypairs", usage.limit(of: "key_pairs"))
                    writer.field("maxServerGroups", usage.limit(of: "server_groups"))
                    writer.field("maxServerGroupMembers", usage.limit(of: "server_group_members"))
                    if !context.has(39) { writer.field("maxImageMeta", usage.limit(of: "metadata_items")) }
                    if !context.has(36) {
                        for name in ["maxSecurityGroups", "maxSecurityGroupRules", "maxTotalFloatingIps"] {
                            writer.key(dynamic: name)
                            writer.value(-1)
                        }
                        writer.field("totalSecurityGroupsUsed", 0)
                        writer.field("totalFloatingIpsUsed", 0)
                    }
                    writer.field("totalInstancesUsed", usage.use(of: "instances"))
                    writer.field("totalCoresUsed", usage.use(of: "cores"))
                    writer.field("totalRAMUsed", usage.use(of: "ram"))
                    writer.field("totalServerGroupsUsed", usage.use(of: "server_groups"))
                }
            }
        }
    }
}
