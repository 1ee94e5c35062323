// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /v3/{project_id}/os-volume-manage and manageable_volumes (3.8)
struct ManageableVolumeRoutes: Sendable {
    let manageable: ManageableVolumeEngine
    let volumes: VolumeEngine
    private static let list = ManageableList(
        key: "manageable-volumes", linksKey: "manageable_volumes_links", path: "os-volume-manage", showsSource: false)

    func register(on routes: inout BlockStorageRouteTable) {
        let listed: PolicyName = "volume_extension:list_manageable"
        for (path, known) in [("/os-volume-manage", RouteTable.anyVersion), ("/manageable_volumes", versions(8))] {
            routes.add(.post, path, policy: "volume_extension:volume_manage", versions: known, manage)
            routes.add(.get, path, policy: listed, versions: known, index)
            routes.add(.get, path + "/detail", policy: listed, versions: known, detail)
        }
    }

    // MARK: List

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: false)
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: true)
    }

    private func list(_ request: APIRequest, _ context: CallContext, isDetailed: Bool) async throws -> HTTPResponse {
        let found = try await manageable.list(on: try ManageableList.host(request))
        return try Self.list.answer(
            request, maximum: manageable.parts.config.maximumPage, isDetailed: isDetailed, found)
    }

    // MARK: Manage

    private func manage(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("volume", in: try await request.json())
        guard let reference = try ManageableList.reference(reader.value("ref"), "volume") else {
            throw reader.missing("ref")
        }
        let host = try reader.nullableString("host") ?? nil
        if context.has(16) { _ = try reader.nullableString("cluster") }
        guard let host, !host.isEmpty else { throw VolumeErrors.invalidInput("Host field is missing.") }
        var draft = ManageableVolumeEngine.Draft(host: host, reference: reference)
        draft.name = try reader.nullableString("name") ?? nil
        draft.description = try reader.nullableString("description") ?? nil
        draft.type = try (reader.nullableString("volume_type") ?? nil).flatMap { $0.isEmpty ? nil : $0 }
        draft.zone = try (reader.nullableString("availability_zone") ?? nil).flatMap { $0.isEmpty ? nil : $0 }
        draft.metadata = try VolumeWire.metadata(&reader) ?? [:]
        draft.isBootable = try reader.looseBool("bootable") ?? false
        try reader.finish()
        let volume = try await manageable.manage(draft, for: context)
        let view = VolumeView(request, context, try await volumes.page(of: volume))
        return .object(202, capacity: 2048) { writer in
            writer.key("volume")
            view.detail(&writer, volume)
        }
    }
}
