// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A volume as Compute sees it.
package struct VolumeInfo: Sendable, Equatable {
    package struct Attachment: Sendable, Equatable {
        package var id: VolumeAttachmentID
        /// Nil: attached to something that is no server.
        package var server: String?
        package var device: String?
        package init(id: VolumeAttachmentID, server: String?, device: String?) {
            self.id = id
            self.server = server
            self.device = device
        }
    }

    package var id: VolumeID
    package var name: String
    package var project: ProjectID
    /// `available`, `in-use`, `creating`, `error`, …: the API's words.
    package var status: String
    package var sizeGiB: Int
    package var isBootable: Bool
    package var isMultiattach: Bool
    package var isEncrypted: Bool
    package var availabilityZone: String
    package var attachments: [Attachment]
    /// `volume_image_metadata`: what the image said of itself when the volume was made from it (`image_id`, `min_ram`,
    /// `hw_disk_bus`, …). Empty: from no image.
    package var imageMetadata: [String: String]

    package init(
        id: VolumeID, name: String, project: ProjectID, status: String, sizeGiB: Int, isBootable: Bool,
        isMultiattach: Bool, isEncrypted: Bool, availabilityZone: String, attachments: [Attachment],
        imageMetadata: [String: String]
    ) {
        self.id = id
        self.name = name
        self.project = project
        self.status = status
        self.sizeGiB = sizeGiB
        self.isBootable = isBootable
        self.isMultiattach = isMultiattach
        self.isEncrypted = isEncrypted
        self.availabilityZone = availabilityZone
        self.attachments = attachments
        self.imageMetadata = imageMetadata
    }
}

package struct VolumeSnapshotInfo: Sendable, Equatable {
    package var id: VolumeSnapshotID
    package var volume: VolumeID
    package var status: String
    package var sizeGiB: Int
    package init(id: VolumeSnapshotID, volume: VolumeID, status: String, sizeGiB: Int) {
        self.id = id
        self.volume = volume
        self.status = status
        self.sizeGiB = sizeGiB
    }
}

/// A volume that Compute makes for a server that boots from it.
package struct ServerVolumeDraft: Sendable, Codable, Equatable {
    package enum Source: Sendable, Codable, Equatable {
        case blank
        case image(String)
        case snapshot(VolumeSnapshotID)
    }
    package var source: Source
    package var sizeGiB: Int
    package var typeName: String?
    package var availabilityZone: String?
    package init(source: Source, sizeGiB: Int, typeName: String? = nil, availabilityZone: String? = nil) {
        self.source = source
        self.sizeGiB = sizeGiB
        self.typeName = typeName
        self.availabilityZone = availabilityZone
    }
}

/// What other services ask of Block Storage. Ids are chosen by the caller before anything is made, so every call may be
/// repeated: a saga of the caller that lost the answer asks again and makes no second.
///
/// An attachment is a lease of the volume. It is reserved (nobody else gets the volume), connected (exported to one
/// host), completed (a guest uses it), and ends only by `release`, which the caller sends when the host has confirmed
/// that it closed the volume, or was fenced.
package protocol BlockStorageService: Sendable {
    /// Nil: there is none, or `principal` may not see it.
    func volume(_ id: VolumeID, for principal: Principal) async throws -> VolumeInfo?
    func snapshot(_ id: VolumeSnapshotID, for principal: Principal) async throws -> VolumeSnapshotInfo?

    /// Whether `principal` may make volumes of the type that is named so, by name or id.
    func hasVolumeType(_ name: String, for principal: Principal) async throws -> Bool
    /// Begins to make a volume, with quota and policy of `principal`; answers while it is `creating`.
    func ensureVolume(
        _ id: VolumeID, _ draft: ServerVolumeDraft, name: String, for principal: Principal
    ) async throws -> VolumeInfo
    /// Returns when the volume is `available`; throws why it is in error, or `.unavailable` when `limit` has passed.
    func waitUntilAvailable(_ id: VolumeID, limit: Duration) async throws -> VolumeInfo
    /// Not an error when it is gone. Deletes as soon as nothing is attached any more.
    func deleteServerVolume(_ id: VolumeID) async throws

    /// Throws what upstream answers: 404, or 400 `InvalidVolume` when the status does not allow it.
    func reserve(
        _ attachment: VolumeAttachmentID, volume: VolumeID, server: String, for principal: Principal
    ) async throws
    /// Exports the volume to the host.
    func connect(_ attachment: VolumeAttachmentID, to connector: HostConnector) async throws -> VolumeConnection
    /// `device` is the name that the API shows: `/dev/vdb`.
    func complete(_ attachment: VolumeAttachmentID, device: String) async throws
    /// Status `detaching`; throws when the volume is not attached by it. Nobody may detach twice at once.
    func beginDetaching(_ attachment: VolumeAttachmentID, for principal: Principal) async throws
    func abortDetaching(_ attachment: VolumeAttachmentID) async throws
    /// Takes the export back; the volume stays reserved for its server, and no host can open it. The host has confirmed that
    /// it closed the volume, or was fenced. Not an error when nothing is exported.
    func disconnect(_ attachment: VolumeAttachmentID) async throws
    /// Gives a volume that is reserved, and that no host has open, the bytes of an image. Returns when it has them; throws
    /// why it has not, or `.unavailable` when `limit` has passed. Asked again, it waits for what is under way, or begins
    /// anew.
    func reimage(_ volume: VolumeID, from image: String, limit: Duration, for principal: Principal) async throws
    /// Takes the export back and ends the lease. Not an error when it is gone.
    func release(_ attachment: VolumeAttachmentID) async throws
    /// Which of these leases are there still.
    func leases(among attachments: [VolumeAttachmentID]) async throws -> Set<VolumeAttachmentID>

    /// Snapshots every volume given, for an image of a server that boots from a volume. Ids are the caller's.
    func ensureSnapshot(
        _ id: VolumeSnapshotID, of volume: VolumeID, name: String, for principal: Principal
    ) async throws -> VolumeSnapshotInfo
}
