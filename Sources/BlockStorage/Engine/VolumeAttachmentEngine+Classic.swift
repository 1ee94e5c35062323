// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// The classic actions on volumes, of clients that know no attachments.
extension VolumeAttachmentEngine {
    private func change(
        _ id: VolumeID, for context: CallContext,
        _ event: @escaping @Sendable (Volume, any Transaction) throws -> (VolumeEvent, CloudError)?
    ) async throws {
        let (stores, now) = (stores, parts.clock.now())
        try await parts.database.write { transaction in
            let volume = try VolumeEngine.load(id, context, nil, stores, transaction)
            guard let (event, refusal) = try event(volume, transaction) else { return }
            guard volume.sagaRun == nil, let state = volume.state.after(event),
                try stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
            else { throw refusal }
        }
    }

    package func reserve(_ id: VolumeID, for context: CallContext) async throws {
        try await change(id, for: context) { volume, _ in
            let allowed = volume.isMultiattach ? "available or in-use" : "available"
            return (
                .attachRequested(isMultiattach: volume.isMultiattach),
                VolumeErrors.invalidVolume(
                    "Volume status must be \(allowed) to reserve, but the status is \(volume.status.rawValue).")
            )
        }
    }

    package func unreserve(_ id: VolumeID, for context: CallContext) async throws {
        let stores = stores
        try await change(id, for: context) { volume, transaction in
            guard volume.status == .attaching else { return nil }
            let statuses = try stores.attachments.attachments(of: id, transaction).map(\.status)
            return (
                .attachmentsChanged(statuses, isMultiattach: volume.isMultiattach), VolumeErrors.invalidVolume("The volume is changing.")
            )
        }
    }

    package func beginDetaching(_ id: VolumeID, for context: CallContext) async throws {
        try await change(id, for: context) { _, _ in
            (
                .detachRequested,
                VolumeErrors.invalidVolume(
                    "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to "
                        + "detach.")
            )
        }
    }

    package func rollDetaching(_ id: VolumeID, for context: CallContext) async throws {
        try await change(id, for: context) { volume, _ in
            guard volume.status == .detaching else { return nil }
            return (.detachAborted, VolumeErrors.invalidVolume("The volume is changing."))
        }
    }

    package struct Attach: Sendable {
        package var server: String?
        package var host: String?
        package var device: String
        package var mode: String
        package init(server: String?, host: String?, device: String, mode: String) {
            self.server = server
            self.host = host
            self.device = device
            self.mode = mode
        }
    }

    /// `os-attach`: the caller uses the volume already, by what `os-initialize_connection` told it.
    package func attach(_ id: VolumeID, _ attach: Attach, for context: CallContext) async throws {
        let (lease, stores, new, now) = (lease, stores, parts.ids.next(VolumeAttachmentTag.self), parts.clock.now())
        try await parts.database.write { transaction in
            let volume = try VolumeEngine.load(id, context, nil, stores, transaction)
            guard volume.status != .maintenance else {
                throw VolumeErrors.invalidVolume("The volume cannot be attached in maintenance mode.")
            }
            guard [.available, .attaching].contains(volume.status) || volume.isMultiattach && volume.status == .inUse
            else {
                throw VolumeErrors.invalidVolume(
                    "volume is already attached or its status is \(volume.status.rawValue)")
            }
            guard !volume.isReadOnly || attach.mode == "ro" else {
                throw VolumeErrors.invalidVolume(
                    "Invalid attaching mode '\(attach.mode)' for volume \(id).")
            }
            // The one that `os-initialize_connection` made, if it did.
            var attachment =
                try stores.attachments.attachments(of: id, transaction).first {
                    $0.server == nil && $0.status == .attaching
                }
                ?? VolumeAttachment(
                    id: new, volume: volume, server: nil, status: .attaching, mode: attach.mode, createdAt: now)
            let isNew = attachment.id == new
            attachment.server = attach.server
            attachment.host = attach.host ?? attachment.host
            attachment.device = attach.device
            attachment.mode = attach.mode
            attachment.status = .attached
            attachment.attachedAt = now
            if isNew {
                try stores.attachments.insert(attachment, transaction)
            } else {
                try stores.attachments.update(attachment, transaction)
            }
            try lease.settle(id, transaction)
        }
    }

