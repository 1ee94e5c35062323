// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A volume as its driver knows it.
package struct VolumeHandle: Sendable, Codable, Equatable {
    package var id: VolumeID
    package var sizeGiB: Int
    /// What the driver called it when it made it, or last moved it; empty before. Saved with the row, given back with
    /// every call, shown to nobody but administrators.
    package var location: String
    /// The passphrase of a LUKS volume. Nil: not encrypted.
    package var passphrase: String?
    /// Whether somebody has an attachment of it, guest or not, running or not. Nil: not said, so it may be.
    package var isAttached: Bool?

    package init(
        id: VolumeID, sizeGiB: Int, location: String = "", passphrase: String? = nil, isAttached: Bool? = nil
    ) {
        self.id = id
        self.sizeGiB = sizeGiB
        self.location = location
        self.passphrase = passphrase
        self.isAttached = isAttached
    }
}

package struct VolumeSnapshotHandle: Sendable, Codable, Equatable {
    package var id: VolumeSnapshotID
    package var volume: VolumeID
    package var sizeGiB: Int
    package var location: String
    package var passphrase: String?

    package init(
        id: VolumeSnapshotID, volume: VolumeID, sizeGiB: Int, location: String = "", passphrase: String? = nil
    ) {
        self.id = id
        self.volume = volume
        self.sizeGiB = sizeGiB
        self.location = location
        self.passphrase = passphrase
    }
}

package enum VolumeSource: Sendable, Codable, Equatable {
    case blank
    /// The format is the one that Image checked when it took the bytes; never guessed again.
    case image(id: String, format: String, virtualSizeBytes: Int64)
    case snapshot(VolumeSnapshotHandle)
    case volume(VolumeHandle)
}

/// An image as a volume's content. The format is the one that Image checked when it took the bytes.
package struct VolumeImage: Sendable, Codable, Equatable {
    package var id: String
    package var format: String
    package var virtualSizeBytes: Int64
    package init(id: String, format: String, virtualSizeBytes: Int64) {
        self.id = id
        self.format = format
        self.virtualSizeBytes = virtualSizeBytes
    }
}

/// What a pool is and has, for the scheduler.
package struct VolumePool: Sendable, Codable, Equatable {
    /// What upstream's own drivers say, and types ask for.
    package static let vendorName = "Open Source"

    /// `host@backend#pool`, as upstream names it.
    package var name: String
    package var backendName: String
    package var totalGiB: Double
    package var freeGiB: Double
    /// The sum of the sizes that were promised.
    package var provisionedGiB: Double
    package var driverVersion: String
    /// `file`, `nfs`, `iSCSI`, `ceph`.
    package var storageProtocol: String
    package var isThin: Bool
    package var supportsMultiattach: Bool
    package var supportsOnlineExtend: Bool

    package init(
        name: String, backendName: String, totalGiB: Double, freeGiB: Double, provisionedGiB: Double,
        driverVersion: String = "1.0.0", storageProtocol: String, isThin: Bool = true,
        supportsMultiattach: Bool = true, supportsOnlineExtend: Bool = true
    ) {
        self.name = name
        self.backendName = backendName
        self.totalGiB = totalGiB
        self.freeGiB = freeGiB
        self.provisionedGiB = provisionedGiB
        self.driverVersion = driverVersion
        self.storageProtocol = storageProtocol
        self.isThin = isThin
        self.supportsMultiattach = supportsMultiattach
        self.supportsOnlineExtend = supportsOnlineExtend
    }
}

/// What a snapshot of a volume leaves behind.
package struct VolumeSnapshotResult: Sendable, Codable, Equatable {
    package var snapshotLocation: String
    /// Where the volume's own bytes go from now on; equal to before where the storage itself freezes them.
    package var volumeLocation: String
    package init(snapshotLocation: String, volumeLocation: String) {
        self.snapshotLocation = snapshotLocation
        self.volumeLocation = volumeLocation
    }
}

