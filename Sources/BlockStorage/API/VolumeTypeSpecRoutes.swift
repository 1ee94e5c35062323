// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /types/{type_id}/extra_specs, /os-volume-type-access and the type's actions
struct VolumeTypeSpecRoutes: Sendable {
    let types: VolumeTypeEngine

    func register(on routes: inout BlockStorageRouteTable) {
        let path = "/types/{type_id}"
        let specs = path + "/extra_specs"
        routes.add(.get, specs, policy: "volume_extension:types_extra_specs:index", index)
        routes.add(.post, specs, policy: "volume_extension:types_extra_specs:create", create)
        routes.add(.get, specs + "/{key}", policy: "volume_extension:types_extra_specs:show", show)
        routes.add(.put, specs + "/{key}", policy: "volume_extension:types_extra_specs:update", update)
        routes.add(.delete, specs + "/{key}", policy: "volume_extension:types_extra_specs:delete", delete)
        routes.add(
            .get, path + "/os-volume-type-access", policy: "volume_extension:volume_type_access:get_all_for_type",
            access)
        routes.add(.post, path + "/action", object: "volume_extension:volume_type_access:addProjectAccess", act)
    }

    // MARK: Extra specs

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let type = try await types.type(request.parameter("type_id"), for: context)
        return .object { $0.field("extra_specs", VolumeTypeRoutes.visibleSpecs(type.extraSpecs, context)) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let type = try await types.type(request.parameter("type_id"), for: context)
        let key = request.parameter("key")
        guard let value = VolumeTypeRoutes.visibleSpecs(type.extraSpecs, context)[key] else {
            throw Self.missing(type.id.rawValue, key)
        }
        return .object { $0.fields([key: value]) }
    }

    private static func missing(_ id: String, _ key: String) -> CloudError {
        .notFound(
            "Volume Type \(id.prefix(255)) has no extra specs with key \(key.prefix(255)).",
            kind: "VolumeTypeExtraSpecsNotFound")
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await BlockStorageWords.specs(of: request, "extra_specs")
        _ = try await types.editExtraSpecs(request.parameter("type_id")) { $0.merge(sent) { _, new in new } }
        return .object { $0.field("extra_specs", sent) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, value) = try await BlockStorageWords.spec(of: request)
        _ = try await types.editExtraSpecs(request.parameter("type_id")) { $0[key] = value }
        return .object { $0.fields([key: value]) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (id, key) = (request.parameter("type_id"), request.parameter("key"))
        _ = try await types.editExtraSpecs(id) { specs in
            guard specs.removeValue(forKey: key) != nil else { throw Self.missing(id, key) }
        }
        return HTTPResponse(status: 202)
    }

    // MARK: Access

    private func access(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = request.parameter("type_id")
        let projects = try await types.access(id)
        return .object { writer in
            writer.array("volume_type_access") { writer in
                for project in projects {
                    writer.beginObject()
                    writer.field("volume_type_id", id)
                    writer.field("project_id", project)
                    writer.endObject()
                }
            }
        }
    }

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (name, value) = try await request.action()
        let policy: PolicyName
        switch name {
        case "addProjectAccess": policy = "volume_extension:volume_type_access:addProjectAccess"
        case "removeProjectAccess": policy = "volume_extension:volume_type_access:removeProjectAccess"
        default:
            try context.authorize(PolicyTarget(project: context.projectID))
            throw APIRequest.noSuchAction(name)
        }
        try context.authorize(PolicyTarget(project: context.projectID), as: policy)
        var reader = try ObjectReader(value, path: name)
        let project = try reader.requiredString("project", 1...255)
        try reader.finish()
        try await types.setAccess(
            request.parameter("type_id"), ProjectID(project), isAllowed: name == "addProjectAccess")
        return HTTPResponse(status: 202)
    }
}
