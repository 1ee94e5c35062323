// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /group_types and their specifications
struct GroupTypeRoutes: Sendable {
    let types: GroupTypeEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        let (path, one) = ("/group_types", "/group_types/{group_type_id}")
        routes.add(.get, path, object: "group:get_all", versions: versions(11), list)
        routes.add(.post, path, policy: "group:group_types:create", versions: versions(11), create)
        routes.add(.get, one, object: "group:get_all", versions: versions(11), show)
        routes.add(.put, one, policy: "group:group_types:update", versions: versions(11), update)
        routes.add(.delete, one, policy: "group:group_types:delete", versions: versions(11), delete)
        let specs = one + "/group_specs"
        routes.add(.get, specs, policy: "group:group_types_specs:get_all", versions: versions(11), listSpecs)
        routes.add(.post, specs, policy: "group:group_types_specs:create", versions: versions(11), createSpecs)
        routes.add(.get, specs + "/{key}", policy: "group:group_types_specs:get", versions: versions(11), showSpec)
        routes.add(
            .put, specs + "/{key}", policy: "group:group_types_specs:update", versions: versions(11), updateSpec)
        routes.add(
            .delete, specs + "/{key}", policy: "group:group_types_specs:delete", versions: versions(11), deleteSpec)
    }

    // MARK: View

    private static func write(_ writer: inout JSONWriter, _ type: GroupType, _ context: CallContext) {
        writer.beginObject()
        writer.field("id", type.id)
        writer.field("name", type.name)
        writer.field("description", type.description)
        writer.field("is_public", type.isPublic)
        if context.allows("group:access_group_types_specs", PolicyTarget(project: context.projectID)) {
            writer.field("group_specs", type.specs)
        }
        writer.endObject()
    }

    private static func answer(_ type: GroupType, _ context: CallContext, status: Int = 200) -> HTTPResponse {
        .object(status) { writer in
            writer.key("group_type")
            write(&writer, type, context)
        }
    }

    /// Every token may see them; which ones is the query's part.
    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        let page = try ResourceListReader("group_type", maximum: maximumPage, request, context).page()
        let isPublic = context.allowsAllProjects ? try BlockStorageWords.isPublic(request) : true
        let found = try await types.list(isPublic: isPublic, page)
        return .object(capacity: found.count * 300 + 128) { writer in
            writer.array("group_types") { writer in
                for type in found { Self.write(&writer, type, context) }
            }
            request.links.next(&writer, "group_type_links", "group_types", after: found, limit: page.limit, \.id)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        let id = request.parameter("group_type_id")
        // This cloud has none that groups fall back to, as upstream without `default_group_type`.
        guard id != "default" else { throw CloudError.notFound("Default group type can not be found.") }
        return Self.answer(try await types.type(id, for: context), context)
    }

    // MARK: Write

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("group_type", in: try await request.json())
        let name = try BlockStorageWords.name(&reader)
        let description = try BlockStorageWords.text(&reader, "description")
        let isPublic = try reader.looseBool("is_public") ?? true
        var specs: [String: String] = [:]
        if let value = reader.value("group_specs"), !value.isNull {
            specs = try BlockStorageWords.specs(value, "group_specs")
        }
        try reader.finish()
        let type = try await types.create(name: name, description: description, isPublic: isPublic, specs: specs)
        return Self.answer(type, context, status: 202)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("group_type", in: try await request.json())
        let name = try BlockStorageWords.text(&reader, "name")
        let description = try BlockStorageWords.text(&reader, "description")
        let isPublic = try reader.looseBool("is_public")
        try reader.finish()
        if let name, !name.isEmpty, BlockStorageWords.trimmed(name).isEmpty {
            throw CloudError.badRequest("Group type name can not be empty.")
        }
        guard name != nil || description != nil || isPublic != nil else {
            throw CloudError.badRequest("Specify group type name, description or a combination thereof.")
        }
        let type = try await types.update(
            request.parameter("group_type_id"), name: name, description: description, isPublic: isPublic)
        return Self.answer(type, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await types.delete(request.parameter("group_type_id"))
        return HTTPResponse(status: 202)
    }

    // MARK: Specifications

    private func listSpecs(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let type = try await types.type(request.parameter("group_type_id"), for: context)
        return .object { $0.field("group_specs", type.specs) }
    }

    private func createSpecs(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await BlockStorageWords.specs(of: request, "group_specs")
        try await types.edit(request.parameter("group_type_id")) { $0.specs.merge(sent) { _, new in new } }
        return .object(202) { $0.field("group_specs", sent) }
    }

    private func showSpec(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let type = try await types.type(request.parameter("group_type_id"), for: context)
        let key = request.parameter("key")
        guard let value = type.specs[key] else {
            throw CloudError.notFound("Group Type \(type.id) has no extra spec with key \(key.prefix(255)).")
        }
        return .object { $0.fields([key: value]) }
    }

    private func updateSpec(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, value) = try await BlockStorageWords.spec(of: request)
        try await types.edit(request.parameter("group_type_id")) { $0.specs[key] = value }
        return .object { $0.fields([key: value]) }
    }

    private func deleteSpec(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (id, key) = (request.parameter("group_type_id"), request.parameter("key"))
        try await types.edit(id) { type in
            guard type.specs.removeValue(forKey: key) != nil else {
                throw CloudError.notFound(
                    "Group Type \(id) has no specs with key \(key.prefix(255)).", kind: "GroupTypeSpecsNotFound")
            }
        }
        return HTTPResponse(status: 202)
    }
}
