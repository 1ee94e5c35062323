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
        func limit(_ name: String) -> Int { usage.limits[name] ?? -1 }
        return .object { writer in
            writer.object("limits") { writer in
                writer.array("rate") { _ in }
                writer.object("absolute") { writer in
                    writer.field("maxServerMeta", limit("metadata_items"))
                    if !context.has(57) {
                        writer.field("maxPersonality", limit("injected_files"))
                        writer.field("maxPersonalitySize", limit("injected_file_content_bytes"))
                    }
                    writer.field("maxTotalInstances", limit("instances"))
                    writer.field("maxTotalCores", limit("cores"))
                    writer.field("maxTotalRAMSize", limit("ram"))
                    writer.field("maxTotalKeypairs", limit("key_pairs"))
                    writer.field("maxServerGroups", limit("server_groups"))
                    writer.field("maxServerGroupMembers", limit("server_group_members"))
                    if !context.has(39) { writer.field("maxImageMeta", limit("metadata_items")) }
                    if !context.has(36) {
                        for name in ["maxSecurityGroups", "maxSecurityGroupRules", "maxTotalFloatingIps"] {
                            writer.key(dynamic: name)
                            writer.value(-1)
                        }
                        writer.field("totalSecurityGroupsUsed", 0)
                        writer.field("totalFloatingIpsUsed", 0)
                    }
                    writer.field("totalInstancesUsed", usage.used["instances"] ?? 0)
                    writer.field("totalCoresUsed", usage.used["cores"] ?? 0)
                    writer.field("totalRAMUsed", usage.used["ram"] ?? 0)
                    writer.field("totalServerGroupsUsed", usage.used["server_groups"] ?? 0)
                }
            }
        }
    }
}
