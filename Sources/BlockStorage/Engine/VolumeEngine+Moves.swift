// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

/// Other places and types.
extension VolumeEngine {
    package func migrate(_ id: VolumeID, to host: String, for context: CallContext) async throws {
        let (engine, stores, parts, sagas, request) = (self, stores, parts, sagas, context.requestID)
        let refusal = VolumeErrors.invalidVolume(
            "Volume \(id) status must be available or in-use, must not be migrating, have snapshots, be replicated, be "
                + "part of a group and destination host/cluster must be different than the current one")
        try await begin(.migrate, on: id, for: context, refusal: { _ in refusal }) { volume, run, transaction in
            let address = VolumeBackend.address(of: host)
            guard let backend = try stores.backends.backend(address, transaction), !backend.isDisabled,
                backend.isUp(at: parts.clock.now(), limit: parts.config.backendTimeout),
                host == address || host == backend.pool.name
            else { throw VolumeErrors.invalidHost("No available service named '\(host.prefix(255))'") }
            guard [.available, .inUse].contains(volume.status), volume.sagaRun == nil,
                volume.host != backend.pool.name, volume.host != nil, volume.groupID == nil, try stores.snapshots.count(of: id, transaction) == 0
            else { throw refusal }
            let type = try stores.types.type(volume.typeID, transaction)
            let wanted = BackendRequest(
                sizeGiB: volume.sizeGiB, isMultiattach: volume.isMultiattach, extraSpecs: type?.extraSpecs ?? [:],
                pool: backend.pool.name)
            _ = try VolumeScheduler(parts).place(wanted, transaction)
            let attachment = volume.status == .inUse ? try engine.movable(volume, transaction) : nil
            volume.migration = "starting"
            if let attachment {
                return try sagas.start(
                    MigrateAttachedVolumeSaga.self, id: run,
                    ledger: .init(
                        volume: id, requestID: request, attachment: attachment.id, server: attachment.server ?? "",
                        target: backend.pool.name, work: .migrate), in: transaction)
            }
            try sagas.start(
                MigrateVolumeSaga.self, id: run,
                ledger: .init(volume: id, requestID: request, target: backend.pool.name, work: .migrate),
                in: transaction)
        }
    }

    /// In place where the backend is fit for the new type; else, when `mayMigrate`, by a copy to one that is.
    package func retype(
        _ id: VolumeID, to name: String, mayMigrate: Bool, for context: CallContext
    ) async throws {
        let (engine, stores, now, run) = (self, stores, parts.clock.now(), parts.ids.next(SagaRunTag.self))
        try await parts.database.write { transaction in
            var volume = try Self.load(id, context, nil, stores, transaction)
            let type = try engine.visibleType(name, context, transaction)
            try engine.checkRetype(volume, type, context, transaction)
            let wanted = BackendRequest(
                sizeGiB: 0, isMultiattach: type.isMultiattach, extraSpecs: type.extraSpecs, pool: volume.host)
            if let view = try VolumeScheduler(engine.parts).views(transaction).first(where: {
                $0.backend.pool.name == volume.host
            }), BackendFilter.mismatch(wanted.extraSpecs, view.backend.pool) == nil {
                volume.typeID = type.id
                volume.isMultiattach = type.isMultiattach
                try stores.volumes.update(volume, at: now, transaction)
                try stores.snapshots.setType(of: id, type.id, transaction)
                return
            }
            guard mayMigrate, try stores.snapshots.count(of: id, transaction) == 0 else {
                throw VolumeErrors.invalidVolume(
                    "Volume \(id) must be moved to another backend for the type \(type.name), which needs the "
                        + "migration policy on-demand, and a volume that has no snapshots.")
            }
            let attachment = volume.status == .inUse ? try engine.movable(volume, transaction) : nil
            let target = try VolumeScheduler(engine.parts).place(
                BackendRequest(
                    sizeGiB: volume.sizeGiB, isMultiattach: type.isMultiattach, extraSpecs: type.extraSpecs,
                    zones: type.availabilityZones ?? [volume.zone]), transaction)
            guard let state = volume.state.after(.workRequested(.retype)),
                try stores.volumes.move(volume, to: state, run: run, at: now, transaction)
            else { throw Self.unretypable }
            volume.migration = "starting"
            try stores.volumes.update(volume, at: now, transaction)
            if let attachment {
                return try engine.sagas.start(
                    MigrateAttachedVolumeSaga.self, id: run,
                    ledger: .init(
                        volume: id, requestID: context.requestID, attachment: attachment.id,
                        server: attachment.server ?? "", target: target.pool.name, type: type.id, work: .retype),
                    in: transaction)
            }
            try engine.sagas.start(
                MigrateVolumeSaga.self, id: run,
                ledger: .init(
                    volume: id, requestID: context.requestID, target: target.pool.name, type: type.id,
                    isMultiattach: type.isMultiattach, work: .retype), in: transaction)
        }
    }

