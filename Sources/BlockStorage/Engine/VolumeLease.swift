// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// The life of an attachment: reserved, exported to a host, used, closed, gone. Whoever asks has been authorized.
///
/// Every call may be repeated, and each leaves the volume's status as its attachments say.
struct VolumeLease: Sendable {
    let parts: BlockStorageParts
    let sagas: SagaRunner
    private var stores: BlockStorageStores { parts.stores }

    // MARK: Reserve

    /// In the caller's transaction. Throws what upstream answers when somebody else has the volume.
    func reserve(
        _ id: VolumeAttachmentID, _ volume: Volume, server: String?, mode: String, isComputes: Bool,
        _ transaction: any Transaction
    ) throws -> VolumeAttachment {
        if let attachment = try stores.attachments.attachment(id, transaction), attachment.volumeID == volume.id {
            return attachment
        }
        guard !volume.isDoomed else {
            throw VolumeErrors.invalidVolume("Volume \(volume.id) goes with the server that it was made for.")
        }
        let now = parts.clock.now()
        let others = try stores.attachments.attachments(of: volume.id, transaction)
        if let state = volume.state.after(.reserveRequested(isMultiattach: volume.isMultiattach)),
            volume.sagaRun == nil
        {
            guard try stores.volumes.move(volume, to: state, run: nil, at: now, transaction) else {
                throw Self.unreservable(volume)
            }
        } else {
            // A server that moves to another host reserves its volume for both (cinder: `_attachment_reserve`).
            let isOwn = isComputes && server != nil && others.contains { $0.server == server }
            guard isOwn, !volume.isMigrating, volume.status == .inUse || volume.status == .reserved else { throw Self.unreservable(volume) }
        }
        var attachment = VolumeAttachment(
            id: id, volume: volume, server: server, status: .reserved, mode: volume.isReadOnly ? "ro" : mode,
            createdAt: now)
        attachment.isComputes = isComputes
        try stores.attachments.insert(attachment, transaction)
        return attachment
    }

    private static func unreservable(_ volume: Volume) -> CloudError {
        if volume.status.isError {
            return VolumeErrors.invalidVolume(
                "Volume attachments can not be created if the volume is in an error state. The Volume \(volume.id) "
                    + "currently has a status of: \(volume.status.rawValue) ")
        }
        let allowed = volume.isMultiattach ? "available, in-use or downloading" : "available or downloading"
        return VolumeErrors.invalidVolume(
            "Volume \(volume.id) status must be \(allowed) to reserve, but the current status is "
                + "\(volume.status.rawValue).")
    }

    // MARK: Connect

    /// Exports the volume, and notes to whom.
    func connect(
        _ id: VolumeAttachmentID, to connector: HostConnector, shown: String? = nil, device: String? = nil,
        mode: String? = nil
    ) async throws -> VolumeConnection {
        let volumeID = try await attachment(id).volumeID
        return try await parts.withLock(volumeID, for: id.rawValue) {
            let attachment = try await self.attachment(id)
            guard let volume = try await parts.volume(volumeID), let host = volume.host else {
                throw VolumeErrors.notFound(volumeID)
            }
            guard !volume.status.isError else {
                throw CloudError.conflict(
                    "Resource conflict: Volume attachments can not be updated if the volume is in an error state. The "
                        + "Volume \(volume.id) currently has a status of: \(volume.status.rawValue) ",
                    kind: "ResourceConflict")
            }
            if let old = attachment.connector, old.host != connector.host {
                try await disconnect(attachment, volume)
            }
            let isReadOnly = (mode ?? attachment.mode) == "ro" || volume.isReadOnly
            // Noted first: an export of which no answer came is taken back with the lease all the same.
            try await amend(id) { attachment in
                if attachment.connector?.host != connector.host { attachment.connection = nil }
                attachment.connector = connector
                attachment.host = connector.host
            }
            let handle = try await parts.handle(volume)
            let reply = try await parts.call(
                host, .connect(handle, to: connector, isReadOnly: isReadOnly))
            guard var connection = reply.connection else {
                throw CloudError(.bug, "The volume could not be exported.", cause: "no connection from \(host)")
            }
            connection.isReadOnly = isReadOnly
            connection.limits = try await limits(volume)
            // The key stays with the keys; it is added to what leaves, never stored beside it.
            connection.passphrase = nil
            let stored = connection
            try await amend(id) { attachment in
                attachment.connection = stored
                attachment.connectorText = shown ?? attachment.connectorText
                attachment.device = device ?? attachment.device
                attachment.mode = isReadOnly ? "ro" : (mode ?? attachment.mode)
                if [.reserved, .errorAttaching].contains(attachment.status) { attachment.status = .attaching }
            }
            connection.passphrase = handle.passphrase
            return connection
        }
    }