    /// `os-detach`, `os-force_detach`.
    package func detach(
        _ id: VolumeID, attachment wanted: VolumeAttachmentID?, for context: CallContext
    ) async throws {
        let stores = stores
        let (volume, attachments) = try await parts.database.read { transaction in
            (
                try VolumeEngine.load(id, context, nil, stores, transaction),
                try stores.attachments.attachments(of: id, transaction)
            )
        }
        guard volume.status != .maintenance else {
            throw VolumeErrors.invalidVolume("The volume cannot be detached in maintenance mode.")
        }
        let chosen: VolumeAttachment?
        if let wanted {
            chosen = attachments.first { $0.id == wanted }
            if chosen == nil {
                _ = try await attachment(wanted, for: context)
                throw VolumeErrors.invalidInput("Mismatched volume and attachment ids.")
            }
        } else {
            guard attachments.count < 2 else {
                throw VolumeErrors.invalidVolume(
                    "Detach volume failed: More than one attachment, but no attachment_id provided.")
            }
            chosen = attachments.first
        }
        guard let chosen else {
            // Nothing is attached: the status says so again.
            let (engine, now) = (self, parts.clock.now())
            return try await parts.database.write { transaction in
                guard let volume = try engine.stores.volumes.volume(id, transaction), volume.sagaRun == nil,
                    [.attaching, .detaching, .reserved, .inUse].contains(volume.status),
                    let state = volume.state.after(.attachmentsChanged([], isMultiattach: volume.isMultiattach))
                else { return }
                _ = try engine.stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
            }
        }
        // Forced or not: as upstream since CVE-2023-2088.
        try await checkRelease(chosen, context)
        try await lease.release(chosen.id)
        try await lease.heal(id)
    }

    /// `os-initialize_connection`: exports without an attachment of the caller's making; one is noted all the same, so
    /// that the export ends.
    package func initialize(
        _ id: VolumeID, _ connector: Connector, for context: CallContext
    ) async throws -> VolumeConnection {
        let (lease, stores, new, now) = (lease, stores, parts.ids.next(VolumeAttachmentTag.self), parts.clock.now())
        let engine = self
        let attachment = try await parts.database.write { transaction in
            let volume = try VolumeEngine.load(id, context, nil, stores, transaction)
            guard !volume.isDoomed, volume.status != .maintenance else {
                throw VolumeErrors.invalidVolume(
                    "The volume connection cannot be initialized in maintenance mode.")
            }
            guard volume.host != nil, volume.sagaRun == nil, !volume.status.isError else {
                throw VolumeErrors.invalidInput("The volume's status is \(volume.status.rawValue).")
            }
            let present = try stores.attachments.attachments(of: id, transaction)
            if let same = present.first(where: { $0.connector?.host == connector.host.host }) {
                try engine.checkConnect(same, context)
                return same
            }
            guard volume.isMultiattach || present.isEmpty else {
                throw VolumeErrors.invalidVolume("The volume is attached to another host.")
            }
            let attachment = VolumeAttachment(
                id: new, volume: volume, server: nil, status: .attaching, mode: "rw", createdAt: now)
            try stores.attachments.insert(attachment, transaction)
            try lease.settle(id, transaction)
            return attachment
        }
        return try await lease.connect(attachment.id, to: connector.host, shown: connector.text)
    }

    /// `os-terminate_connection`.
    package func terminate(_ id: VolumeID, _ connector: Connector, for context: CallContext) async throws {
        let stores = stores
        let attachments = try await parts.database.read { transaction in
            _ = try VolumeEngine.load(id, context, nil, stores, transaction)
            return try stores.attachments.attachments(of: id, transaction)
        }
        let matching = attachments.filter { $0.connector?.host == connector.host.host }
        // Whoever names no host of them, or another, means what is attached (cinder: `attachment_deletion_allowed`).
        for attachment in matching.isEmpty ? attachments : matching { try await checkRelease(attachment, context) }
        for attachment in matching {
            // One that `os-attach` completed ends by `os-detach`.
            if attachment.server == nil, attachment.status == .attaching { try await lease.release(attachment.id) }
        }
    }
}
