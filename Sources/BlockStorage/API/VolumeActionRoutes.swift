// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import ImageContract
import PolicyKit

/// /v3/{project_id}/volumes/{volume_id}/action. The body's one key names the action, and each has its own rule.
struct VolumeActionRoutes: Sendable {
    let volumes: VolumeEngine
    let attachments: VolumeAttachmentEngine

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.post, "/volumes/{volume_id}/action", object: "volume:get", act)
    }

    /// The rule of each action (cinder: policies/volume_actions.py).
    private static let policies: [String: PolicyName] = [
        "os-extend": "volume:extend",
        "os-reset_status": "volume_extension:volume_admin_actions:reset_status",
        "os-force_delete": "volume_extension:volume_admin_actions:force_delete",
        "os-force_detach": "volume_extension:volume_admin_actions:force_detach",
        "os-migrate_volume": "volume_extension:volume_admin_actions:migrate_volume",
        "os-migrate_volume_completion": "volume_extension:volume_admin_actions:migrate_volume_completion",
        "os-extend_volume_completion": "volume_extension:volume_admin_actions:extend_volume_completion",
        "os-set_bootable": "volume:update",
        "os-update_readonly_flag": "volume:update_readonly_flag",
        "os-reserve": "volume_extension:volume_actions:reserve",
        "os-unreserve": "volume_extension:volume_actions:unreserve",
        "os-begin_detaching": "volume_extension:volume_actions:begin_detaching",
        "os-roll_detaching": "volume_extension:volume_actions:roll_detaching",
        "os-attach": "volume_extension:volume_actions:attach",
        "os-detach": "volume_extension:volume_actions:detach",
        "os-initialize_connection": "volume_extension:volume_actions:initialize_connection",
        "os-terminate_connection": "volume_extension:volume_actions:terminate_connection",
        "os-volume_upload_image": "volume_extension:volume_actions:upload_image",
        "os-retype": "volume:retype",
        "os-unmanage": "volume_extension:volume_unmanage",
        "os-set_image_metadata": "volume_extension:volume_image_metadata:set",
        "os-show_image_metadata": "volume_extension:volume_image_metadata:show",
        "os-unset_image_metadata": "volume_extension:volume_image_metadata:remove",
        "os-reimage": "volume:reimage",
        "revert": "volume:revert_to_snapshot",
    ]

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        let id = request.id("volume_id", VolumeTag.self)
        guard case .object(let fields) = body, let name = fields.keys.first, fields.count == 1,
            let policy = Self.policies[name], isKnown(name, context)
        else {
            // The object is asked for first, so that an unknown action tells nothing of a foreign volume.
            _ = try await volumes.volume(id, for: context)
            throw CloudError.badRequest("There is no such action: \(Self.names(body))")
        }
        let (value, context) = (fields[name] ?? .null, context.acting(as: policy))
        if let response = try await answer(name, value, id, context) { return response }
        try await perform(name, value, id, context)
        return HTTPResponse(status: 202)
    }

    private func isKnown(_ name: String, _ context: CallContext) -> Bool {
        switch name {
        case "revert": context.has(40)
        case "os-reimage": context.has(68)
        case "os-extend_volume_completion": context.has(71)
        default: true
        }
    }

    private static func names(_ body: JSON) -> String {
        body.object.map { $0.keys.sorted().map { String($0.prefix(64)) }.joined(separator: ", ") } ?? ""
    }

    // MARK: With an answer

    private func answer(
        _ name: String, _ value: JSON, _ id: VolumeID, _ context: CallContext
    ) async throws -> HTTPResponse? {
        switch name {
        case "os-volume_upload_image": return try await upload(value, id, context)
        case "os-initialize_connection":
            let connector = try ConnectorReader.read(try Self.connector(value, name), isFull: true)
            let connection = try await attachments.initialize(id, connector, for: context)
            return .object { writer in
                writer.object("connection_info") { writer in
                    ConnectionView.classic(&writer, connection, for: context)
                }
            }
        case "os-set_bootable":
            var reader = try ObjectReader(value, path: name)
            guard let isBootable = try reader.looseBool("bootable") else { throw reader.missing("bootable") }
            try reader.finish()
            try await volumes.edit(id, for: context) { $0.isBootable = isBootable }
            return HTTPResponse(status: 200)
        case "os-set_image_metadata":
            var reader = try ObjectReader(value, path: name)
            guard let metadata = try VolumeWire.metadata(&reader) else { throw reader.missing("metadata") }
            try reader.finish()
            let volume = try await volumes.edit(id, for: context) { volume in
                volume.imageMetadata.merge(metadata) { _, new in new }
            }
            return .object { $0.field("metadata", volume.imageMetadata) }
        case "os-show_image_metadata":
            let volume = try await volumes.volume(id, for: context)
            return .object { $0.field("metadata", volume.imageMetadata) }
        case "os-unset_image_metadata":
            var reader = try ObjectReader(value, path: name)
            let key = try reader.requiredString("key", 1...255)
            try reader.finish()
            try await volumes.edit(id, for: context) { volume in
                guard volume.imageMetadata.removeValue(forKey: key) != nil else {
                    throw CloudError.notFound(
                        "Glance metadata for volume/snapshot \(id) cannot be found.", kind: "GlanceMetadataNotFound")
                }
            }
            return HTTPResponse(status: 200)
        default: return nil
        }
    }

    private func upload(_ value: JSON, _ id: VolumeID, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(value, path: "os-volume_upload_image")
        var draft = ImageUploadDraft(name: try reader.requiredString("image_name", 1...255))
        draft.diskFormat = try reader.string("disk_format") ?? "raw"
        draft.containerFormat = (try reader.nullableString("container_format") ?? nil) ?? "bare"
        draft.visibility = "shared"
        let isForced = try reader.looseBool("force") ?? false
        if context.has(1) {
            draft.visibility = try reader.string("visibility") ?? "private"
            guard ["community", "public", "private", "shared"].contains(draft.visibility) else {
                throw reader.invalid(
                    "visibility", .string(draft.visibility),
                    "is not one of ['community', 'public', 'private', 'shared']")
            }
            draft.isProtected = try reader.looseBool("protected") ?? false
            if draft.visibility == "public" {
                try context.authorize(
                    PolicyTarget(project: context.projectID), as: "volume_extension:volume_actions:upload_public")
            }
        }
        try reader.finish()
        let (volume, image) = try await volumes.upload(id, .init(image: draft, isForced: isForced), for: context)
        let type = try await volumes.page(of: volume).typeNames[volume.typeID]
        return .object(202) { writer in
            writer.object("os-volume_upload_image") { writer in
                writer.field("id", volume.id)
                writer.field("updated_at", BlockStorageWords.time(volume.updatedAt))
                writer.field("status", "uploading")
                writer.field("display_description", volume.description)
                writer.field("size", volume.sizeGiB)
                writer.object("volume_type") { writer in
                    writer.field("id", volume.typeID)
                    writer.field("name", type)
                }
                writer.field("image_id", image.id)
                writer.field("container_format", draft.containerFormat)
                writer.field("disk_format", draft.diskFormat)
                writer.field("image_name", draft.name)
                writer.field("protected", draft.isProtected)
                writer.field("visibility", draft.visibility)
            }
        }
    }

    // MARK: Without

    private func perform(_ name: String, _ value: JSON, _ id: VolumeID, _ context: CallContext) async throws {
        switch name {
        case "os-extend":
            var reader = try ObjectReader(value, path: name)
            guard let size = try VolumeWire.size(&reader, "new_size") else { throw reader.missing("new_size") }
            try reader.finish()
            try await volumes.extend(id, to: size, allowsInUse: context.has(42), for: context)
        case "os-reset_status": try await volumes.reset(id, try Self.reset(value), for: context)
        case "os-force_delete":
            try await volumes.delete(id, .init(isForced: true), for: context)
        case "os-migrate_volume": try await migrate(value, id, context)
        case "os-migrate_volume_completion", "os-extend_volume_completion":
            _ = try await volumes.volume(id, for: context)
            // Both are steps of upstream's own conversation between its services.
            throw VolumeErrors.invalidVolume(
                name == "os-migrate_volume_completion"
                    ? "Source volume not mid-migration." : "Volume is not being extended.")
        case "os-update_readonly_flag":
            var reader = try ObjectReader(value, path: name)
            guard let isReadOnly = try reader.looseBool("readonly") else { throw reader.missing("readonly") }
            try reader.finish()
            try await volumes.setReadOnly(id, isReadOnly, for: context)
        case "os-reserve": try await attachments.reserve(id, for: context)
        case "os-unreserve": try await attachments.unreserve(id, for: context)
        case "os-begin_detaching": try await attachments.beginDetaching(id, for: context)
        case "os-roll_detaching": try await attachments.rollDetaching(id, for: context)
        case "os-attach": try await attachments.attach(id, try Self.attach(value), for: context)
        case "os-detach", "os-force_detach": try await detach(name, value, id, context)
        case "os-terminate_connection":
            let connector = try ConnectorReader.read(try Self.connector(value, name), isFull: false)
            try await attachments.terminate(id, connector, for: context)
        case "os-retype": try await retype(value, id, context)
        case "os-unmanage": try await volumes.delete(id, .init(isUnmanaged: true), for: context)
        case "os-reimage":
            var reader = try ObjectReader(value, path: name)
            let image = try reader.requiredString("image_id", 1...255)
            let allowsReserved = try reader.looseBool("reimage_reserved") ?? false
            try reader.finish()
            try await volumes.reimage(id, from: image, allowsReserved: allowsReserved, for: context)
        default:
            var reader = try ObjectReader(value, path: name, allowsUnknown: true)
            let snapshot = try reader.nullableString("snapshot_id") ?? nil
            try await volumes.revert(id, to: snapshot.map { VolumeSnapshotID($0) }, for: context)
        }
    }

    private func migrate(_ value: JSON, _ id: VolumeID, _ context: CallContext) async throws {
        var reader = try ObjectReader(value, path: "os-migrate_volume")
        let host = try reader.nullableString("host") ?? nil
        let cluster = context.has(16) ? try reader.nullableString("cluster") ?? nil : nil
        _ = try reader.looseBool("force_host_copy")
        // A volume that is moved is locked for its owner meanwhile, asked for or not: it is copied as it is.
        _ = try reader.looseBool("lock_volume")
        try reader.finish()
        guard let host, cluster == nil else {
            throw VolumeErrors.invalidInput(
                context.has(16) ? "One and only one of cluster and host must be set." : "Host field is missing.")
        }
        try await volumes.migrate(id, to: host, for: context)
    }

    private func retype(_ value: JSON, _ id: VolumeID, _ context: CallContext) async throws {
        var reader = try ObjectReader(value, path: "os-retype")
        let type = try reader.requiredString("new_type", 1...255)
        let policy = (try reader.nullableString("migration_policy") ?? nil) ?? "never"
        guard policy == "never" || policy == "on-demand" else {
            throw reader.invalid("migration_policy", .string(policy), "is not one of ['on-demand', 'never']")
        }
        try reader.finish()
        try await volumes.retype(id, to: type, mayMigrate: policy == "on-demand", for: context)
    }

    private func detach(_ name: String, _ value: JSON, _ id: VolumeID, _ context: CallContext) async throws {
        var attachment: VolumeAttachmentID?
        if !value.isNull {
            var reader = try ObjectReader(value, path: name)
            attachment = try VolumeWire.uuid(&reader, "attachment_id").map { VolumeAttachmentID($0) }
            if name == "os-force_detach" { _ = reader.value("connector") }
            try reader.finish()
        }
        try await attachments.detach(id, attachment: attachment, for: context)
    }

    // MARK: Bodies

    private static func connector(_ value: JSON, _ name: String) throws -> JSON {
        var reader = try ObjectReader(value, path: name)
        guard let connector = reader.value("connector") else { throw reader.missing("connector") }
        try reader.finish()
        return connector
    }

    private static func attach(_ value: JSON) throws -> VolumeAttachmentEngine.Attach {
        var reader = try ObjectReader(value, path: "os-attach")
        let server = try VolumeWire.uuid(&reader, "instance_uuid")
        let host = try reader.string("host_name")
        let mode = try reader.string("mode") ?? "rw"
        let device = try reader.requiredString("mountpoint", 1...255)
        try reader.finish()
        guard mode == "rw" || mode == "ro" else {
            throw reader.invalid("mode", .string(mode), "is not one of ['rw', 'ro']")
        }
        guard server != nil || host != nil else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute os-attach. One of instance_uuid and host_name is required.")
        }
        return .init(server: server, host: host, device: device, mode: mode)
    }

    private static func reset(_ value: JSON) throws -> VolumeEngine.Reset {
        var reader = try ObjectReader(value, path: "os-reset_status")
        var reset = VolumeEngine.Reset()
        let status = (try reader.nullableString("status") ?? nil)?.lowercased()
        let attach = (try reader.nullableString("attach_status") ?? nil)?.lowercased()
        let migration = (try reader.nullableString("migration_status") ?? nil)?.lowercased()
        try reader.finish()
        guard status != nil || attach != nil || migration != nil else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute os-reset_status. Value: {}. {} is not valid under any of the given "
                    + "schemas")
        }
        if let status {
            if ["deleting", "detaching"].contains(status) {
                throw CloudError.badRequest("Cannot reset-state to \(status)")
            }
            guard let known = VolumeStatus(rawValue: status) else {
                throw reader.invalid("status", .string(status), "is not one of the statuses of volumes")
            }
            reset.status = known
        }
        if let attach {
            guard attach == "attached" || attach == "detached" else {
                throw reader.invalid("attach_status", .string(attach), "is not one of ['detached', 'attached']")
            }
            reset.isDetached = attach == "detached"
        }
        if let migration {
            let words = ["migrating", "error", "success", "completing", "none", "starting"]
            guard words.contains(migration) else {
                throw reader.invalid("migration_status", .string(migration), "is not one of \(words)")
            }
            reset.migration = .some(migration == "none" ? nil : migration)
        }
        return reset
    }
}