    /// What the type's QoS specification lets the hypervisor enforce.
    private func limits(_ volume: Volume) async throws -> VolumeConnection.Limits? {
        let stores = stores
        return try await parts.database.read { transaction in
            guard let qos = try stores.types.type(volume.typeID, transaction)?.qosID else { return nil }
            return try stores.qosSpecs.specs(qos, transaction)?.limits(sizeGiB: volume.sizeGiB)
        }
    }

    private func attachment(_ id: VolumeAttachmentID) async throws -> VolumeAttachment {
        let stores = stores
        guard let attachment = try await parts.database.read({ try stores.attachments.attachment(id, $0) }) else {
            throw VolumeErrors.notFound(id)
        }
        return attachment
    }

    /// Changes the row as it is now: its status may have changed while the backend was asked.
    private func amend(
        _ id: VolumeAttachmentID, _ change: @escaping @Sendable (inout VolumeAttachment) -> Void
    ) async throws {
        let engine = self
        try await parts.database.write { transaction in
            guard var attachment = try engine.stores.attachments.attachment(id, transaction) else {
                throw VolumeErrors.notFound(id)
            }
            change(&attachment)
            try engine.stores.attachments.update(attachment, transaction)
            try engine.settle(attachment.volumeID, transaction)
        }
    }

    /// Makes the volume's status what its attachments say.
    func settle(_ id: VolumeID, _ transaction: any Transaction) throws {
        guard let volume = try stores.volumes.volume(id, transaction) else { return }
        let statuses = try stores.attachments.attachments(of: id, transaction).map(\.status)
        let event = VolumeEvent.attachmentsChanged(statuses, isMultiattach: volume.isMultiattach)
        guard let state = volume.state.after(event), state != volume.state else { return }
        guard try stores.volumes.move(volume, to: state, run: volume.sagaRun, at: parts.clock.now(), transaction) else {
            throw CloudError.conflict("Volume \(id) is changing. Please retry.")
        }
    }

    /// A volume in error that was detached is at rest again (cinder: db.api, `volume_detached`).
    func heal(_ id: VolumeID) async throws {
        let (stores, now) = (stores, parts.clock.now())
        try await parts.database.write { transaction in
            guard let volume = try stores.volumes.volume(id, transaction), volume.status.isError,
                volume.sagaRun == nil
            else { return }
            let rest = VolumeState.settled(
                try stores.attachments.attachments(of: id, transaction).map(\.status),
                isMultiattach: volume.isMultiattach)
            guard let state = volume.state.after(.reset(rest)) else { return }
            _ = try stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
        }
    }

    // MARK: Use

    func complete(_ id: VolumeAttachmentID, device: String?) async throws {
        let engine = self
        try await parts.database.write { transaction in
            guard var attachment = try engine.stores.attachments.attachment(id, transaction) else {
                throw VolumeErrors.notFound(id)
            }
            attachment.device = device ?? attachment.device
            if attachment.status != .attached {
                attachment.status = .attached
                attachment.attachedAt = engine.parts.clock.now()
            }
            try engine.stores.attachments.update(attachment, transaction)
            try engine.settle(attachment.volumeID, transaction)
        }
    }

