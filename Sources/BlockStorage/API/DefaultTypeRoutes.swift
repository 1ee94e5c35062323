// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /default-types: the types of projects' volumes that name none.
struct DefaultTypeRoutes: Sendable {
    let types: VolumeTypeEngine

    func register(on routes: inout BlockStorageRouteTable) {
        let path = "/default-types"
        routes.add(.get, path, policy: "volume_extension:default_get_all", versions: versions(62), list)
        let one = path + "/{default_project}"
        routes.add(.put, one, object: "volume_extension:default_set_or_update", versions: versions(62), set)
        routes.add(.get, one, object: "volume_extension:default_get", versions: versions(62), show)
        routes.add(.delete, one, object: "volume_extension:default_unset", versions: versions(62), unset)
    }

    private func project(_ request: APIRequest, _ context: CallContext) throws -> ProjectID {
        let project: ProjectID = request.id("default_project")
        try context.authorize(PolicyTarget(project: project))
        return project
    }

    private static func write(_ writer: inout JSONWriter, _ project: ProjectID, _ type: VolumeTypeID) {
        writer.beginObject()
        writer.field("project_id", project)
        writer.field("volume_type_id", type)
        writer.endObject()
    }

    private static func answer(_ project: ProjectID, _ type: VolumeTypeID) -> HTTPResponse {
        .object { writer in
            writer.key("default_type")
            write(&writer, project, type)
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await types.defaults()
        return .object { writer in
            writer.array("default_types") { writer in
                for (project, type) in found { Self.write(&writer, project, type) }
            }
        }
    }

    private func set(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try project(request, context)
        var reader = try ObjectReader.envelope("default_type", in: try await request.json())
        let name = try reader.requiredString("volume_type", 1...255)
        try reader.finish()
        do {
            return Self.answer(project, try await types.setDefault(name, of: project).id)
        } catch let error as CloudError where error.code == .notFound {
            throw CloudError.badRequest(error.message, kind: error.kind)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let project = try project(request, context)
        return Self.answer(project, try await types.ownDefault(of: project))
    }

    private func unset(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await types.unsetDefault(of: try project(request, context))
        return .noContent()
    }
}
