// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import TaskKit

/// The words of a backup's `status`.
package enum VolumeBackupStatus: String, Sendable, CaseIterable, Codable {
    /// Leaves by the end of its run.
    case creating, deleting, restoring
    case available, error
    case errorDeleting = "error_deleting"
    case deleted

    package var needsRun: Bool { self == .creating || self == .deleting || self == .restoring }
}

/// A copy of a volume's bytes outside of its backend.
package struct VolumeBackup: Sendable {
    package var id: VolumeBackupID
    package var projectID: ProjectID
    package var userID: UserID
    package var name: String?
    package var description: String?
    /// `VolumeBackup.importedVolume` for one that came as a record.
    package var volumeID: VolumeID
    package var snapshotID: VolumeSnapshotID?
    /// By which the store knows the bytes: its own id, or that of the backup whose record was taken over. Nil: another
    /// backup of the same bytes goes on with them, while this one ends.
    package var dataID: VolumeBackupID?
    /// The backup whose chunks an incremental one shares.
    package var parentID: VolumeBackupID?
    package var sizeGiB: Int
    /// Files of its own in the store.
    package var objectCount: Int
    package var container: String?
    package var zone: String
    package var host: String
    /// The store's name (`service`).
    package var service: String
    package var status: VolumeBackupStatus
    /// The run that holds the status.
    package var sagaRun: SagaRunID?
    package var failReason: String?
    /// Of the volume that is written over by it.
    package var restoreVolumeID: VolumeID?
    package var keyID: VolumeKeyID?
    package var metadata: [String: String]
    /// What the volume was: its name, its metadata, whether it boots, its image's words; restored with the bytes.
    package var volumeFacts: VolumeFacts
    /// When the bytes were as the backup has them.
    package var dataTimestamp: Timestamp
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    /// The volume of backups that came as records (cinder: backup/api.py, `IMPORT_VOLUME_ID`).
    package static let importedVolume = VolumeID("00000000-0000-0000-0000-000000000000")

    package init(
        id: VolumeBackupID, projectID: ProjectID, userID: UserID, volumeID: VolumeID, sizeGiB: Int, zone: String,
        host: String, service: String, createdAt: Timestamp
    ) {
        self.id = id
        dataID = id
        self.projectID = projectID
        self.userID = userID
        self.volumeID = volumeID
        self.sizeGiB = sizeGiB
        self.zone = zone
        self.host = host
        self.service = service
        self.createdAt = createdAt
        objectCount = 0
        status = .creating
        metadata = [:]
        volumeFacts = VolumeFacts()
        dataTimestamp = createdAt
    }

    package struct VolumeFacts: Sendable, Codable, Equatable {
        package var isBootable = false
        package var imageMetadata: [String: String] = [:]
        package var typeID: VolumeTypeID?
        package var name: String?
        package var description: String?
        package var metadata: [String: String]?
        package init() {}
    }
}
