// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

/// What a new volume may be.
extension VolumeEngine {
    func size(_ draft: VolumeDraft, _ source: Source, _ image: ImageInfo?) throws -> Int {
        let least: Int
        switch source {
        case .blank: least = 0
        case .snapshot(let snapshot, _): least = snapshot.sizeGiB
        case .volume(let volume): least = volume.sizeGiB
        }
        let size = draft.sizeGiB ?? least
        guard size > 0 else {
            throw VolumeErrors.invalidInput("Volume size '\(size)' must be an integer and greater than 0")
        }
        if size < least {
            if case .snapshot = source {
                throw VolumeErrors.invalidInput(
                    "Volume size '\(size)'GB cannot be smaller than the snapshot size \(least)GB. "
                        + "They must be >= original snapshot size.")
            }
            throw VolumeErrors.invalidInput(
                "Volume size '\(size)'GB cannot be smaller than original volume size  \(least)GB. "
                    + "They must be >= original volume size.")
        }
        if let image { try Self.check(image, fits: size) }
        return size
    }

    /// cinder: volume_utils.check_image_metadata.
    static func check(_ image: ImageInfo, fits size: Int) throws {
        guard image.status == "active" else {
            throw VolumeErrors.invalidInput("Image \(image.id) is not active.")
        }
        let bytes = max(image.sizeBytes, image.virtualSizeBytes)
        let gigabytes = Int((bytes + (1 << 30) - 1) >> 30)
        guard gigabytes <= size else {
            throw VolumeErrors.invalidInput(
                "Size of specified image \(gigabytes)GB is larger than volume size \(size)GB.")
        }
        guard image.minDiskGiB <= size else {
            throw VolumeErrors.invalidInput(
                "Volume size \(size)GB cannot be smaller than the image minDisk size \(image.minDiskGiB)GB.")
        }
    }

    func type(
        _ draft: VolumeDraft, _ source: Source, _ image: ImageInfo?, _ context: CallContext,
        _ transaction: any Transaction
    ) throws -> VolumeType {
        if let name = draft.type {
            let type = try visibleType(name, context, transaction)
            if let origin = source.origin, origin.typeID != type.id { try checkCopy(of: origin, to: type) }
            return type
        }
        if let origin = source.origin, let type = try stores.types.type(origin.typeID, transaction) { return type }
        if let name = image?.properties["cinder_img_volume_type"], !name.isEmpty {
            return try visibleType(name, context, transaction)
        }
        return try VolumeTypeEngine.defaultType(of: context.projectID, parts, transaction)
    }

    /// By id or name. A private type is absent for projects that it is not for.
    func visibleType(_ name: String, _ context: CallContext, _ transaction: any Transaction) throws -> VolumeType {
        guard let type = try stores.types.find(name, transaction),
            try VolumeTypeEngine.isVisible(type, context, stores, transaction)
        else {
            throw VolumeTypeEngine.notFound(identity: name)
        }
        return type
    }

    /// A copy has its original's bytes, so both are encrypted or none is.
    func checkCopy(of origin: Volume, to type: VolumeType) throws {
        guard (origin.keyID != nil) == (type.encryption != nil) else {
            throw VolumeErrors.invalidInput(
                "Invalid volume_type provided: \(type.id) (requested type is not compatible; either match source "
                    + "volume, or omit type argument).")
        }
    }

    /// cinder: volume_types.provision_filter_on_size.
    static func checkSize(_ size: Int, _ type: VolumeType) throws {
        if let least = type.minimumGiB, size < least {
            throw VolumeErrors.invalidInput(
                "Specified volume size of '\(size)' is less than the minimum required size of '\(least)' for volume "
                    + "type '\(type.name)'.")
        }
        if let most = type.maximumGiB, size > most {
            throw VolumeErrors.invalidInput(
                "Specified volume size of '\(size)' is greater than the maximum allowed size of '\(most)' for volume "
                    + "type '\(type.name)'.")
        }
    }

    func checkQuota(
        _ project: ProjectID, _ size: Int, _ type: VolumeType, _ transaction: any Transaction
    ) throws {
        let quotas = BlockStorageQuotas(parts)
        try quotas.checkSize(size, of: project, transaction)
        try quotas.check(project, volumes: 1, gigabytes: size, type: type.id, transaction)
    }

    func group(
        _ id: VolumeGroupID, _ type: VolumeType, _ context: CallContext, _ transaction: any Transaction
    ) throws -> VolumeGroup {
        guard let group = try stores.groups.group(id, transaction),
            context.sees(group.projectID)
        else { throw VolumeGroupEngine.notFound(id) }
        guard group.volumeTypeIDs.contains(type.id) else {
            throw VolumeErrors.invalidInput(
                "Invalid volume_type provided: \(type.id) (requested type must be supported by this group).")
        }
        guard group.status == .available || group.status == .creating else {
            throw CloudError.badRequest(
                "Invalid Group: Originating group status must be one of 'creating, available' values",
                kind: "InvalidGroup")
        }
        return group
    }

    /// Where the volume may go: the zone that is asked for, or its source's, or the type's, or the default one.
    func zones(
        _ wanted: String?, _ source: Source, _ type: VolumeType, _ transaction: any Transaction
    ) throws -> [String] {
        var known = try VolumeScheduler(parts).zones(transaction)
        if let own = type.availabilityZones {
            known.formIntersection(own)
            guard !known.isEmpty else {
                throw CloudError.badRequest(
                    "Volume type's availability zones are invalid \(own).", kind: "InvalidTypeAvailabilityZones")
            }
        }
        guard
            let zone = wanted ?? source.origin?.zone
                ?? (type.availabilityZones == nil ? parts.config.defaultZone : nil)
        else { return known.sorted() }
        if known.contains(zone) { return [zone] }
        guard parts.config.allowsZoneFallback else {
            throw CloudError.badRequest(
                "Availability zone '\(zone.prefix(255))' is invalid.", kind: "InvalidAvailabilityZone")
        }
        return [parts.config.defaultZone]
    }

    /// A key of its own for each encrypted volume; a copy's is another record of the same passphrase, because the
    /// bytes are the same and the original may go first.
    func key(
        _ type: VolumeType, _ source: Source, _ project: ProjectID, _ transaction: any Transaction
    ) throws -> VolumeKeyID? {
        let origin: VolumeKeyID?
        switch source {
        case .blank: origin = nil
        case .snapshot(let snapshot, _): origin = snapshot.keyID
        case .volume(let volume): origin = volume.keyID
        }
        let (id, now) = (parts.ids.next(VolumeKeyTag.self), parts.clock.now())
        if let origin {
            guard let sealed = try stores.keys.sealed(origin, transaction) else {
                throw CloudError(.bug, "The key of the source cannot be found.", cause: "key \(origin)")
            }
            try stores.keys.insert(id, project: project, sealed: sealed, at: now, transaction)
            return id
        }
        guard type.encryption != nil, case .blank = source else { return nil }
        guard !type.isMultiattach else {
            throw VolumeErrors.invalidInput("Multiattach cannot be used with encrypted volumes.")
        }
        let passphrase = parts.ids.hex() + parts.ids.hex()
        let sealed = try parts.keyring.seal(passphrase, at: now)
        try stores.keys.insert(id, project: project, sealed: sealed, at: now, transaction)
        return id
    }
}
