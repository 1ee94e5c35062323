// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// Attachments as API callers know them: the attachments API, and the classic actions on volumes.
package struct VolumeAttachmentEngine: Sendable {
    package let parts: BlockStorageParts
    let lease: VolumeLease
    var stores: BlockStorageStores { parts.stores }

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        lease = VolumeLease(parts: parts, sagas: sagas)
    }

    // MARK: Load

    package func attachment(
        _ id: VolumeAttachmentID, for context: CallContext, as policy: PolicyName? = nil
    ) async throws -> VolumeAttachment {
        let stores = stores
        let attachment = try await parts.database.read { try stores.attachments.attachment(id, $0) }
        guard UUIDText.isUUID(id.rawValue), let attachment,
            context.sees(attachment.projectID)
        else { throw VolumeErrors.notFound(id) }
        try context.authorize(PolicyTarget(project: attachment.projectID), as: policy)
        return attachment
    }

    package func list(
        _ query: VolumeAttachmentStore.Query, for context: CallContext
    ) async throws -> [VolumeAttachment] {
        context.authorizeListing()
        let stores = stores
        var attachments = try await parts.database.read { try stores.attachments.list(query, $0) }
        if attachments.count > query.limit { attachments.removeLast() }
        return attachments
    }

    // MARK: Attachments API

    /// What a client says of its host, read.
    package struct Connector: Sendable {
        package var host: HostConnector
        /// As it was sent.
        package var text: String
        package var device: String?
        package var mode: String?
        package init(host: HostConnector, text: String, device: String?, mode: String?) {
            self.host = host
            self.text = text
            self.device = device
            self.mode = mode
        }
    }

    package func create(
        volume id: VolumeID, server: String?, connector: Connector?, mode: String?, for context: CallContext
    ) async throws -> VolumeAttachment {
        let (lease, stores, new) = (lease, stores, parts.ids.next(VolumeAttachmentTag.self))
        let attachment = try await parts.database.write { transaction in
            let volume = try VolumeEngine.load(id, context, nil, stores, transaction)
            if volume.isMultiattach, volume.status == .inUse, volume.isBootable {
                try context.authorize(VolumeEngine.target(volume), as: "volume:multiattach_bootable_volume")
            }
            return try lease.reserve(
                new, volume, server: server, mode: mode ?? connector?.mode ?? "rw", isComputes: false, transaction)
        }
        guard let connector else { return attachment }
        do {
            return try await connect(attachment.id, connector)
        } catch {
            try await lease.release(attachment.id)
            throw error
        }
    }

    package func update(
        _ id: VolumeAttachmentID, _ connector: Connector, for context: CallContext
    ) async throws -> VolumeAttachment {
        let attachment = try await attachment(id, for: context)
        guard attachment.status != .detaching else {
            throw VolumeErrors.invalidVolume("The attachment is being detached.")
        }
        try checkConnect(attachment, context)
        return try await connect(id, connector)
    }

    private func connect(_ id: VolumeAttachmentID, _ connector: Connector) async throws -> VolumeAttachment {
        _ = try await lease.connect(
            id, to: connector.host, shown: connector.text, device: connector.device, mode: connector.mode)
        let stores = stores
        guard let attachment = try await parts.database.read({ try stores.attachments.attachment(id, $0) }) else {
            throw VolumeErrors.notFound(id)
        }
        return attachment
    }

    package func complete(_ id: VolumeAttachmentID, for context: CallContext) async throws {
        _ = try await attachment(id, for: context)
        try await lease.complete(id, device: nil)
    }

    /// The attachments that the volume still has.
    package func delete(_ id: VolumeAttachmentID, for context: CallContext) async throws -> [VolumeAttachment] {
        let attachment = try await attachment(id, for: context)
        try await checkRelease(attachment, context)
        try await lease.release(id)
        let stores = stores
        return try await parts.database.read { try stores.attachments.attachments(of: attachment.volumeID, $0) }
    }

    /// The export to the host whose guest has the volume open is Compute's to change.
    func checkConnect(_ attachment: VolumeAttachment, _ context: CallContext) throws {
        guard attachment.isComputes, let server = attachment.server, !context.principal.hasRole("service") else { return }
        throw CloudError.conflict(
            "The volume is attached to instance \(server) by the Compute API, which alone may connect it elsewhere.",
            kind: "ConflictNovaUsingAttachment")
    }

    /// A guest that loses its disk behind its back writes to whatever comes next (CVE-2023-2088).
    func checkRelease(_ attachment: VolumeAttachment, _ context: CallContext) async throws {
        guard let server = attachment.server, attachment.connection != nil, !context.principal.hasRole("service") else {
            return
        }
        if let compute = parts.compute.service,
            try await compute.leasesHeld(among: [attachment.id.rawValue]).isEmpty
        {
            return
        }
        throw CloudError.conflict(
            "Detach volume from instance \(server) using the Compute API", kind: "ConflictNovaUsingAttachment")
    }
}
