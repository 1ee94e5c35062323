// SPDX-License-Identifier: Apache-2.0

/// The words of a snapshot's `status`.
package enum VolumeSnapshotStatus: String, Sendable, CaseIterable, Codable {
    /// Leaves by `createFinished`, `createFailed`.
    case creating
    case available
    case deleting
    /// The volume is made to read as it.
    case restoring
    case backingUp = "backing-up"
    case unmanaging
    case error
    case errorDeleting = "error_deleting"

    /// Whether a run must hold the row while it is in this status.
    package var needsRun: Bool {
        switch self {
        case .creating, .deleting, .restoring, .unmanaging, .backingUp: true
        case .available, .error, .errorDeleting: false
        }
    }
}

package enum VolumeSnapshotEvent: Sendable, Hashable {
    case createFinished, createFailed
    case deleteRequested
    /// An administrator's, from any status.
    case deleteForced
    case deleteFailed
    case restoreRequested, restoreEnded
    case backupRequested, backupEnded
    case unmanageRequested, unmanageFailed
    case reset(VolumeSnapshotStatus)
}

extension VolumeSnapshotStatus {
    /// The status after `event`, or nil when the event is illegal here.
    package func after(_ event: VolumeSnapshotEvent) -> VolumeSnapshotStatus? {
        switch (self, event) {
        case (.creating, .createFinished): .available
        case (.creating, .createFailed): .error
        case (.available, .deleteRequested), (.error, .deleteRequested), (.errorDeleting, .deleteRequested): .deleting
        case (_, .deleteForced): .deleting
        case (.deleting, .deleteFailed): .errorDeleting
        case (.available, .restoreRequested): .restoring
        case (.restoring, .restoreEnded): .available
        case (.available, .backupRequested): .backingUp
        case (.backingUp, .backupEnded): .available
        case (.available, .unmanageRequested), (.error, .unmanageRequested): .unmanaging
        case (.unmanaging, .unmanageFailed): .error
        case (_, .reset(let wanted)): wanted
        default: nil
        }
    }
}
