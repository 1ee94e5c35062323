// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /v3/{project_id}/volumes
struct VolumeRoutes: Sendable {
    let volumes: VolumeEngine
    let backups: VolumeBackupEngine

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/volumes", policy: "volume:get_all", index)
        routes.add(.get, "/volumes/detail", policy: "volume:get_all", detail)
        routes.add(.get, "/volumes/summary", policy: "volume:get_all", versions: versions(12), summary)
        routes.add(.post, "/volumes", policy: "volume:create", create)
        routes.add(.get, "/volumes/{volume_id}", object: "volume:get", show)
        routes.add(.put, "/volumes/{volume_id}", object: "volume:update", update)
        routes.add(.delete, "/volumes/{volume_id}", object: "volume:delete", delete)
    }

    // MARK: List

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: false)
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: true)
    }

    private func list(_ request: APIRequest, _ context: CallContext, isDetailed: Bool) async throws -> HTTPResponse {
        let wanted = try VolumeListReader(request: request, context: context)
            .read(maximum: volumes.parts.config.maximumPage)
        let page = try await volumes.list(
            wanted.query, isDetailed: isDetailed, isCounted: wanted.isCounted, for: context)
        let view = VolumeView(request, context, page)
        return .object(capacity: page.volumes.count * (isDetailed ? 1400 : 300) + 256) { writer in
            writer.array("volumes") { writer in
                for volume in page.volumes {
                    if isDetailed { view.detail(&writer, volume) } else { view.summary(&writer, volume) }
                }
            }
            request.links.next(
                &writer, "volumes_links", isDetailed ? "volumes/detail" : "volumes", after: page.volumes,
                limit: wanted.query.limit, \.id)
            if let count = page.count { writer.field("count", count) }
        }
    }

    private func summary(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let wanted = try VolumeListReader(request: request, context: context)
            .read(maximum: volumes.parts.config.maximumPage, isPaged: false)
        let summary = try await volumes.summary(wanted.query, for: context)
        return .object { writer in
            writer.object("volume-summary") { writer in
                writer.field("total_count", summary.count)
                writer.field("total_size", summary.sizeGiB)
                guard context.has(36) else { return }
                writer.object("metadata") { writer in
                    for (key, values) in summary.metadata.sorted(by: { $0.key < $1.key }) {
                        writer.key(dynamic: key)
                        writer.beginArray()
                        for value in values { writer.value(value) }
                        writer.endArray()
                    }
                }
            }
        }
    }

    // MARK: One

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let volume = try await volumes.volume(request.id("volume_id"), for: context)
        return try await answer(200, volume, request, context)
    }

    private func answer(
        _ status: Int, _ volume: Volume, _ request: APIRequest, _ context: CallContext
    ) async throws -> HTTPResponse {
        let view = VolumeView(
            request, context, try await volumes.page(of: volume), isRead: request.http.method == .get)
        return .object(status, capacity: 2048) { writer in
            writer.key("volume")
            view.detail(&writer, volume)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let wanted = try VolumeDraftReader(context).read(try await request.json())
        let volume: Volume
        if let backup = wanted.backup {
            volume = try await createFromBackup(backup, wanted.draft, context)
        } else {
            volume = try await volumes.create(wanted.draft, for: context)
        }
        return try await answer(202, volume, request, context)
    }

    /// 3.47: a blank volume as large as the backup, which is written over at once.
    private func createFromBackup(
        _ id: VolumeBackupID, _ draft: VolumeDraft, _ context: CallContext
    ) async throws -> Volume {
        let reader = context.acting(as: "backup:get")
        guard let backup = try await backups.backup(id, for: reader).backups.first else {
            throw CloudError.notFound("Backup \(id) could not be found.", kind: "BackupNotFound")
        }
        guard backup.status == .available else {
            throw CloudError.badRequest(
                "Invalid backup: Originating backup status must be one of 'available' values", kind: "InvalidBackup")
        }
        if let size = draft.sizeGiB, size < backup.sizeGiB {
            throw VolumeErrors.invalidInput(
                "Volume size \(size)GB cannot be smaller than the backup size \(backup.sizeGiB)GB. It must be >= backup "
                    + "size.")
        }
        var draft = draft
        draft.sizeGiB = draft.sizeGiB ?? backup.sizeGiB
        let volume = try await volumes.create(draft, for: context)
        try await volumes.settled(volume)
        _ = try await backups.restore(id, into: volume.id, name: nil, for: context.acting(as: "backup:restore"))
        return try await volumes.volume(volume.id, for: context, as: "volume:get")
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("volume", in: try await request.json())
        let name = try VolumeWire.text(&reader, "name", "display_name")
        let description = try VolumeWire.text(&reader, "description", "display_description")
        let metadata = try VolumeWire.metadata(&reader)
        try reader.finish()
        guard !context.has(53) || name != nil || description != nil || metadata != nil else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute volume. Value: {}. {} is not valid under any of the given schemas")
        }
        let id = request.id("volume_id", VolumeTag.self)
        let volume = try await volumes.edit(id, for: context) { volume in
            guard volume.status != .maintenance else {
                throw VolumeErrors.invalidVolume("The volume cannot be updated during maintenance.")
            }
            if let name { volume.name = name }
            if let description { volume.description = description }
            if let metadata { volume.metadata = metadata }
        }
        return try await answer(200, volume, request, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = request.id("volume_id", VolumeTag.self)
        let cascades = try request.queryBool("cascade") ?? false
        let isForced = try context.has(23) && (request.queryBool("force") ?? false)
        if isForced { _ = try await volumes.volume(id, for: context, as: "volume:force_delete") }
        try await volumes.delete(id, .init(isForced: isForced, deletesSnapshots: cascades), for: context)
        return HTTPResponse(status: 202)
    }
}
