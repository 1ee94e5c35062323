// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-quota-sets and /v2.1/os-quota-class-sets
struct QuotaSetRoutes: Sendable {
    let quotas: ComputeQuotaEngine
    let projects: ProjectCheck

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-quota-sets/{project}"
        routes.add(.get, path, object: "os_compute_api:os-quota-sets:show", show)
        routes.add(.get, path + "/defaults", policy: "os_compute_api:os-quota-sets:defaults", defaults)
        routes.add(.get, path + "/detail", object: "os_compute_api:os-quota-sets:detail", detail)
        routes.add(.put, path, policy: "os_compute_api:os-quota-sets:update", update)
        routes.add(.delete, path, policy: "os_compute_api:os-quota-sets:delete", delete)
        routes.add(.get, "/v2.1/os-quota-class-sets/{id}", policy: "os_compute_api:os-quota-class-sets:show", showClass)
        routes.add(
            .put, "/v2.1/os-quota-class-sets/{id}", policy: "os_compute_api:os-quota-class-sets:update", updateClass)
    }

    /// The resources that the version shows, in order.
    private static func resources(_ context: CallContext, isClass: Bool = false) -> [String] {
        var names = ["cores", "instances", "key_pairs", "metadata_items", "ram"]
        if !context.has(57) { names += ["injected_file_content_bytes", "injected_file_path_bytes", "injected_files"] }
        if !isClass || context.has(50) { names += ["server_group_members", "server_groups"] }
        if !context.has(isClass ? 50 : 36) { names += ComputeQuotas.networkResources }
        return names
    }

    private static func write(_ writer: inout JSONWriter, _ names: [String], _ limits: [String: Int]) {
        for name in names {
            writer.key(dynamic: name)
            writer.value(limits[name] ?? -1)
        }
    }

    private func project(_ request: APIRequest, _ context: CallContext) async throws -> ProjectID {
        let project: ProjectID = request.id("project")
        try context.authorize(PolicyTarget(project: project))
        try await projects.require(project)
        return project
    }

    /// Whose part of the project's quota is meant; nil: all of it.
    private static func user(_ request: APIRequest, _ context: CallContext) throws -> UserID? {
        try ComputeWire.checkQuery(request, context, ["user_id"])
        return request.query("user_id").flatMap { $0.isEmpty ? nil : UserID($0) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try await project(request, context)
        let usage = try await quotas.usage(of: project, user: try Self.user(request, context))
        return .object { writer in
            writer.object("quota_set") { writer in
                writer.field("id", project.rawValue)
                Self.write(&writer, Self.resources(context), usage.limits)
            }
        }
    }

    private func defaults(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await projects.require(request.id("project"))
        let limits = try await quotas.defaults()
        return .object { writer in
            writer.object("quota_set") { writer in
                writer.field("id", request.parameter("project"))
                Self.write(&writer, Self.resources(context), limits)
            }
        }
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try await project(request, context)
        let usage = try await quotas.usage(of: project, user: try Self.user(request, context))
        return .object { writer in
            writer.object("quota_set") { writer in
                writer.field("id", project.rawValue)
                for name in Self.resources(context) {
                    writer.key(dynamic: name)
                    writer.beginObject()
                    writer.field("limit", usage.limit(of: name))
                    writer.field("in_use", usage.use(of: name))
                    writer.field("reserved", 0)
                    writer.endObject()
                }
            }
        }
    }

    private func limits(
        _ reader: inout ObjectReader, _ context: CallContext, isClass: Bool = false
    ) throws -> [String: Int] {
        var limits: [String: Int] = [:]
        for name in Self.resources(context, isClass: isClass) {
            guard let value = try reader.looseInt(name, -1...Int64(Int32.max)) else { continue }
            limits[name] = Int(value)
        }
        return limits
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let user = try Self.user(request, context)
        var reader = try ObjectReader.envelope("quota_set", in: try await request.json())
        let wanted = try limits(&reader, context)
        let isForced = try reader.looseBool("force") ?? false
        if !context.has(36) { _ = reader.value("tenant_id") }
        try reader.finish()
        let project: ProjectID = request.id("project")
        try await projects.require(project)
        let limits = try await quotas.set(wanted, for: project, user: user, isForced: isForced)
        return .object { writer in
            writer.object("quota_set") { Self.write(&$0, Self.resources(context), limits) }
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await quotas.reset(request.id("project"), user: try Self.user(request, context))
        return HTTPResponse(status: 202)
    }

    // MARK: Classes

    private func showClass(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let limits = try await quotas.classLimits(of: request.parameter("id"))
        return .object { writer in
            writer.object("quota_class_set") { writer in
                writer.field("id", request.parameter("id"))
                Self.write(&writer, Self.resources(context, isClass: true), limits)
            }
        }
    }

    /// Any class may be set; the class `default` alone limits anybody.
    private func updateClass(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("quota_class_set", in: try await request.json())
        let wanted = try limits(&reader, context, isClass: true)
        try reader.finish()
        let name = request.parameter("id")
        guard name.unicodeScalars.count <= 255 else {
            throw CloudError.badRequest("quota_class_name has more than 255 characters.")
        }
        let limits = try await quotas.setClass(wanted, of: name)
        return .object { writer in
            writer.object("quota_class_set") { Self.write(&$0, Self.resources(context, isClass: true), limits) }
        }
    }
}
