// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import PolicyKit

/// Reads the body that asks for a new volume (cinder: api/schemas/volumes.py, `create`).
struct VolumeDraftReader {
    private let context: CallContext

    init(_ context: CallContext) { self.context = context }

    struct Wanted {
        var draft: VolumeDraft
        var backup: VolumeBackupID?
    }

    func read(_ body: JSON) throws -> Wanted {
        var envelope = try ObjectReader(body, path: "")
        let hints = envelope.value("OS-SCH-HNT:scheduler_hints")
        guard envelope.has("volume"), var reader = try envelope.object("volume", allowsUnknown: !context.has(53)) else {
            throw CloudError.badRequest("Invalid input for field/attribute body. 'volume' is a required property")
        }
        try envelope.finish()
        var draft = VolumeDraft()
        draft.name = try VolumeWire.text(&reader, "name", "display_name") ?? nil
        draft.description = try VolumeWire.text(&reader, "description", "display_description") ?? nil
        draft.sizeGiB = try VolumeWire.size(&reader, "size")
        draft.type = try (reader.nullableString("volume_type") ?? nil).flatMap { $0.isEmpty ? nil : $0 }
        draft.zone = try (reader.nullableString("availability_zone") ?? nil).flatMap { $0.isEmpty ? nil : $0 }
        draft.metadata = try VolumeWire.metadata(&reader) ?? [:]
        let group = try VolumeWire.uuid(&reader, "consistencygroup_id")
        let newGroup = context.has(13) ? try VolumeWire.uuid(&reader, "group_id") : nil
        draft.groupID = (newGroup ?? group).map { VolumeGroupID($0) }
        if try reader.looseBool("multiattach") ?? false {
            throw CloudError.badRequest(
                "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume "
                    + "types. Contact your administrator to create a multiattach enabled volume type and use it to "
                    + "create multiattach volumes.")
        }
        draft.hints = try readHints(hints ?? reader.value("scheduler_hints"))
        let backup = context.has(47) ? try VolumeWire.uuid(&reader, "backup_id") : nil
        draft.source = try source(&reader, hasBackup: backup != nil)
        // Sent by old clients, and without a meaning since.
        for name in ["status", "attach_status", "user_id", "project_id", "source_replica"] { _ = reader.value(name) }
        try reader.finish()
        return Wanted(draft: draft, backup: backup.map { VolumeBackupID($0) })
    }

    private func source(_ reader: inout ObjectReader, hasBackup: Bool) throws -> VolumeDraft.Source {
        let snapshot = try VolumeWire.uuid(&reader, "snapshot_id")
        let volume = try VolumeWire.uuid(&reader, "source_volid")
        let image = try reader.nullableString("imageRef") ?? nil
        let imageID = try reader.nullableString("image_id") ?? nil
        let reference = (imageID ?? image).flatMap { $0.isEmpty ? nil : $0 }
        let count = [snapshot != nil, volume != nil, reference != nil, hasBackup].count { $0 }
        guard count < 2 else {
            throw VolumeErrors.invalidInput("May specify only one of snapshot, imageRef, source_volume or backup")
        }
        if let snapshot { return .snapshot(VolumeSnapshotID(snapshot)) }
        if let volume { return .volume(VolumeID(volume)) }
        return reference.map { .image($0) } ?? .blank
    }

    private func readHints(_ json: JSON?) throws -> VolumeHints {
        guard let json, !json.isNull else { return VolumeHints() }
        var reader = try ObjectReader(json, path: "OS-SCH-HNT:scheduler_hints", allowsUnknown: true)
        func volumes(_ name: String) throws -> [VolumeID] {
            let ids: [JSON]
            switch reader.value(name) {
            case .string(let id)?: ids = [.string(id)]
            case .array(let list)?: ids = list
            case nil, .null?: ids = []
            case let other?: throw reader.invalid(name, other, "is not of type 'string', 'array'")
            }
            return try ids.map { id in
                guard let text = id.string, UUIDText.isUUID(text) else {
                    throw reader.invalid(name, id, "is not a 'uuid'")
                }
                return VolumeID(text)
            }
        }
        var hints = VolumeHints()
        hints.sameHost = try volumes("same_host")
        hints.differentHost = try volumes("different_host")
        return hints
    }
}
