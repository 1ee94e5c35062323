// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Why something that was accepted failed, in words for the user (cinder: message/message_field.py).
package struct VolumeMessage: Sendable {
    package enum Resource: String, Sendable, Codable {
        case volume = "VOLUME"
        case snapshot = "VOLUME_SNAPSHOT"
        case backup = "VOLUME_BACKUP"
    }

    package enum Action: String, Sendable, Codable {
        case scheduleVolume = "001"
        case attachVolume = "002"
        case copyVolumeToImage = "003"
        case updateAttachment = "004"
        case copyImageToVolume = "005"
        case unmanageVolume = "006"
        case extendVolume = "007"
        case createVolume = "008"
        case createSnapshot = "009"
        case deleteSnapshot = "010"
        case updateSnapshot = "011"
        case updateSnapshotMetadata = "012"
        case createBackup = "013"
        case deleteBackup = "014"
        case restoreBackup = "015"
        case reimageVolume = "016"

        var text: String {
            switch self {
            case .scheduleVolume: "schedule allocate volume"
            case .attachVolume: "attach volume"
            case .copyVolumeToImage: "copy volume to image"
            case .updateAttachment: "update attachment"
            case .copyImageToVolume: "copy image to volume"
            case .unmanageVolume: "unmanage volume"
            case .extendVolume: "extend volume"
            case .createVolume: "create volume from backend storage"
            case .createSnapshot: "create snapshot"
            case .deleteSnapshot: "delete snapshot"
            case .updateSnapshot: "update snapshot"
            case .updateSnapshotMetadata: "update snapshot metadata"
            case .createBackup: "create backup"
            case .deleteBackup: "delete backup"
            case .restoreBackup: "restore backup"
            case .reimageVolume: "reimage volume"
            }
        }
    }

    package enum Detail: String, Sendable, Codable {
        case unknown = "001"
        case driverNotInitialized = "002"
        case noBackend = "003"
        case uploadFailed = "004"
        case attachModeInvalid = "005"
        case quotaExceeded = "006"
        case imageTooLarge = "007"
        case encryptedNotUnmanaged = "008"
        case computeFailed = "009"
        case extendFailed = "010"
        case signatureWrong = "011"
        case createFailed = "012"
        case snapshotFailed = "013"
        case snapshotMetadataFailed = "014"
        case snapshotBusy = "015"
        case snapshotDeleteFailed = "016"
        case backupStateInvalid = "017"
        case backupServiceDown = "018"
        case backupDeviceFailed = "019"
        case backupFailed = "020"
        case attachFailed = "021"
        case detachFailed = "022"
        case backupCleanupFailed = "023"
        case backupNotScheduled = "024"
        case backupDeleteFailed = "025"
        case restoreFailed = "026"
        case volumeStateInvalid = "027"
        case reimageFailed = "028"
        case imageFormatUnacceptable = "029"
        case incrementalBecameFull = "030"

        var text: String {
            switch self {
            case .unknown: "An unknown error occurred."
            case .driverNotInitialized: "Driver is not initialized at present."
            case .noBackend: "Could not find any available weighted backend."
            case .uploadFailed: "Failed to upload volume to image at backend."
            case .attachModeInvalid: "Volume's attach mode is invalid."
            case .quotaExceeded: "Not enough quota resource for operation."
            case .imageTooLarge: "Image used for creating volume exceeds available space."
            case .encryptedNotUnmanaged: "Unmanaging encrypted volumes is not supported."
            case .computeFailed: "Compute service failed to extend volume."
            case .extendFailed: "Volume Driver failed to extend volume."
            case .signatureWrong: "Image signature verification failed."
            case .createFailed: "Driver failed to create the volume."
            case .snapshotFailed: "Snapshot failed to create."
            case .snapshotMetadataFailed: "Volume snapshot update metadata failed."
            case .snapshotBusy: "Snapshot is busy."
            case .snapshotDeleteFailed: "Snapshot failed to delete."
            case .backupStateInvalid: "Backup status is invalid."
            case .backupServiceDown: "Backup service is down."
            case .backupDeviceFailed: "Failed to get backup device from the volume service."
            case .backupFailed: "Backup driver failed to create backup."
            case .attachFailed: "Failed to attach volume."
            case .detachFailed: "Failed to detach volume."
            case .backupCleanupFailed: "Cleanup of temporary volume/snapshot failed."
            case .backupNotScheduled: "Backup failed to schedule. Service not found for creating backup."
            case .backupDeleteFailed: "Backup driver failed to delete backup."
            case .restoreFailed: "Backup driver failed to restore backup."
            case .volumeStateInvalid: "Volume status is invalid."
            case .reimageFailed: "Compute service failed to reimage volume."
            case .imageFormatUnacceptable:
                "The image disk format must be the same as the volume format for the volume type you are requesting."
            case .incrementalBecameFull: "Incremental backup not possible, forcing full backup."
            }
        }
    }

    package var id: VolumeMessageID
    package var projectID: ProjectID
    /// Of the request that began it.
    package var requestID: String?
    package var resource: Resource
    package var resourceID: String?
    package var action: Action
    package var detail: Detail
    package var level: String
    package var createdAt: Timestamp
    package var expiresAt: Timestamp

    package init(
        id: VolumeMessageID, projectID: ProjectID, requestID: String?, resource: Resource, resourceID: String?,
        action: Action, detail: Detail, level: String = "ERROR", createdAt: Timestamp, expiresAt: Timestamp
    ) {
        self.id = id
        self.projectID = projectID
        self.requestID = requestID
        self.resource = resource
        self.resourceID = resourceID
        self.action = action
        self.detail = detail
        self.level = level
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    package var eventID: String { "VOLUME_\(resource.rawValue)_\(action.rawValue)_\(detail.rawValue)" }
    package var text: String { "\(action.text):\(detail.text)" }
}
