// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import TaskKit

/// A volume as the database holds it.
package struct Volume: Sendable {
    package var id: VolumeID
    package var projectID: ProjectID
    package var userID: UserID
    package var name: String?
    package var description: String?
    package var sizeGiB: Int
    /// What the volume grows to: counted by the quota from the moment of the request.
    package var pendingSizeGiB: Int?
    package var state: VolumeState
    /// The run that holds the status.
    package var sagaRun: SagaRunID?
    package var typeID: VolumeTypeID
    package var zone: String
    /// `host@backend#pool`; nil before the scheduler has found one.
    package var host: String?
    /// The driver's word for where the bytes are.
    package var location: String
    package var isBootable: Bool
    /// Nil: nobody has said so, one way or the other.
    package var readOnly: Bool?
    package var isMultiattach: Bool
    package var keyID: VolumeKeyID?
    package var snapshotID: VolumeSnapshotID?
    package var sourceVolumeID: VolumeID?
    /// The image that it was made from.
    package var imageID: String?
    package var groupID: VolumeGroupID?
    package var groupSnapshotID: GroupSnapshotID?
    /// `migration_status`.
    package var migration: String?
    /// To be deleted as soon as nothing is attached.
    package var isDoomed = false
    package var metadata: [String: String]
    /// `volume_image_metadata`.
    package var imageMetadata: [String: String]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?
    package var launchedAt: Timestamp?

    /// Of a volume that a request asks for: no place, no bytes.
    package init(
        id: VolumeID, projectID: ProjectID, userID: UserID, sizeGiB: Int, typeID: VolumeTypeID, zone: String,
        createdAt: Timestamp, state: VolumeState = .new
    ) {
        self.id = id
        self.projectID = projectID
        self.userID = userID
        self.sizeGiB = sizeGiB
        self.typeID = typeID
        self.zone = zone
        self.createdAt = createdAt
        self.state = state
        location = ""
        isBootable = false
        isMultiattach = false
        metadata = [:]
        imageMetadata = [:]
    }

    package var status: VolumeStatus { state.status }
    package var isReadOnly: Bool { readOnly ?? false }

    /// On its way to another backend; also while its status says that a guest uses it.
    package var isMigrating: Bool { migration == "starting" || migration == "migrating" }

    /// Where commands about it go: `host@backend`.
    package var backend: String? { host.map(VolumeBackend.address) }

    /// Forgets what the run that held the row was about to make of it: nobody does it any more.
    package mutating func endWork() {
        pendingSizeGiB = nil
        if migration == "starting" || migration == "migrating" { migration = "error" }
    }

    /// As its driver knows it. `passphrase` is its key's, when it is encrypted.
    package func handle(passphrase: String?) -> VolumeHandle {
        VolumeHandle(id: id, sizeGiB: sizeGiB, location: location, passphrase: passphrase)
    }
}

/// A snapshot as the database holds it.
package struct VolumeSnapshot: Sendable {
    package var id: VolumeSnapshotID
    package var volumeID: VolumeID
    package var projectID: ProjectID
    package var userID: UserID
    package var name: String?
    package var description: String?
    /// Of the volume when the snapshot was made.
    package var sizeGiB: Int
    package var status: VolumeSnapshotStatus
    /// The run that holds the status.
    package var sagaRun: SagaRunID?
    package var typeID: VolumeTypeID
    package var location: String
    /// Percent, as `os-extended-snapshot-attributes:progress` shows.
    package var progress: Int
    package var keyID: VolumeKeyID?
    package var groupSnapshotID: GroupSnapshotID?
    package var metadata: [String: String]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: VolumeSnapshotID, of volume: Volume, projectID: ProjectID, userID: UserID, createdAt: Timestamp
    ) {
        self.id = id
        volumeID = volume.id
        self.projectID = projectID
        self.userID = userID
        sizeGiB = volume.sizeGiB
        status = .creating
        typeID = volume.typeID
        location = ""
        progress = 0
        keyID = volume.keyID
        metadata = [:]
        self.createdAt = createdAt
    }

    /// Of a row.
    init(
        id: VolumeSnapshotID, volumeID: VolumeID, projectID: ProjectID, userID: UserID, name: String?,
        description: String?, sizeGiB: Int, status: VolumeSnapshotStatus, sagaRun: SagaRunID?, typeID: VolumeTypeID,
        location: String, progress: Int, keyID: VolumeKeyID?, groupSnapshotID: GroupSnapshotID?,
        metadata: [String: String], createdAt: Timestamp, updatedAt: Timestamp?
    ) {
        self.id = id
        self.volumeID = volumeID
        self.projectID = projectID
        self.userID = userID
        self.name = name
        self.description = description
        self.sizeGiB = sizeGiB
        self.status = status
        self.sagaRun = sagaRun
        self.typeID = typeID
        self.location = location
        self.progress = progress
        self.keyID = keyID
        self.groupSnapshotID = groupSnapshotID
        self.metadata = metadata
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    package func handle(passphrase: String?) -> VolumeSnapshotHandle {
        VolumeSnapshotHandle(id: id, volume: volumeID, sizeGiB: sizeGiB, location: location, passphrase: passphrase)
    }
}
