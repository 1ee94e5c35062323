// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-assisted-volume-snapshots, for services (nova: assisted_volume_snapshots.py). Both are accepted, and what
/// then comes of a snapshot is told to Block Storage, as upstream tells it of a volume that its host cannot make
/// snapshots of.
struct AssistedSnapshotRoutes: Sendable {
    let snapshots: AssistedSnapshotEngine
    let neighbours: Neighbours

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-assisted-volume-snapshots"
        routes.add(.post, path, policy: "os_compute_api:os-assisted-volume-snapshots:create", create)
        routes.add(
            .delete, path + "/{snapshot_id}", policy: "os_compute_api:os-assisted-volume-snapshots:delete", delete)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("snapshot", in: try await request.json())
        let volume = try reader.requiredString("volume_id", 1...255)
        guard var info = try reader.object("create_info") else { throw reader.missing("create_info") }
        try reader.finish()
        let snapshot = try info.requiredString("snapshot_id", 1...255)
        let type = try info.requiredString("type")
        guard type == "qcow2" else { throw info.invalid("type", .string(type), "is not one of ['qcow2']") }
        _ = try info.requiredString("new_file", 1...4096)
        let id = try info.string("id", 1...255)
        try info.finish()
        _ = try await snapshots.server(with: volume)
        try await report(snapshot, "error", request, context)
        return .object { writer in
            writer.object("snapshot") { writer in
                writer.field("id", id)
                writer.field("volumeId", volume)
            }
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["delete_info"])
        guard let text = request.query("delete_info") else { throw CloudError.badRequest("'delete_info'") }
        guard let info = try? JSONReader.read(text) else {  // whatever it is, it is no JSON
            throw CloudError.badRequest("delete_info is not JSON")
        }
        guard let volume = info["volume_id"]?.string else { throw CloudError.badRequest("'volume_id'") }
        _ = try await snapshots.server(with: volume)
        try await report(request.parameter("snapshot_id"), "error_deleting", request, context)
        return .noContent()
    }

    /// A snapshot that Block Storage does not know, or that this caller may not change, stays as it is.
    private func report(
        _ snapshot: String, _ status: String, _ request: APIRequest, _ context: CallContext
    ) async throws {
        guard UUIDText.isUUID(snapshot), let project = context.projectID else { return }
        let path = "/volume/v3/\(Neighbours.segment(project.rawValue))/snapshots/\(snapshot)/action"
        do {
            try await neighbours.call(
                .post, path, ["os-update_snapshot_status": ["status": .string(status)]], for: request)
        } catch let error as CloudError where error.code != .unavailable && error.code != .bug {
            return
        }
    }
}
