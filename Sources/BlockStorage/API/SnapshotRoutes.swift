// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /v3/{project_id}/snapshots
struct SnapshotRoutes: Sendable {
    let snapshots: SnapshotEngine

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/snapshots", policy: "volume:get_all_snapshots", index)
        routes.add(.get, "/snapshots/detail", policy: "volume:get_all_snapshots", detail)
        routes.add(.post, "/snapshots", object: "volume:create_snapshot", create)
        routes.add(.get, "/snapshots/{snapshot_id}", object: "volume:get_snapshot", show)
        routes.add(.put, "/snapshots/{snapshot_id}", object: "volume:update_snapshot", update)
        routes.add(.delete, "/snapshots/{snapshot_id}", object: "volume:delete_snapshot", delete)
        routes.add(.post, "/snapshots/{snapshot_id}/action", object: "volume:get_snapshot", act)
        let metadata = "/snapshots/{snapshot_id}/metadata"
        routes.add(.get, metadata, object: "volume:get_snapshot_metadata", indexMetadata)
        routes.add(.post, metadata, object: "volume:update_snapshot_metadata", mergeMetadata)
        routes.add(.put, metadata, object: "volume:update_snapshot_metadata", replaceMetadata)
        routes.add(.get, metadata + "/{key}", object: "volume:get_snapshot_metadata", showMetadata)
        routes.add(.put, metadata + "/{key}", object: "volume:update_snapshot_metadata", setMetadata)
        routes.add(.delete, metadata + "/{key}", object: "volume:delete_snapshot_metadata", removeMetadata)
    }

    // MARK: List

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: false)
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: true)
    }

    private func list(_ request: APIRequest, _ context: CallContext, isDetailed: Bool) async throws -> HTTPResponse {
        let wanted = try SnapshotListReader(request: request, context: context)
            .read(maximum: snapshots.parts.config.maximumPage)
        let page = try await snapshots.list(wanted.query, isCounted: wanted.isCounted, for: context)
        return .object(capacity: page.snapshots.count * 600 + 256) { writer in
            writer.array("snapshots") { writer in
                for snapshot in page.snapshots { view(&writer, snapshot, context, isDetailed: isDetailed) }
            }
            request.links.next(
                &writer, "snapshots_links", isDetailed ? "snapshots/detail" : "snapshots", after: page.snapshots,
                limit: wanted.query.limit, \.id)
            if let count = page.count { writer.field("count", count) }
        }
    }

    /// cinder: api/views/snapshots.py, and contrib/extended_snapshot_attributes.py.
    private func view(
        _ writer: inout JSONWriter, _ snapshot: VolumeSnapshot, _ context: CallContext, isDetailed: Bool,
        isRead: Bool = true
    ) {
        writer.beginObject()
        writer.field("id", snapshot.id)
        writer.field("name", snapshot.name)
        writer.field("description", snapshot.description)
        writer.field("created_at", BlockStorageWords.time(snapshot.createdAt))
        writer.field("updated_at", BlockStorageWords.time(snapshot.updatedAt))
        writer.field("volume_id", snapshot.volumeID)
        writer.field("status", snapshot.status.rawValue)
        writer.field("size", snapshot.sizeGiB)
        writer.field("metadata", snapshot.metadata)
        if isDetailed {
            let target = PolicyTarget(project: snapshot.projectID)
            if isRead, context.allows("volume_extension:extended_snapshot_attributes", target) {
                writer.field("os-extended-snapshot-attributes:project_id", snapshot.projectID)
                writer.field("os-extended-snapshot-attributes:progress", "\(snapshot.progress)%")
            }
            if context.has(14) { writer.field("group_snapshot_id", snapshot.groupSnapshotID) }
            if context.has(41) { writer.field("user_id", snapshot.userID) }
            if context.has(65) { writer.field("consumes_quota", true) }
        }
        writer.endObject()
    }

    /// The answers of a create and an update leave out what upstream's extension adds to a read.
    func answer(
        _ status: Int, _ snapshot: VolumeSnapshot, _ context: CallContext, isRead: Bool = false
    ) -> HTTPResponse {
        .object(status) { writer in
            writer.key("snapshot")
            view(&writer, snapshot, context, isDetailed: true, isRead: isRead)
        }
    }

    // MARK: One

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        answer(200, try await snapshots.snapshot(request.id("snapshot_id"), for: context), context, isRead: true)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("snapshot", in: try await request.json())
        let name = try VolumeWire.text(&reader, "name", "display_name")
        let description = try reader.nullableString("description") ?? nil
        let metadata = try VolumeWire.metadata(&reader) ?? [:]
        guard reader.has("volume_id") else { throw reader.missing("volume_id") }
        let volume = try VolumeWire.uuid(&reader, "volume_id")
        let force = try reader.looseBool("force")
        try reader.finish()
        if context.has(66), force == false {
            throw CloudError.badRequest(
                "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, "
                    + "however, when the 'force' flag is passed with a value evaluating to True, it is silently "
                    + "ignored.")
        }
        guard let volume else { throw VolumeErrors.notFound(VolumeID("None")) }
        var draft = SnapshotEngine.Draft(
            volume: VolumeID(volume), allowsInUse: context.has(66) || (force ?? false))
        draft.name = name ?? nil
        draft.description = description.map(BlockStorageWords.trimmed)
        draft.metadata = metadata
        return answer(202, try await snapshots.create(draft, for: context), context)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("snapshot", in: try await request.json())
        let name = try VolumeWire.text(&reader, "name", "display_name")
        let description = try VolumeWire.text(&reader, "description", "display_description")
        try reader.finish()
        guard name != nil || description != nil else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute snapshot. Value: {}. {} is not valid under any of the given schemas")
        }
        let snapshot = try await snapshots.edit(request.id("snapshot_id"), for: context) { snapshot in
            if let name { snapshot.name = name }
            if let description { snapshot.description = description }
        }
        return answer(200, snapshot, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await snapshots.delete(request.id("snapshot_id"), isForced: false, for: context)
        return HTTPResponse(status: 202)
    }

    // MARK: Actions

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (name, value) = try await request.action()
        let id = request.id("snapshot_id", VolumeSnapshotTag.self)
        switch name {
        case "os-reset_status":
            var reader = try ObjectReader(value, path: name)
            let word = try reader.requiredString("status").lowercased()
            try reader.finish()
            guard let status = VolumeSnapshotStatus(rawValue: word) else {
                throw reader.invalid("status", .string(word), "is not one of the statuses of snapshots")
            }
            try await snapshots.reset(
                id, to: status, for: context.acting(as: "volume_extension:snapshot_admin_actions:reset_status"))
        case "os-force_delete":
            try await snapshots.delete(
                id, isForced: true,
                for: context.acting(as: "volume_extension:snapshot_admin_actions:force_delete"))
        case "os-update_snapshot_status":
            var reader = try ObjectReader(value, path: name)
            let status = try reader.requiredString("status")
            let progress = try Self.progress(&reader)
            try reader.finish()
            try await snapshots.setStatus(
                id, status, progress: progress,
                for: context.acting(as: "snapshot_extension:snapshot_actions:update_snapshot_status"))
        case "os-unmanage":
            try await snapshots.delete(
                id, isForced: false, isUnmanaged: true,
                for: context.acting(as: "snapshot_extension:snapshot_unmanage"))
        default:
            // The object is asked for first, so that an unknown action tells nothing of a foreign snapshot.
            _ = try await snapshots.snapshot(id, for: context)
            throw APIRequest.noSuchAction(name)
        }
        return HTTPResponse(status: 202)
    }

    /// `80%`.
    private static func progress(_ reader: inout ObjectReader) throws -> Int? {
        guard let text = try reader.nullableString("progress") ?? nil else { return nil }
        let digits = text.hasSuffix("%") ? text.dropLast() : text[...]
        guard let number = Int(digits), (0...100).contains(number) else {
            throw reader.invalid("progress", .string(text), "is not a percentage")
        }
        return number
    }

    // MARK: Metadata

    private func indexMetadata(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let snapshot = try await snapshots.snapshot(request.id("snapshot_id"), for: context)
        return .object { $0.field("metadata", snapshot.metadata) }
    }

    private func mergeMetadata(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await MetadataBody.map(request)
        let snapshot = try await snapshots.edit(request.id("snapshot_id"), for: context) {
            $0.metadata.merge(sent) { _, new in new }
        }
        return .object { $0.field("metadata", snapshot.metadata) }
    }

    private func replaceMetadata(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await MetadataBody.map(request)
        let snapshot = try await snapshots.edit(request.id("snapshot_id"), for: context) { $0.metadata = sent }
        return .object { $0.field("metadata", snapshot.metadata) }
    }

    private func showMetadata(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let key = request.parameter("key")
        let snapshot = try await snapshots.snapshot(request.id("snapshot_id"), for: context)
        guard let value = snapshot.metadata[key] else { throw Self.missing(snapshot.id, key) }
        return .object { $0.field("meta", [key: value]) }
    }

    private func setMetadata(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, value) = try await MetadataBody.item(request)
        try await snapshots.edit(request.id("snapshot_id"), for: context) { $0.metadata[key] = value }
        return .object { $0.field("meta", [key: value]) }
    }

    private func removeMetadata(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, id) = (request.parameter("key"), request.id("snapshot_id", VolumeSnapshotTag.self))
        try await snapshots.edit(id, for: context) { snapshot in
            guard snapshot.metadata.removeValue(forKey: key) != nil else { throw Self.missing(id, key) }
        }
        return HTTPResponse(status: 200)
    }

    private static func missing(_ id: VolumeSnapshotID, _ key: String) -> CloudError {
        .notFound(
            "Snapshot \(id) has no metadata with key \(key.prefix(255)).", kind: "SnapshotMetadataNotFound")
    }
}
