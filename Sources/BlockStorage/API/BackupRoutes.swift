// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /backups
struct BackupRoutes: Sendable {
    /// What a record of a long chain with its metadata may have.
    private static let recordLength = 1...1_000_000
    let backups: VolumeBackupEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        let one = "/backups/{backup_id}"
        routes.add(.get, "/backups", policy: "backup:get_all") { try await list($0, $1, false) }
        routes.add(.get, "/backups/detail", policy: "backup:get_all") { try await list($0, $1, true) }
        routes.add(.post, "/backups", object: "backup:create", create)
        routes.add(.post, "/backups/import_record", policy: "backup:backup-import", importRecord)
        routes.add(.get, one, object: "backup:get", show)
        routes.add(.put, one, object: "backup:update", versions: versions(9), update)
        routes.add(.delete, one, object: "backup:delete", delete)
        routes.add(.post, one + "/restore", object: "backup:restore", restore)
        routes.add(.get, one + "/export_record", object: "backup:export-import", exportRecord)
        routes.add(.post, one + "/action", object: "volume_extension:backup_admin_actions:reset_status", act)
    }

    // MARK: View

    private static func summary(_ writer: inout JSONWriter, _ backup: VolumeBackup, _ request: APIRequest) {
        writer.beginObject()
        writer.field("id", backup.id)
        writer.field("name", backup.name)
        request.links.write(&writer, "backups/\(backup.id)")
        writer.endObject()
    }

    private static func write(
        _ writer: inout JSONWriter, _ backup: VolumeBackup, hasChildren: Bool, _ request: APIRequest,
        _ context: CallContext
    ) {
        writer.beginObject()
        writer.field("id", backup.id)
        writer.field("status", backup.status.rawValue)
        writer.field("size", backup.sizeGiB)
        writer.field("object_count", backup.objectCount)
        writer.field("availability_zone", backup.zone)
        writer.field("container", backup.container)
        writer.field("created_at", BlockStorageWords.time(backup.createdAt))
        writer.field("updated_at", BlockStorageWords.time(backup.updatedAt))
        writer.field("name", backup.name)
        writer.field("description", backup.description)
        writer.field("fail_reason", backup.failReason)
        writer.field("volume_id", backup.volumeID)
        request.links.write(&writer, "backups/\(backup.id)")
        writer.field("is_incremental", backup.parentID != nil)
        writer.field("has_dependent_backups", hasChildren)
        writer.field("snapshot_id", backup.snapshotID)
        writer.field("data_timestamp", BlockStorageWords.time(backup.dataTimestamp))
        if context.has(43) { writer.field("metadata", backup.metadata) }
        if context.has(64) { writer.field("encryption_key_id", backup.keyID) }
        let target = PolicyTarget(project: context.projectID)
        if context.has(18), context.allows("backup:backup_project_attribute", target) {
            writer.field("os-backup-project-attr:project_id", backup.projectID)
            if context.has(56) { writer.field("user_id", backup.userID) }
        }
        writer.endObject()
    }

    private static func accepted(_ status: Int, _ backup: VolumeBackup, _ request: APIRequest) -> HTTPResponse {
        .object(status) { writer in
            writer.key("backup")
            summary(&writer, backup, request)
        }
    }

    // MARK: Read

    private func list(_ request: APIRequest, _ context: CallContext, _ isDetailed: Bool) async throws -> HTTPResponse {
        let reader = ResourceListReader("backup", maximum: maximumPage, request, context)
        let page = try reader.page()
        let filter = try reader.filter(oldFilters: ["name", "status", "volume_id"])
        let isCounted = context.has(45) ? try BlockStorageWords.bool(request, "with_count") : false
        let found = try await backups.list(filter, page, isCounted: isCounted)
        return .object(capacity: found.backups.count * 700 + 128) { writer in
            writer.array("backups") { writer in
                for backup in found.backups {
                    if isDetailed {
                        Self.write(
                            &writer, backup, hasChildren: found.parents.contains(backup.id), request, context)
                    } else {
                        Self.summary(&writer, backup, request)
                    }
                }
            }
            request.links.next(
                &writer, "backups_links", isDetailed ? "backups/detail" : "backups", after: found.backups,
                limit: page.limit, \.id)
            if let count = found.count { writer.field("count", count) }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await backups.backup(request.id("backup_id"), for: context)
        return .object { writer in
            writer.key("backup")
            for backup in found.backups {
                Self.write(&writer, backup, hasChildren: found.parents.contains(backup.id), request, context)
            }
        }
    }

    // MARK: Write

    private static func uuid(_ reader: inout ObjectReader, _ key: String) throws -> String? {
        guard let text = try reader.nullableString(key).flatMap({ $0 }) else { return nil }
        guard UUIDText.isUUID(text) else { throw reader.invalid(key, .string(text), "is not a 'uuid'") }
        return text
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("backup", in: try await request.json())
        guard let volume = try Self.uuid(&reader, "volume_id") else { throw reader.missing("volume_id") }
        var draft = VolumeBackupEngine.Draft(volume: VolumeID(volume))
        draft.snapshot = try Self.uuid(&reader, "snapshot_id").map { VolumeSnapshotID($0) }
        draft.name = try BlockStorageWords.text(&reader, "name").map(BlockStorageWords.trimmed)
        draft.description = try BlockStorageWords.text(&reader, "description").map(BlockStorageWords.trimmed)
        draft.container = try BlockStorageWords.text(&reader, "container")
        draft.isIncremental = try reader.looseBool("incremental") ?? false
        draft.isForced = try reader.looseBool("force") ?? false
        if context.has(43), let value = reader.value("metadata"), !value.isNull {
            draft.metadata = try BlockStorageWords.specs(value, "metadata")
        }
        if context.has(51) { draft.zone = try BlockStorageWords.text(&reader, "availability_zone") }
        try reader.finish()
        return Self.accepted(202, try await backups.create(draft, for: context), request)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        var change = VolumeBackupEngine.Change()
        if body["backup"]?.isNull == false || body["backup"] == nil {
            var reader = try ObjectReader.envelope("backup", in: body)
            change.name = try reader.nullableString("name").map { $0.map(BlockStorageWords.trimmed) }
            change.description = try reader.nullableString("description").map { $0.map(BlockStorageWords.trimmed) }
            if context.has(43), let value = reader.value("metadata") {
                change.metadata = try BlockStorageWords.specs(value, "metadata")
            }
            try reader.finish()
        }
        return Self.accepted(200, try await backups.update(request.id("backup_id"), change, for: context), request)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await backups.delete(request.id("backup_id"), isForced: false, for: context)
        return HTTPResponse(status: 202)
    }

    private func restore(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        var (volume, name): (VolumeID?, String?) = (nil, nil)
        if body["restore"]?.isNull == false || body["restore"] == nil {
            var reader = try ObjectReader.envelope("restore", in: body)
            volume = try Self.uuid(&reader, "volume_id").map { VolumeID($0) }
            name = try BlockStorageWords.text(&reader, "name")
            try reader.finish()
        }
        let restoration = try await backups.restore(
            request.id("backup_id"), into: volume, name: name, for: context)
        return .object(202) { writer in
            writer.object("restore") { writer in
                writer.field("backup_id", restoration.backup)
                writer.field("volume_id", restoration.volume)
                writer.field("volume_name", restoration.volumeName)
            }
        }
    }

    // MARK: Records

    private func exportRecord(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let record = try await backups.export(request.id("backup_id"), for: context)
        return .object { writer in
            writer.object("backup-record") { writer in
                writer.field("backup_service", record.service)
                writer.field("backup_url", record.url)
            }
        }
    }

    private func importRecord(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("backup-record", in: try await request.json())
        let service = try reader.requiredString("backup_service")
        let url = try reader.requiredString("backup_url", Self.recordLength)
        try reader.finish()
        let backup = try await backups.importRecord(.init(service: service, url: url), for: context)
        return Self.accepted(201, backup, request)
    }

    // MARK: Actions

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (name, value) = try await request.action()
        let id: VolumeBackupID = request.id("backup_id")
        switch name {
        case "os-reset_status":
            var reader = try ObjectReader(value, path: name)
            let word = try reader.requiredString("status").lowercased()
            guard let status = VolumeBackupStatus(rawValue: word) else {
                throw reader.invalid("status", .string(word), "is not a 'backup_status'")
            }
            try reader.finish()
            try await backups.resetStatus(
                id, status, for: context, as: "volume_extension:backup_admin_actions:reset_status")
        case "os-force_delete":
            try await backups.delete(
                id, isForced: true, for: context, as: "volume_extension:backup_admin_actions:force_delete")
        default:
            _ = try await backups.backup(id, for: context)
            throw APIRequest.noSuchAction(name)
        }
        return HTTPResponse(status: 202)
    }
}
