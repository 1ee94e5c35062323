// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

/// Actions on one volume that are no matter of attachments.
extension VolumeEngine {
    /// Moves the row to `work`, names the run and lets `start` start it, all in one transaction.
    func begin(
        _ work: VolumeWork, on id: VolumeID, for context: CallContext,
        refusal: @escaping @Sendable (Volume) -> CloudError,
        _ start: @escaping @Sendable (inout Volume, SagaRunID, any Transaction) throws -> Void
    ) async throws {
        let (stores, now, run) = (stores, parts.clock.now(), parts.ids.next(SagaRunTag.self))
        try await parts.database.write { transaction in
            let volume = try Self.load(id, context, nil, stores, transaction)
            var changed = volume
            try start(&changed, run, transaction)
            // A volume that migrates below its guest keeps its status (cinder: volume/api.py, `migrate_volume`).
            let isQuiet = work == .migrate && volume.status == .inUse
            guard volume.sagaRun == nil, let state = isQuiet ? volume.state : volume.state.after(.workRequested(work)),
                try stores.volumes.move(volume, to: state, run: run, at: now, transaction)
            else { throw refusal(volume) }
            try stores.volumes.update(changed, at: now, transaction)
        }
    }

    // MARK: Extend

    /// `allowsInUse`: the caller knows volumes that grow while a guest uses them (3.42).
    package func extend(_ id: VolumeID, to size: Int, allowsInUse: Bool, for context: CallContext) async throws {
        let (engine, parts, sagas, request) = (self, parts, sagas, context.requestID)
        try await begin(.extend, on: id, for: context) { volume in
            let expected = allowsInUse && volume.status == .inUse ? "in-use" : "available"
            return VolumeErrors.invalidVolume(
                "Volume \(id) status must be '{'status': '\(expected)'}' to extend, currently \(volume.status.rawValue).")
        } _: { volume, run, transaction in
            if volume.status == .inUse {
                try context.authorize(Self.target(volume), as: "volume:extend_attached_volume")
                guard allowsInUse else {
                    throw VolumeErrors.invalidVolume(
                        "Volume \(id) status must be '{'status': 'available'}' to extend, currently in-use.")
                }
                if let backend = volume.backend, let row = try parts.stores.backends.backend(backend, transaction),
                    !row.pool.supportsOnlineExtend
                {
                    throw VolumeErrors.invalidVolume("The backend of volume \(id) cannot extend it while it is in use.")
                }
            }
            guard size > volume.sizeGiB else {
                throw VolumeErrors.invalidInput(
                    "New size for extend must be greater than current size. (current: \(volume.sizeGiB), extended: "
                        + "\(size)).")
            }
            if let type = try engine.stores.types.type(volume.typeID, transaction) { try Self.checkSize(size, type) }
            guard volume.host != nil, volume.status == .available || volume.status == .inUse else { return }
            let quotas = BlockStorageQuotas(parts)
            try quotas.checkSize(size, of: volume.projectID, transaction)
            try quotas.check(
                volume.projectID, gigabytes: size - volume.sizeGiB, type: volume.typeID, transaction)
            volume.pendingSizeGiB = size
            try sagas.start(
                ExtendVolumeSaga.self, id: run, ledger: .init(volume: id, requestID: request, sizeGiB: size),
                in: transaction)
        }
    }

    // MARK: Other bytes

    /// cinder: volume/api.py, `revert_to_snapshot`; only to the latest, because newer ones depend on the bytes between.
    package func revert(_ id: VolumeID, to wanted: VolumeSnapshotID?, for context: CallContext) async throws {
        let (stores, sagas, request, now) = (stores, sagas, context.requestID, parts.clock.now())
        try await begin(.revert, on: id, for: context) { _ in
            CloudError.conflict(
                "Invalid volume: Can't revert volume \(id) to its latest snapshot \(wanted?.rawValue ?? ""). Volume's "
                    + "status must be 'available'.", kind: "InvalidVolume")
        } _: { volume, run, transaction in
            guard let latest = try stores.snapshots.snapshots(of: id, transaction).last else {
                throw CloudError.badRequest("Volume \(id) doesn't have any snapshots.")
            }
            guard wanted == latest.id else {
                throw CloudError.badRequest(
                    "Specified snapshot \(wanted?.rawValue.prefix(64) ?? "None") is None or not the latest one of "
                        + "volume \(id).")
            }
            guard volume.sizeGiB == latest.sizeGiB else {
                throw CloudError.badRequest(
                    "Can't revert volume \(id) to its latest snapshot \(latest.id). The volume size must be equal to "
                        + "the snapshot size.")
            }
            guard volume.status == .available else { return }
            guard let status = latest.status.after(.restoreRequested),
                try stores.snapshots.move(latest, to: status, run: run, at: now, transaction)
            else {
                throw CloudError.conflict(
                    "Invalid snapshot: Can't revert volume \(id) to its latest snapshot \(latest.id). Snapshot's "
                        + "status must be 'available'.", kind: "InvalidSnapshot")
            }
            try sagas.start(
                RewriteVolumeSaga.self, id: run,
                ledger: .init(volume: id, requestID: request, content: .snapshot(latest.id)), in: transaction)
        }
    }

