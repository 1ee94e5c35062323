// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

// What controller and volume agent say to each other over the bus. Fields are only ever added, as optionals.
//
// A request goes to the backend's address (`VolumeBackendReport.address`) and is answered when the work is done; the
// agent does a volume's requests one after the other. All of them may be repeated.

/// Controller to agent: one call of the backend's driver.
package struct VolumeCommand: BusMessage, Equatable {
    package typealias Reply = VolumeCommandReply
    package static let version = 1
    package static let name: StaticString = "volume.command"

    package enum Work: Sendable, Codable, Equatable {
        case create(VolumeHandle, from: VolumeSource)
        case reimage(VolumeHandle, from: VolumeImage)
        case delete(VolumeHandle)
        case extend(VolumeHandle, toGiB: Int, isOpen: Bool)
        case createSnapshot(VolumeSnapshotHandle, of: VolumeHandle)
        case deleteSnapshot(VolumeSnapshotHandle)
        case revert(VolumeHandle, to: VolumeSnapshotHandle)
        case connect(VolumeHandle, to: HostConnector, isReadOnly: Bool)
        case disconnect(VolumeHandle, from: HostConnector)
        /// To a file of the agent's host, which the caller reads and removes.
        case export(VolumeContent, path: String, format: VolumeConnection.Format)
        case restore(VolumeHandle, path: String, format: VolumeConnection.Format)
        case sweep(volumes: [VolumeHandle], snapshots: [VolumeSnapshotHandle], ageSeconds: Int)
        case foreignVolumes
        case manage(VolumeHandle, reference: String)
        case unmanage(VolumeHandle)
        case foreignSnapshots(of: [VolumeHandle])
        case manageSnapshot(VolumeSnapshotHandle, of: VolumeHandle, reference: String)
        case unmanageSnapshot(VolumeSnapshotHandle)
    }

    package var work: Work
    package init(_ work: Work) { self.work = work }
}

/// What the work left; the fields that do not belong to it are nil.
package struct VolumeCommandReply: Sendable, Codable, Equatable {
    package var location: String?
    package var snapshot: VolumeSnapshotResult?
    package var connection: VolumeConnection?
    package var swept: [String]?
    package var foreign: [ForeignVolume]?
    package var foreignSnapshots: [ForeignSnapshot]?
    package init() {}
}

/// Agent to controller: a backend and its pool, at the agent's start and then every `interval`; the heartbeat, too.
package struct VolumeBackendReport: BusEvent, Equatable {
    package static let version = 1
    package static let name: StaticString = "volume.backend-report"
    /// An agent that is silent for six times as long counts as down.
    package static let interval = Duration.seconds(10)

    /// `host@backend`: where commands go on the bus, and the service's host in `os-services`.
    package var address: String
    package var pool: VolumePool
    package var movesOnSnapshot: Bool

    package init(address: String, pool: VolumePool, movesOnSnapshot: Bool) {
        self.address = address
        self.pool = pool
        self.movesOnSnapshot = movesOnSnapshot
    }
}
