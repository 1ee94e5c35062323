// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /v3/{project_id}/os-snapshot-manage and manageable_snapshots (3.8)
struct ManageableSnapshotRoutes: Sendable {
    let manageable: ManageableSnapshotEngine
    let snapshots: SnapshotRoutes
    private static let list = ManageableList(
        key: "manageable-snapshots", linksKey: "manageable_snapshots_links", path: "os-snapshot-manage",
        showsSource: true)

    func register(on routes: inout BlockStorageRouteTable) {
        let listed: PolicyName = "snapshot_extension:list_manageable"
        for (path, known) in [("/os-snapshot-manage", RouteTable.anyVersion), ("/manageable_snapshots", versions(8))] {
            routes.add(.post, path, object: "snapshot_extension:snapshot_manage", versions: known, manage)
            routes.add(.get, path, policy: listed, versions: known, index)
            routes.add(.get, path + "/detail", policy: listed, versions: known, detail)
        }
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, isDetailed: false)
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, isDetailed: true)
    }

    private func list(_ request: APIRequest, isDetailed: Bool) async throws -> HTTPResponse {
        let found = try await manageable.list(on: try ManageableList.host(request))
        return try Self.list.answer(
            request, maximum: manageable.parts.config.maximumPage, isDetailed: isDetailed, found)
    }

    private func manage(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("snapshot", in: try await request.json(), allowsUnknown: true)
        guard let volume = try VolumeWire.uuid(&reader, "volume_id") else { throw reader.missing("volume_id") }
        guard let reference = try ManageableList.reference(reader.value("ref"), "snapshot") else {
            throw reader.missing("ref")
        }
        var draft = ManageableSnapshotEngine.Draft(volume: VolumeID(volume), reference: reference)
        draft.name = try reader.nullableString("name") ?? nil
        draft.description = try reader.nullableString("description") ?? nil
        draft.metadata = try VolumeWire.metadata(&reader) ?? [:]
        try reader.finish()
        return snapshots.answer(202, try await manageable.manage(draft, for: context), context)
    }
}
