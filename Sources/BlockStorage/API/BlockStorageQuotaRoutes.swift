// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /os-quota-sets and /os-quota-class-sets
struct BlockStorageQuotaRoutes: Sendable {
    let quotas: BlockStorageQuotaEngine

    func register(on routes: inout BlockStorageRouteTable) {
        let one = "/os-quota-sets/{quota_project}"
        routes.add(.get, one, object: "volume_extension:quotas:show", show)
        routes.add(.get, one + "/defaults", object: "volume_extension:quotas:show", defaults)
        routes.add(.put, one, object: "volume_extension:quotas:update", update)
        routes.add(.delete, one, object: "volume_extension:quotas:delete", delete)
        let set = "/os-quota-class-sets/{quota_class}"
        routes.add(.get, set, policy: "volume_extension:quota_classes:get", showClass)
        routes.add(.put, set, policy: "volume_extension:quota_classes:update", updateClass)
    }

    private func project(_ request: APIRequest, _ context: CallContext) throws -> ProjectID {
        let project: ProjectID = request.id("quota_project")
        try context.authorize(PolicyTarget(project: project))
        return project
    }

    private static func answer(_ key: StaticString, id: String?, _ limits: [String: Int]) -> HTTPResponse {
        .object { writer in
            writer.object(key) { writer in
                for (name, limit) in limits.sorted(by: { $0.key < $1.key }) {
                    writer.key(dynamic: name)
                    writer.value(limit)
                }
                if let id { writer.field("id", id) }
            }
        }
    }

    // MARK: Projects

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try project(request, context)
        let usage = try await quotas.usage(of: project)
        guard try BlockStorageWords.bool(request, "usage") else {
            return Self.answer("quota_set", id: project.rawValue, usage.limits)
        }
        return .object(capacity: 2048) { writer in
            writer.object("quota_set") { writer in
                for (name, limit) in usage.limits.sorted(by: { $0.key < $1.key }) {
                    writer.key(dynamic: name)
                    writer.beginObject()
                    writer.field("limit", limit)
                    writer.field("in_use", usage.use(of: name))
                    writer.field("reserved", 0)
                    writer.endObject()
                }
                writer.field("id", project.rawValue)
            }
        }
    }

    private func defaults(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try project(request, context)
        return Self.answer("quota_set", id: project.rawValue, try await quotas.defaults())
    }

    /// Every key but `tenant_id` is a resource (cinder: validators.py, `quota_set`).
    private static func limits(_ key: String, _ body: JSON) throws -> [String: Int] {
        _ = try ObjectReader.envelope(key, in: body, allowsUnknown: false)
        guard case .object(let fields)? = body[key], !fields.isEmpty else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute \(key). Value: {}. {} does not have enough properties")
        }
        var limits: [String: Int] = [:]
        for (name, value) in fields where name != "tenant_id" {
            let number: Int64? =
                switch value {
                case .int(let number): number
                case .string(let text): Int64(text)
                default: nil
                }
            guard let number else {
                throw CloudError.badRequest("Quota limit \(name.prefix(255)) must be an integer.")
            }
            guard number >= -1 else { throw CloudError.badRequest("Quota limit \(name.prefix(255)) must be >= -1") }
            guard number <= Int64(Int32.max) else {
                throw CloudError.badRequest("Quota limit \(name.prefix(255)) must be <= \(Int32.max)")
            }
            limits[name] = Int(number)
        }
        return limits
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try project(request, context)
        var limits = try Self.limits("quota_set", try await request.json())
        // cinder: quota.NON_QUOTA_KEYS.
        limits["id"] = nil
        limits["force"] = nil
        let known = Set(try await quotas.defaults().keys)
        let unknown = limits.keys.filter { !known.contains($0) }.sorted()
        guard unknown.isEmpty else {
            throw CloudError.badRequest(
                "Bad key(s) in quota set: \(unknown.map { String($0.prefix(64)) }.joined(separator: ", "))")
        }
        return Self.answer("quota_set", id: nil, try await quotas.set(limits, for: project))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await quotas.reset(try project(request, context))
        return HTTPResponse(status: 200)
    }

    // MARK: Classes

    /// The class `default` holds for every project without limits of its own; no other is ever in force.
    private func showClass(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        Self.answer("quota_class_set", id: request.parameter("quota_class"), try await quotas.defaults())
    }

    private func updateClass(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var limits = try Self.limits("quota_class_set", try await request.json())
        limits["id"] = nil
        guard request.parameter("quota_class") == "default" else {
            throw CloudError.badRequest("Only the quota class 'default' can be changed.")
        }
        return Self.answer("quota_class_set", id: nil, try await quotas.setDefaults(limits))
    }
}
