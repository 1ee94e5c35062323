// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /groups
struct VolumeGroupRoutes: Sendable {
    let groups: VolumeGroupEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        let one = "/groups/{group_id}"
        routes.add(.get, "/groups", policy: "group:get_all", versions: versions(13)) { try await list($0, $1, false) }
        routes.add(.get, "/groups/detail", policy: "group:get_all", versions: versions(13)) {
            try await list($0, $1, true)
        }
        routes.add(.post, "/groups", policy: "group:create", versions: versions(13), create)
        routes.add(.post, "/groups/action", policy: "group:create", versions: versions(14), createFromSource)
        routes.add(.get, one, object: "group:get", versions: versions(13), show)
        routes.add(.put, one, object: "group:update", versions: versions(13), update)
        routes.add(.post, one + "/action", object: "group:delete", versions: versions(13), act)
    }

    // MARK: View

    private struct Members: Sendable {
        /// Nil: the volumes were not asked for.
        var volumes: [VolumeGroupID: [VolumeID]]?
    }

    private func members(
        _ groups: [VolumeGroup], _ request: APIRequest, _ context: CallContext
    ) async throws -> Members {
        guard context.has(25), try BlockStorageWords.bool(request, "list_volume") else { return Members() }
        return Members(volumes: try await self.groups.volumes(of: groups.map(\.id)))
    }

    private static func write(
        _ writer: inout JSONWriter, _ group: VolumeGroup, _ members: Members, _ context: CallContext
    ) {
        writer.beginObject()
        writer.field("id", group.id)
        writer.field("status", group.status.rawValue)
        writer.field("availability_zone", group.zone)
        writer.field("created_at", BlockStorageWords.time(group.createdAt))
        writer.field("name", group.name)
        writer.field("description", group.description)
        writer.field("group_type", group.typeID)
        writer.field("volume_types", group.volumeTypeIDs.map(\.rawValue))
        if context.has(14) {
            writer.field("group_snapshot_id", group.groupSnapshotID)
            writer.field("source_group_id", group.sourceGroupID)
        }
        if let volumes = members.volumes { writer.field("volumes", volumes[group.id, default: []].map(\.rawValue)) }
        if context.has(38) { writer.field("replication_status", "disabled") }
        if context.has(58), context.allows("group:group_project_attribute", PolicyTarget(project: context.projectID)) {
            writer.field("project_id", group.projectID)
        }
        writer.endObject()
    }

    private static func summary(_ writer: inout JSONWriter, _ group: VolumeGroup) {
        writer.beginObject()
        writer.field("id", group.id)
        writer.field("name", group.name)
        writer.endObject()
    }

    // MARK: Read

    private func list(_ request: APIRequest, _ context: CallContext, _ isDetailed: Bool) async throws -> HTTPResponse {
        let reader = ResourceListReader("group", maximum: maximumPage, request, context)
        let page = try reader.page()
        let filter = try reader.filter(
            oldFilters: ["name", "status", "group_type", "availability_zone"], without: ["list_volume"])
        let found = try await groups.list(filter, page)
        let members = isDetailed ? try await members(found, request, context) : Members()
        return .object(capacity: found.count * 400 + 128) { writer in
            writer.array("groups") { writer in
                for group in found {
                    if isDetailed {
                        Self.write(&writer, group, members, context)
                    } else {
                        Self.summary(&writer, group)
                    }
                }
            }
            request.links.next(&writer, "group_links", "groups", after: found, limit: page.limit, \.id)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let group = try await groups.group(request.id("group_id"), for: context)
        let members = try await members([group], request, context)
        return .object { writer in
            writer.key("group")
            Self.write(&writer, group, members, context)
        }
    }

    // MARK: Create

    private static func accepted(_ group: VolumeGroup) -> HTTPResponse {
        .object(202) { writer in
            writer.key("group")
            summary(&writer, group)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("group", in: try await request.json())
        let type = try reader.requiredString("group_type", 1...255)
        guard let names = try reader.strings("volume_types", 1...1000) else { throw reader.missing("volume_types") }
        guard Set(names).count == names.count else {
            throw reader.invalid("volume_types", .array(names.map(JSON.string)), "has non-unique elements")
        }
        var draft = VolumeGroupEngine.Draft(type: type, volumeTypes: names)
        draft.name = try BlockStorageWords.text(&reader, "name").map(BlockStorageWords.trimmed)
        draft.description = try BlockStorageWords.text(&reader, "description").map(BlockStorageWords.trimmed)
        draft.zone = try BlockStorageWords.text(&reader, "availability_zone")
        try reader.finish()
        return Self.accepted(try await groups.create(draft, for: context))
    }

    private func createFromSource(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("create-from-src", in: try await request.json())
        let name = try BlockStorageWords.text(&reader, "name").map(BlockStorageWords.trimmed)
        let description = try BlockStorageWords.text(&reader, "description").map(BlockStorageWords.trimmed)
        let group = try reader.string("source_group_id")
        let snapshot = try reader.string("group_snapshot_id")
        try reader.finish()
        for (key, value) in [("source_group_id", group), ("group_snapshot_id", snapshot)] {
            if let value, !UUIDText.isUUID(value) { throw reader.invalid(key, .string(value), "is not a 'uuid'") }
        }
        let source: VolumeGroupEngine.Source
        switch (group, snapshot) {
        case (let group?, nil): source = .group(VolumeGroupID(group))
        case (nil, let snapshot?): source = .snapshot(GroupSnapshotID(snapshot))
        default:
            throw CloudError.badRequest(
                "Invalid input for field/attribute create-from-src. One of 'group_snapshot_id' and 'source_group_id' "
                    + "is a required property.")
        }
        return Self.accepted(
            try await groups.create(from: source, name: name, description: description, for: context))
    }

    // MARK: Change

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("group", in: try await request.json())
        var change = VolumeGroupEngine.Change()
        change.name = try BlockStorageWords.text(&reader, "name").map(BlockStorageWords.trimmed)
        change.description = try BlockStorageWords.text(&reader, "description").map(BlockStorageWords.trimmed)
        change.added = Self.ids(try reader.nullableString("add_volumes", 0...65_535).flatMap { $0 })
        change.removed = Self.ids(try reader.nullableString("remove_volumes", 0...65_535).flatMap { $0 })
        try reader.finish()
        try await groups.update(request.id("group_id"), change, for: context)
        return HTTPResponse(status: 202)
    }

    private static func ids(_ text: String?) -> [VolumeID] {
        (text ?? "").split(separator: ",").map { VolumeID(BlockStorageWords.trimmed(String($0))) }
    }

    // MARK: Actions

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (name, value) = try await request.action()
        let id: VolumeGroupID = request.id("group_id")
        switch name {
        case "delete":
            var reader = try ObjectReader(value, path: name)
            let deletesVolumes = try reader.looseBool("delete-volumes") ?? false
            try reader.finish()
            try await groups.delete(id, deletesVolumes: deletesVolumes, for: context, as: "group:delete")
        case "reset_status" where context.has(20):
            var reader = try ObjectReader(value, path: name)
            let word = try reader.requiredString("status").lowercased()
            guard let status = VolumeGroupStatus(rawValue: word) else {
                throw reader.invalid("status", .string(word), "is not a 'group_status'")
            }
            try reader.finish()
            try await groups.resetStatus(id, status, for: context, as: "group:reset_status")
        case "enable_replication" where context.has(38):
            try await refuseReplication(id, context, "group:enable_replication")
        case "disable_replication" where context.has(38):
            try await refuseReplication(id, context, "group:disable_replication")
        case "failover_replication" where context.has(38):
            try await refuseReplication(id, context, "group:failover_replication")
        case "list_replication_targets" where context.has(38):
            _ = try await groups.group(id, for: context, as: "group:list_replication_targets")
            try ObjectReader(value, path: name).finish()
            return .object { $0.array("replication_targets") { _ in } }
        default:
            _ = try await groups.group(id, for: context, as: "group:get")
            throw APIRequest.noSuchAction(name)
        }
        return HTTPResponse(status: 202)
    }

    /// No backend here replicates, so no group's type asks for it.
    private func refuseReplication(_ id: VolumeGroupID, _ context: CallContext, _ policy: PolicyName) async throws {
        _ = try await groups.group(id, for: context, as: policy)
        throw CloudError.badRequest(
            "Invalid group type: Group \(id) is not a replication group type.", kind: "InvalidGroupType")
    }
}
