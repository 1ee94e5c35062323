// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import PolicyKit

/// Volumes as the API shows them (cinder: api/v3/views/volumes.py).
struct VolumeView {
    let request: APIRequest
    let context: CallContext
    let page: VolumeEngine.Page
    /// The answers of a create and an update leave out what upstream's extensions add to a read.
    private let isRead: Bool
    private let isAdministrator: Bool
    private let seesHosts: Bool

    init(_ request: APIRequest, _ context: CallContext, _ page: VolumeEngine.Page, isRead: Bool = true) {
        self.isRead = isRead
        self.request = request
        self.context = context
        self.page = page
        isAdministrator = context.isAdmin
        seesHosts = context.isAdminOrService
    }

    func summary(_ writer: inout JSONWriter, _ volume: Volume) {
        writer.beginObject()
        writer.field("id", volume.id)
        writer.field("name", volume.name)
        request.links.write(&writer, "volumes/\(volume.id)")
        writer.endObject()
    }

    func detail(_ writer: inout JSONWriter, _ volume: Volume) {
        writer.beginObject()
        writer.field("id", volume.id)
        writer.field("status", Self.status(volume.status))
        writer.field("size", volume.sizeGiB)
        writer.field("availability_zone", volume.zone)
        writer.field("created_at", BlockStorageWords.time(volume.createdAt))
        writer.field("updated_at", BlockStorageWords.time(volume.updatedAt))
        writer.field("name", volume.name)
        writer.field("description", volume.description)
        writer.field("volume_type", page.typeNames[volume.typeID])
        writer.field("snapshot_id", volume.snapshotID)
        writer.field("source_volid", volume.sourceVolumeID)
        writer.field("metadata", metadata(volume))
        request.links.write(&writer, "volumes/\(volume.id)")
        writer.field("user_id", volume.userID)
        writer.field("bootable", volume.isBootable ? "true" : "false")
        writer.field("encrypted", volume.keyID != nil)
        writer.nullField("replication_status")
        let isConsistent = volume.groupID.map { page.consistencyGroups.contains($0) } ?? false
        writer.field("consistencygroup_id", isConsistent ? volume.groupID : nil)
        writer.field("multiattach", volume.isMultiattach)
        attachments(&writer, volume)
        if isAdministrator { writer.field("migration_status", volume.migration) }
        if isRead { extensions(&writer, volume) }
        newer(&writer, volume)
        writer.endObject()
    }

    private func extensions(_ writer: inout JSONWriter, _ volume: Volume) {
        if isAdministrator {
            writer.field("os-vol-host-attr:host", volume.host)
            writer.field("os-vol-mig-status-attr:migstat", volume.migration)
            writer.nullField("os-vol-mig-status-attr:name_id")
        }
        if context.allows("volume_extension:volume_tenant_attribute", PolicyTarget(project: volume.projectID)) {
            writer.field("os-vol-tenant-attr:tenant_id", volume.projectID)
        }
        if !volume.imageMetadata.isEmpty { writer.field("volume_image_metadata", volume.imageMetadata) }
    }

    /// What microversions have added.
    private func newer(_ writer: inout JSONWriter, _ volume: Volume) {
        if context.has(13) { writer.field("group_id", volume.groupID) }
        if context.has(21), isAdministrator { writer.nullField("provider_id") }
        if context.has(48) {
            writer.field("shared_targets", false)
            writer.field("service_uuid", volume.backend.flatMap { page.serviceIDs[$0] })
        }
        if context.has(61), isAdministrator { writer.nullField("cluster_name") }
        if context.has(63) { writer.field("volume_type_id", volume.typeID) }
        if context.has(64), let key = volume.keyID { writer.field("encryption_key_id", key) }
        if context.has(65) { writer.field("consumes_quota", true) }
    }

    /// Users are told nothing of volumes that an administrator takes over (cinder: `_get_volume_status`).
    private static func status(_ status: VolumeStatus) -> String {
        switch status {
        case .managing: "creating"
        case .errorManaging: "error"
        default: status.rawValue
        }
    }

    private func metadata(_ volume: Volume) -> [String: String] {
        var metadata = volume.metadata
        if let readOnly = volume.readOnly { metadata["readonly"] = readOnly ? "True" : "False" }
        if let mode = (page.attachments[volume.id] ?? []).last(where: { $0.status == .attached })?.mode {
            metadata["attached_mode"] = mode
        }
        return metadata
    }

    private func attachments(_ writer: inout JSONWriter, _ volume: Volume) {
        writer.array("attachments") { writer in
            for attachment in page.attachments[volume.id] ?? []
            where attachment.status == .attached || attachment.status == .detaching {
                writer.beginObject()
                writer.field("id", volume.id)
                writer.field("attachment_id", attachment.id)
                writer.field("volume_id", volume.id)
                writer.field("server_id", attachment.server)
                writer.field("host_name", seesHosts ? attachment.host : nil)
                writer.field("device", attachment.device)
                writer.field("attached_at", BlockStorageWords.time(attachment.attachedAt))
                writer.endObject()
            }
        }
    }
}