    package func reimage(
        _ id: VolumeID, from imageID: String, allowsReserved: Bool, for context: CallContext
    ) async throws {
        guard UUIDText.isUUID(imageID),
            let image = try await parts.images.image(ImageID(imageID), for: context.principal)
        else {
            throw CloudError.notFound("Image \(imageID.prefix(255)) could not be found.", kind: "ImageNotFound")
        }
        let (parts, sagas, request, metadata) = (parts, sagas, context.requestID, Self.metadata(of: image))
        try await begin(.reimage, on: id, for: context) { volume in
            VolumeErrors.invalidVolume(
                "Volume \(id) status must be \(allowsReserved ? "available, error or reserved" : "available or error")"
                    + " to reimage, but the current status is \(volume.status.rawValue).")
        } _: { volume, run, transaction in
            if volume.status == .reserved {
                try context.authorize(Self.target(volume), as: "volume:reimage_reserved")
                guard allowsReserved else {
                    throw VolumeErrors.invalidVolume(
                        "Volume \(id) status must be available or error to reimage, but the current status is reserved.")
                }
            }
            let attachments = try parts.stores.attachments.attachments(of: id, transaction)
            guard attachments.count <= 1, attachments.allSatisfy({ $0.connection == nil }) else {
                throw CloudError.conflict(
                    "Cannot re-image a volume which is attached to more than one server, or which a host has open.")
            }
            try Self.check(image, fits: volume.sizeGiB)
            guard [.available, .error, .reserved].contains(volume.status), volume.host != nil else { return }
            try sagas.start(
                RewriteVolumeSaga.self, id: run,
                ledger: .init(volume: id, requestID: request, content: .image(image, metadata: metadata)),
                in: transaction)
        }
    }

    // MARK: Small changes

    package func setReadOnly(_ id: VolumeID, _ isReadOnly: Bool, for context: CallContext) async throws {
        try await edit(id, for: context) { volume in
            guard volume.status == .available else {
                throw VolumeErrors.invalidVolume(
                    "Volume \(id) status must be available to update readonly flag, but current status is: "
                        + "\(volume.status.rawValue).")
            }
            volume.readOnly = isReadOnly
        }
    }

    package struct Reset: Sendable {
        package var status: VolumeStatus?
        package var isDetached = false
        package var migration: String??
        package init() {}
    }

    /// An administrator says what is true.
    package func reset(_ id: VolumeID, _ reset: Reset, for context: CallContext) async throws {
        let (stores, now) = (stores, parts.clock.now())
        let attachments = try await parts.database.read { transaction in
            _ = try Self.load(id, context, nil, stores, transaction)
            return try stores.attachments.attachments(of: id, transaction)
        }
        let engine = VolumeAttachmentEngine(parts, sagas: sagas)
        if reset.isDetached { for attachment in attachments { try await engine.checkRelease(attachment, context) } }
        try await parts.database.write { transaction in
            var volume = try Self.load(id, context, nil, stores, transaction)
            if reset.status == .inUse, try stores.attachments.attachments(of: id, transaction).isEmpty {
                throw CloudError.badRequest(
                    "Cannot reset-state to in-use because volume does not have any attachments.")
            }
            if let status = reset.status, let state = volume.state.after(.reset(status)) {
                // The run that held the row finds that it lost it, and cleans up.
                guard try stores.volumes.move(volume, to: state, run: nil, at: now, transaction) else {
                    throw CloudError.conflict("Volume \(id) is changing. Please retry.")
                }
                volume.endWork()
            }
            if let migration = reset.migration { volume.migration = migration }
            try stores.volumes.update(volume, at: now, transaction)
        }
        guard reset.isDetached else { return }
        let lease = VolumeLease(parts: parts, sagas: sagas)
        for attachment in attachments { try await lease.release(attachment.id) }
    }
}
