// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

/// Images of volumes.
extension VolumeEngine {
    package struct UploadOptions: Sendable {
        package var image: ImageUploadDraft
        package var isForced: Bool
        package init(image: ImageUploadDraft, isForced: Bool) {
            self.image = image
            self.isForced = isForced
        }
    }

    /// The volume as it was, and the image that is being made.
    package func upload(
        _ id: VolumeID, _ options: UploadOptions, for context: CallContext
    ) async throws -> (volume: Volume, image: ImageInfo) {
        guard let images = parts.imageUpload else {
            throw CloudError(.notImplemented, "This cloud makes no images of volumes.")
        }
        let volume = try await volume(id, for: context)
        let refusal: @Sendable (Volume) -> CloudError = { _ in
            VolumeErrors.invalidVolume(
                "Volume \(id) status must be \(options.isForced ? "available or in-use" : "available")")
        }
        guard volume.status == .available || options.isForced && volume.status == .inUse, volume.sagaRun == nil else {
            throw refusal(volume)
        }
        guard let format = Self.exportFormat(options.image.diskFormat), options.image.containerFormat == "bare" else {
            throw VolumeErrors.invalidInput("images of volumes are raw or qcow2 in a bare container.")
        }
        // cinder: volume/manager.py, `copy_volume_to_image` keeps image and key; here images have no keys.
        guard volume.keyID == nil else {
            throw VolumeErrors.invalidVolume(
                "Volume \(id) is encrypted, and an image of it would not be. Make a backup, which stays encrypted, or "
                    + "copy the content to a volume of a type without encryption first.")
        }
        var draft = options.image
        for (key, value) in volume.imageMetadata
        where !Self.ownImageKeys.contains(key) && !key.hasPrefix("img_signature") {
            draft.properties[key] = draft.properties[key] ?? value
        }
        draft.minDiskGiB = max(draft.minDiskGiB, volume.sizeGiB)
        let imageID = parts.ids.next(ImageTag.self)
        let image = try await images.ensureImage(imageID, draft, for: context.principal)
        let (parts, sagas, request) = (parts, sagas, context.requestID)
        let frozen = TemporarySnapshot.Draft(
            id: parts.ids.next(), run: parts.ids.next(), name: "image-\(imageID)",
            description: "Made for an image, and removed after it.", user: context.principal.userID, requestID: request)
        let requester = Requester(context.principal, project: try context.requireProject())
        do {
            try await begin(.upload, on: id, for: context, refusal: refusal) { volume, run, transaction in
                guard volume.status == .available || options.isForced else { throw refusal(volume) }
                let isFrozen = volume.status == .inUse
                if isFrozen { try TemporarySnapshot.begin(frozen, of: volume, parts, sagas, transaction) }
                try sagas.start(
                    UploadVolumeSaga.self, id: run,
                    ledger: .init(
                        volume: id, image: imageID, requester: requester, requestID: request, format: format,
                        snapshot: isFrozen ? frozen.id : nil), in: transaction)
            }
        } catch {
            try await images.discard(imageID, for: context.principal)
            throw error
        }
        return (volume, image)
    }

    private static func exportFormat(_ name: String) -> VolumeConnection.Format? {
        VolumeConnection.Format(rawValue: name)
    }

    /// What an image says of itself, not of its content.
    private static let ownImageKeys: Set<String> = [
        "image_id", "image_name", "container_format", "disk_format", "min_disk", "min_ram", "size", "checksum",
        "signature_verified",
    ]
}