    /// In the caller's transaction. Throws when the volume is not attached by it, or is being detached already.
    func beginDetaching(_ attachment: VolumeAttachment, _ transaction: any Transaction) throws {
        guard let volume = try stores.volumes.volume(attachment.volumeID, transaction),
            attachment.status == .attached, !volume.isMigrating,
            volume.status == .inUse || volume.isMultiattach && volume.status == .detaching
        else {
            throw VolumeErrors.invalidVolume(
                "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.")
        }
        var attachment = attachment
        attachment.status = .detaching
        try stores.attachments.update(attachment, transaction)
        try settle(volume.id, transaction)
    }

    func abortDetaching(_ id: VolumeAttachmentID) async throws {
        let engine = self
        try await parts.database.write { transaction in
            guard var attachment = try engine.stores.attachments.attachment(id, transaction),
                attachment.status == .detaching
            else { return }
            attachment.status = .attached
            try engine.stores.attachments.update(attachment, transaction)
            try engine.settle(attachment.volumeID, transaction)
        }
    }

    // MARK: End

    /// Takes the export back, then the lease. The host has closed the volume, or is fenced. Not an error when it is gone.
    func release(_ id: VolumeAttachmentID) async throws {
        let stores = stores
        guard let found = try await parts.database.read({ try stores.attachments.attachment(id, $0) }) else { return }
        try await parts.withLock(found.volumeID, for: id.rawValue) {
            guard let attachment = try await parts.database.read({ try stores.attachments.attachment(id, $0) }) else {
                return
            }
            if let volume = try await parts.volume(attachment.volumeID) { try await disconnect(attachment, volume) }
            try await end(attachment)
        }
    }

    /// Takes the export back and leaves the volume reserved. The host has closed the volume, or is fenced. Not an error when
    /// the lease is gone, or nothing is exported by it.
    func unexport(_ id: VolumeAttachmentID) async throws {
        let stores = stores
        guard let found = try await parts.database.read({ try stores.attachments.attachment(id, $0) }) else { return }
        try await parts.withLock(found.volumeID, for: id.rawValue) {
            guard let attachment = try await parts.database.read({ try stores.attachments.attachment(id, $0) }) else {
                return
            }
            if let volume = try await parts.volume(attachment.volumeID) { try await disconnect(attachment, volume) }
            try await amend(id) { attachment in
                attachment.connector = nil
                attachment.connection = nil
                attachment.connectorText = nil
                attachment.host = nil
                attachment.attachedAt = nil
                attachment.status = .reserved
            }
        }
    }

    /// Unless another attachment needs the same host's export.
    private func disconnect(_ attachment: VolumeAttachment, _ volume: Volume) async throws {
        guard let connector = attachment.connector, let host = volume.host else { return }
        let stores = stores
        let others = try await parts.database.read { try stores.attachments.attachments(of: volume.id, $0) }
        guard !others.contains(where: { $0.id != attachment.id && $0.connector?.host == connector.host }) else {
            return
        }
        try await parts.call(host, .disconnect(try await parts.handle(volume), from: connector))
    }

    private func end(_ attachment: VolumeAttachment) async throws {
        let engine = self
        try await parts.database.write { transaction in
            try engine.stores.attachments.delete(attachment.id, transaction)
            try engine.settle(attachment.volumeID, transaction)
            try engine.deleteIfDoomed(attachment.volumeID, transaction)
        }
    }

    /// A volume that was to go with its server goes when its last attachment has gone.
    func deleteIfDoomed(_ id: VolumeID, _ transaction: any Transaction) throws {
        guard let volume = try stores.volumes.volume(id, transaction), volume.isDoomed, volume.sagaRun == nil,
            volume.status != .deleting,
            try stores.attachments.attachments(of: id, transaction).isEmpty
        else { return }
        do {
            try VolumeEngine.begin(
                deletionOf: volume, .init(), isAdministrator: true, request: "req-" + parts.ids.uuid(), parts, sagas,
                transaction)
        } catch let error as CloudError {
            // As upstream: one that somebody has taken snapshots of, or uses otherwise, stays.
            parts.log.warning("volume of an ended server stays", ["volume": id, "error": error])
            var kept = volume
            kept.isDoomed = false
            try stores.volumes.update(kept, at: parts.clock.now(), transaction)
        }
    }
}