    /// The one lease of a volume whose guest's hypervisor can copy it. Throws what is in the way.
    private func movable(_ volume: Volume, _ transaction: any Transaction) throws -> VolumeAttachment {
        let attachments = try stores.attachments.attachments(of: volume.id, transaction)
        guard attachments.count == 1, let attachment = attachments.first else {
            throw VolumeErrors.invalidVolume(
                "Volume \(volume.id) has \(attachments.count) attachments: only one that a single server uses can be "
                    + "moved to another backend under it.")
        }
        guard attachment.isComputes, attachment.server != nil, attachment.status == .attached,
            attachment.connector != nil, parts.compute.service != nil
        else {
            throw VolumeErrors.invalidVolume(
                "Volume \(volume.id) is used by something that is no server of this cloud, and must be detached to be "
                    + "moved to another backend.")
        }
        guard attachment.mode != "ro" else {
            throw VolumeErrors.invalidVolume(
                "Volume \(volume.id) is attached read-only, and must be detached to be moved to another backend.")
        }
        // A container with room for its header and one without are not equally large.
        guard volume.keyID == nil else {
            throw VolumeErrors.invalidVolume(
                "Volume \(volume.id) is encrypted, and must be detached to be moved to another backend.")
        }
        return attachment
    }

    private static let unretypable = VolumeErrors.invalidVolume(
        "Retype needs volume to be in available or in-use state, not be part of an active migration or a consistency "
            + "group, requested type has to be different that the one from the volume, and for in-use volumes "
            + "front-end qos specs cannot change.")

    private func checkRetype(
        _ volume: Volume, _ type: VolumeType, _ context: CallContext, _ transaction: any Transaction
    ) throws {
        try Self.checkSize(volume.sizeGiB, type)
        let old = try stores.types.type(volume.typeID, transaction)
        if type.isMultiattach != volume.isMultiattach {
            guard volume.status == .available else {
                throw VolumeErrors.invalidInput(
                    "Invalid volume_type passed, retypes affecting multiattach are only allowed on available volumes, "
                        + "the specified volume however currently has a status of: \(volume.status.rawValue).")
            }
            if type.isMultiattach { try context.authorize(Self.target(volume), as: "volume:multiattach") }
        }
        if type.isMultiattach, type.encryption != nil {
            throw VolumeErrors.invalidInput(
                "Retype requested both encryption and multi-attach, which is not supported.")
        }
        guard [.available, .inUse].contains(volume.status), volume.sagaRun == nil, volume.groupID == nil,
            type.id != volume.typeID, volume.status == .available || old?.qosID == type.qosID
        else { throw Self.unretypable }
        guard (volume.keyID != nil) == (type.encryption != nil) else {
            throw VolumeErrors.invalidInput(
                "Retype between types of which only one is encrypted is not supported: copy the volume's content.")
        }
        let engine = try BlockStorageQuotas(parts).engine(transaction)
        // The project's own limits stay as they are; those of the new type may be smaller.
        let wanted = ["volumes_\(type.name)": 1, "gigabytes_\(type.name)": volume.sizeGiB]
        try engine.check(volume.projectID, wanted, transaction) { resource in
            try BlockStorageQuotas(parts).used(resource, by: volume.projectID, type: type.id, transaction)
        }
    }
}