/// One backend. Every call may be repeated, from any state that an earlier try left, and gives the same result; deleting
/// what is not there is no error. Calls about one volume never overlap: the agent queues them. Failures are `CloudError`
/// with a message for the operator; the user gets a message of Block Storage's own.
package protocol VolumeDriver: Sendable {
    /// Opens and checks the backend. Throws what hinders it, with the remedy.
    func start() async throws
    func pool() async throws -> VolumePool

    /// Returns the location. The volume has `sizeGiB` and reads as zeros, or as the source and zeros after it.
    func create(_ volume: VolumeHandle, from source: VolumeSource) async throws -> String
    /// The volume, which nobody has open, reads as the image and zeros after it, also when its bytes had gone; it has
    /// its size. Snapshots of it stay what they are. Returns the location. Where a volume's content can be exchanged at
    /// once, a failure leaves it as it was.
    func reimage(_ volume: VolumeHandle, from image: VolumeImage) async throws -> String
    func delete(_ volume: VolumeHandle) async throws
    /// `isOpen`: a guest has it open, and its host will be told the new size by Compute afterwards.
    func extend(_ volume: VolumeHandle, toGiB size: Int, isOpen: Bool) async throws

    /// True: while a guest has the volume open, its host must be moved to the new location by Compute
    /// (`ComputeService.moveVolume`), between `createSnapshot` and the saving of the result.
    var movesOnSnapshot: Bool { get }
    func createSnapshot(_ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle) async throws -> VolumeSnapshotResult
    func deleteSnapshot(_ snapshot: VolumeSnapshotHandle) async throws
    /// The volume, which nobody has open, reads as the snapshot again. Returns the volume's location.
    func revert(_ volume: VolumeHandle, to snapshot: VolumeSnapshotHandle) async throws -> String

    /// Exports the volume to one host. One volume may be exported to several.
    func connect(_ volume: VolumeHandle, to connector: HostConnector, isReadOnly: Bool) async throws
        -> VolumeConnection
    func disconnect(_ volume: VolumeHandle, from connector: HostConnector) async throws

    /// Writes the bytes that the volume or snapshot holds into a new file in the format given: for images and backups.
    /// The file is sparse where the source is. Decrypted when a passphrase is given.
    func export(_ content: VolumeContent, to path: String, format: VolumeConnection.Format) async throws
    /// Overwrites a volume, which nobody has open, with the bytes of a file: for restoring a backup.
    func restore(_ volume: VolumeHandle, from path: String, format: VolumeConnection.Format) async throws -> String

    /// What is there that no volume and snapshot given needs is removed, when it is older than `age`. Returns the names
    /// of what was removed.
    func sweep(keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration)
        async throws -> [String]

    /// What could be managed: names in the backend's own terms, with sizes.
    func foreignVolumes() async throws -> [ForeignVolume]
    /// Takes over what is there by that name. Returns the location.
    func manage(_ volume: VolumeHandle, reference: String) async throws -> String
    /// Forgets the volume and leaves its bytes where the operator finds them.
    func unmanage(_ volume: VolumeHandle) async throws

    /// What could be managed as a snapshot of one of these volumes.
    func foreignSnapshots(of volumes: [VolumeHandle]) async throws -> [ForeignSnapshot]
    /// Takes over what is there by that name, for a volume whose snapshot it may be. Returns the snapshot's location.
    func manageSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle, reference: String
    ) async throws -> String
    /// Forgets the snapshot and leaves what it froze where the operator finds it, for as long as he likes.
    func unmanageSnapshot(_ snapshot: VolumeSnapshotHandle) async throws
}

package enum VolumeContent: Sendable, Codable, Equatable {
    case volume(VolumeHandle)
    case snapshot(VolumeSnapshotHandle)
}

package struct ForeignVolume: Sendable, Codable, Equatable {
    package var reference: String
    package var sizeGiB: Int
    package init(reference: String, sizeGiB: Int) {
        self.reference = reference
        self.sizeGiB = sizeGiB
    }
}

package struct ForeignSnapshot: Sendable, Codable, Equatable {
    package var reference: String
    package var sizeGiB: Int
    /// Whose snapshot it is. Nil: the storage does not know.
    package var volume: VolumeID?
    package init(reference: String, sizeGiB: Int, volume: VolumeID?) {
        self.reference = reference
        self.sizeGiB = sizeGiB
        self.volume = volume
    }
}
