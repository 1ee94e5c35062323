// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /group_snapshots
struct GroupSnapshotRoutes: Sendable {
    let snapshots: GroupSnapshotEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        let (path, one) = ("/group_snapshots", "/group_snapshots/{group_snapshot_id}")
        routes.add(.get, path, policy: "group:get_all_group_snapshots", versions: versions(14)) {
            try await list($0, $1, false)
        }
        routes.add(.get, path + "/detail", policy: "group:get_all_group_snapshots", versions: versions(14)) {
            try await list($0, $1, true)
        }
        routes.add(.post, path, object: "group:create_group_snapshot", versions: versions(14), create)
        routes.add(.get, one, object: "group:get_group_snapshot", versions: versions(14), show)
        routes.add(.delete, one, object: "group:delete_group_snapshot", versions: versions(14), delete)
        routes.add(
            .post, one + "/action", object: "group:reset_group_snapshot_status", versions: versions(19), act)
    }

    private static func summary(_ writer: inout JSONWriter, _ snapshot: GroupSnapshot, hasType: Bool) {
        writer.beginObject()
        writer.field("id", snapshot.id)
        writer.field("name", snapshot.name)
        if hasType { writer.field("group_type_id", snapshot.typeID) }
        writer.endObject()
    }

    private static func write(_ writer: inout JSONWriter, _ snapshot: GroupSnapshot, _ context: CallContext) {
        writer.beginObject()
        writer.field("id", snapshot.id)
        writer.field("group_id", snapshot.groupID)
        writer.field("group_type_id", snapshot.typeID)
        writer.field("status", snapshot.status.rawValue)
        writer.field("created_at", BlockStorageWords.time(snapshot.createdAt))
        writer.field("name", snapshot.name)
        writer.field("description", snapshot.description)
        let target = PolicyTarget(project: context.projectID)
        if context.has(58), context.allows("group:group_snapshot_project_attribute", target) {
            writer.field("project_id", snapshot.projectID)
        }
        writer.endObject()
    }

    private func list(_ request: APIRequest, _ context: CallContext, _ isDetailed: Bool) async throws -> HTTPResponse {
        let reader = ResourceListReader("group_snapshot", maximum: maximumPage, request, context)
        let page = context.has(29) ? try reader.page() : reader.wholePage()
        let filter =
            context.has(29)
            ? try reader.filter(oldFilters: ["name", "status", "group_id"])
            : ResourceFilter(project: try reader.isAllProjects() ? nil : context.projectID ?? ProjectID(""))
        let found = try await snapshots.list(filter, page)
        return .object(capacity: found.count * 300 + 128) { writer in
            writer.array("group_snapshots") { writer in
                for snapshot in found {
                    if isDetailed {
                        Self.write(&writer, snapshot, context)
                    } else {
                        Self.summary(&writer, snapshot, hasType: false)
                    }
                }
            }
            if context.has(29) {
                request.links.next(
                    &writer, "group_snapshot_links", "group_snapshots", after: found, limit: page.limit, \.id)
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let snapshot = try await snapshots.snapshot(request.id("group_snapshot_id"), for: context)
        return .object { writer in
            writer.key("group_snapshot")
            Self.write(&writer, snapshot, context)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("group_snapshot", in: try await request.json())
        let group = try reader.requiredString("group_id")
        guard UUIDText.isUUID(group) else { throw reader.invalid("group_id", .string(group), "is not a 'uuid'") }
        let name = try BlockStorageWords.text(&reader, "name")
        let description = try BlockStorageWords.text(&reader, "description")
        try reader.finish()
        let snapshot = try await snapshots.create(
            of: VolumeGroupID(group), name: name, description: description, for: context)
        return .object(202) { writer in
            writer.key("group_snapshot")
            Self.summary(&writer, snapshot, hasType: true)
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await snapshots.delete(request.id("group_snapshot_id"), for: context)
        return HTTPResponse(status: 202)
    }

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("reset_status", in: try await request.json())
        let word = try reader.requiredString("status").lowercased()
        guard let status = GroupSnapshotStatus(rawValue: word) else {
            throw reader.invalid("status", .string(word), "is not a 'group_snapshot_status'")
        }
        try reader.finish()
        try await snapshots.resetStatus(
            request.id("group_snapshot_id"), status, for: context, as: "group:reset_group_snapshot_status")
        return HTTPResponse(status: 202)
    }
}
