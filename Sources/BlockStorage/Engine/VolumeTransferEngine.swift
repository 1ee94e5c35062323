// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import SecurityKit

/// Offers of volumes from one project to whoever holds the key. All in one transaction each: a volume is the donor's or
/// the receiver's, never nobody's.
package struct VolumeTransferEngine: Sendable {
    /// Digits of the key, as upstream's option `volume_transfer_key_length`.
    private static let keyLength = 16
    private let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    private static func notFound(_ id: VolumeTransferID) -> CloudError {
        .notFound("Transfer \(id.rawValue.prefix(255)) could not be found.", kind: "TransferNotFound")
    }

    /// 64 bits of key need no slow hash; the salt keeps two equal keys apart.
    private static func hash(_ key: String, salt: String) -> String {
        Hex.encode(Digest.of(Array("\(salt):\(key)".utf8), .sha256))
    }

    // MARK: Read

    package func list(_ filter: ResourceFilter, _ page: ResourcePage) async throws -> [VolumeTransfer] {
        let stores = parts.stores
        return try await parts.database.read { try stores.transfers.list(filter, page, $0) }
    }

    /// Of the project that offers; an administrator sees all.
    package func transfer(_ id: VolumeTransferID, for context: CallContext) async throws -> VolumeTransfer {
        let stores = parts.stores
        guard let transfer = try await parts.database.read({ try stores.transfers.transfer(id, $0) }),
            context.sees(transfer.sourceProjectID)
        else { throw Self.notFound(id) }
        try context.authorize(PolicyTarget(project: transfer.sourceProjectID))
        return transfer
    }

    // MARK: Write

    /// `allowsEncrypted`: from 3.70 encrypted volumes go, too, with their snapshots, which share the key.
    package func create(
        _ volumeID: VolumeID, name: String?, withoutSnapshots: Bool, allowsEncrypted: Bool, for context: CallContext
    ) async throws -> (transfer: VolumeTransfer, key: String) {
        let (parts, now) = (parts, parts.clock.now())
        let (id, salt): (VolumeTransferID, String) = (parts.ids.next(), String(parts.ids.hex().prefix(8)))
        let key = String(Hex.encode(Digest.of(Array((parts.ids.hex() + parts.ids.hex()).utf8), .sha256))
            .prefix(Self.keyLength))
        let transfer = try await parts.database.write { transaction in
            let stores = parts.stores
            guard let volume = try stores.volumes.volume(volumeID, transaction),
                context.sees(volume.projectID)
            else { throw VolumeErrors.notFound(volumeID) }
            try context.authorize(PolicyTarget(project: volume.projectID))
            guard let state = volume.state.after(.transferRequested) else {
                throw VolumeErrors.invalidVolume("status must be available")
            }
            if volume.keyID != nil {
                guard allowsEncrypted else {
                    throw VolumeErrors.invalidVolume("transferring encrypted volume is not supported")
                }
                guard !withoutSnapshots else {
                    throw VolumeErrors.invalidVolume(
                        "transferring an encrypted volume without its snapshots is not supported")
                }
            }
            let snapshots = withoutSnapshots ? [] : try stores.snapshots.snapshots(of: volumeID, transaction)
            if let busy = snapshots.first(where: { $0.status != .available }) {
                throw VolumeErrors.invalidSnapshot("snapshot: \(busy.id) status must be available")
            }
            guard try stores.volumes.move(volume, to: state, run: nil, at: now, transaction) else {
                throw VolumeErrors.invalidVolume("status must be available")
            }
            let transfer = VolumeTransfer(
                id: id, volumeID: volumeID, name: name, salt: salt, keyHash: Self.hash(key, salt: salt),
                withoutSnapshots: withoutSnapshots, sourceProjectID: volume.projectID, createdAt: now)
            try stores.transfers.insert(transfer, transaction)
            return transfer
        }
        return (transfer, key)
    }

    package func delete(_ id: VolumeTransferID, for context: CallContext) async throws {
        _ = try await transfer(id, for: context)
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            guard let transfer = try stores.transfers.transfer(id, transaction) else { throw Self.notFound(id) }
            if let volume = try stores.volumes.volume(transfer.volumeID, transaction),
                let state = volume.state.after(.transferEnded)
            {
                _ = try stores.volumes.move(volume, to: state, run: nil, at: now, transaction)
            }
            try stores.transfers.delete(id, transaction)
        }
    }

    /// Gives the volume to the caller's project, when the key is right and the project has room.
    package func accept(_ id: VolumeTransferID, key: String, for context: CallContext) async throws -> VolumeTransfer {
        let project = try context.requireProject()
        let (parts, now, user) = (parts, parts.clock.now(), context.principal.userID)
        return try await parts.database.write { transaction in
            let stores = parts.stores
            guard let transfer = try stores.transfers.transfer(id, transaction) else { throw Self.notFound(id) }
            let hash = Self.hash(key, salt: transfer.salt)
            guard isEqualInConstantTime(Array(hash.utf8), Array(transfer.keyHash.utf8)) else {
                throw CloudError.badRequest(
                    "Invalid auth key: Attempt to transfer \(id) with invalid auth key.", kind: "InvalidAuthKey")
            }
            guard let volume = try stores.volumes.volume(transfer.volumeID, transaction) else {
                throw VolumeErrors.notFound(transfer.volumeID)
            }
            guard let state = volume.state.after(.transferEnded) else {
                throw VolumeErrors.invalidVolume(
                    "Transfer \(id): Volume id \(volume.id) expected in state awaiting-transfer")
            }
            guard volume.groupID == nil else {
                throw VolumeErrors.invalidVolume("Volume \(volume.id) must not be part of a consistency group.")
            }
            // cinder: volume/api.py, `accept_transfer`.
            if let type = try stores.types.type(volume.typeID, transaction),
                try !VolumeTypeEngine.isVisible(type, context, stores, transaction)
            {
                throw VolumeTypeEngine.notFound(type.id.rawValue)
            }
            let snapshots =
                transfer.withoutSnapshots ? [] : try stores.snapshots.snapshots(of: volume.id, transaction)
            let quotas = BlockStorageQuotas(parts)
            try quotas.checkSize(volume.sizeGiB, of: project, transaction)
            try quotas.check(
                project, volumes: 1, snapshots: snapshots.count,
                gigabytes: volume.sizeGiB + snapshots.reduce(0) { $0 + $1.sizeGiB }, type: volume.typeID, transaction)
            guard try stores.volumes.move(volume, to: state, run: nil, at: now, transaction),
                try stores.transfers.accept(id, by: project, at: now, transaction)
            else { throw Self.notFound(id) }
            try stores.volumes.setOwner(volume.id, project: project, user: user, at: now, transaction)
            if !transfer.withoutSnapshots {
                try stores.snapshots.setOwner(of: volume.id, project: project, user: user, at: now, transaction)
            }
            return transfer
        }
    }
}
