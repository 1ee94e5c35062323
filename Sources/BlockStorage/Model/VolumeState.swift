// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What a volume is, or what is being done to it. The words are the API's.
package enum VolumeStatus: String, Sendable, CaseIterable, Codable {
    /// Leaves by `createFinished`, `createFailed`.
    case creating
    /// At rest and nobody's.
    case available
    /// Promised to one attachment.
    case reserved
    case attaching
    case detaching
    /// At rest, a guest uses it.
    case inUse = "in-use"
    /// Being moved, and locked for its owner meanwhile.
    case maintenance
    case deleting
    case awaitingTransfer = "awaiting-transfer"
    case extending, retyping, uploading, downloading, reverting, unmanaging
    case managing
    case backingUp = "backing-up"
    case restoringBackup = "restoring-backup"
    /// Something must be done: delete or an administrator's reset leave these.
    case error
    case errorDeleting = "error_deleting"
    case errorExtending = "error_extending"
    case errorRestoring = "error_restoring"
    case errorBackingUp = "error_backing-up"
    case errorManaging = "error_managing"
    case errorUnmanaging = "error_unmanaging"

    package var isError: Bool { rawValue.hasPrefix("error") }

    /// Whether a run must hold the row while it is in this status, so that a row without one is an orphan.
    package var needsRun: Bool {
        switch self {
        case .creating, .deleting, .extending, .retyping, .uploading, .downloading, .reverting, .unmanaging, .managing,
            .maintenance, .backingUp, .restoringBackup:
            true
        default: false
        }
    }
}

/// Work on a volume's bytes that a run does, from a status at rest back to one.
package enum VolumeWork: String, Sendable, CaseIterable, Codable {
    case extend, retype, upload, migrate, revert, reimage, backUp, restore, unmanage

    package var status: VolumeStatus {
        switch self {
        case .extend: .extending
        case .retype: .retyping
        case .upload: .uploading
        case .migrate: .maintenance
        case .revert: .reverting
        case .reimage: .downloading
        case .backUp: .backingUp
        case .restore: .restoringBackup
        case .unmanage: .unmanaging
        }
    }

    /// The statuses that it may start from.
    package var origins: Set<VolumeStatus> {
        switch self {
        case .extend, .retype, .upload, .backUp: [.available, .inUse]
        case .migrate, .revert: [.available]
        case .reimage: [.available, .error, .reserved]
        case .restore: [.available]
        case .unmanage: [.available, .error]
        }
    }

    /// What a failure leaves of a volume that was in `previous`. Nil: the bytes are as they were, so is the status.
    func failure(from previous: VolumeStatus) -> VolumeStatus? {
        switch self {
        // A guest that uses the volume goes on with what it has.
        case .extend: previous == .inUse ? nil : .errorExtending
        case .restore: .errorRestoring
        case .revert, .reimage: .error
        case .unmanage: .errorUnmanaging
        case .retype, .upload, .migrate, .backUp: nil
        }
    }
}

/// A volume's whole life: its status, and the one that it returns to.
package struct VolumeState: Hashable, Sendable, Codable, CustomStringConvertible {
    package var status: VolumeStatus
    /// `previous_status`: set while work is done.
    package var previous: VolumeStatus?

    package init(_ status: VolumeStatus, previous: VolumeStatus? = nil) {
        self.status = status
        self.previous = previous
    }

    package static let new = VolumeState(.creating)

    package var description: String { status.rawValue }
}

package enum VolumeEvent: Sendable, Hashable {
    case createFinished, createFailed
    /// The last step of a creation is taken back.
    case createUndone
    case manageFailed
    case deleteRequested
    /// An administrator's, from any status.
    case deleteForced
    case deleteFailed
    case workRequested(VolumeWork)
    case workFinished(VolumeWork)
    case workFailed(VolumeWork)
    case transferRequested, transferEnded
    /// An attachment takes the volume. A second one only where the volume allows several.
    case reserveRequested(isMultiattach: Bool)
    /// `os-reserve`, of clients that know no attachments.
    case attachRequested(isMultiattach: Bool)
    case detachRequested, detachAborted
    /// The attachments are these now.
    case attachmentsChanged([VolumeAttachStatus], isMultiattach: Bool)
    /// An administrator says what is true (`os-reset_status`).
    case reset(VolumeStatus)
}

extension VolumeState {
    /// The state after `event`, or nil when the event is illegal here.
    package func after(_ event: VolumeEvent) -> VolumeState? {
        switch event {
        case .createFinished: status == .creating || status == .managing ? VolumeState(.available) : nil
        case .createFailed: status == .creating ? VolumeState(.error) : nil
        case .createUndone: status == .available ? VolumeState(.creating) : nil
        case .manageFailed: status == .creating || status == .managing ? VolumeState(.errorManaging) : nil
        case .deleteRequested: Self.deletable.contains(status) ? VolumeState(.deleting) : nil
        case .deleteForced: VolumeState(.deleting)
        case .deleteFailed: status == .deleting ? VolumeState(.errorDeleting) : nil
        case .workRequested(let work):
            work.origins.contains(status) ? VolumeState(work.status, previous: status) : nil
        case .workFinished(let work):
            status == work.status ? VolumeState(work == .reimage ? rest ?? .available : previous ?? .available) : nil
        case .workFailed(let work):
            status == work.status
                ? VolumeState(work.failure(from: previous ?? .available) ?? previous ?? .available) : nil
        case .transferRequested: status == .available ? VolumeState(.awaitingTransfer) : nil
        case .transferEnded: status == .awaitingTransfer ? VolumeState(.available) : nil
        case .reserveRequested(let isMultiattach):
            status == .available || isMultiattach && status == .inUse ? VolumeState(.reserved) : nil
        case .attachRequested(let isMultiattach):
            status == .available || isMultiattach && status == .inUse ? VolumeState(.attaching) : nil
        case .detachRequested: status == .inUse ? VolumeState(.detaching) : nil
        case .detachAborted: status == .detaching ? VolumeState(.inUse) : nil
        case .attachmentsChanged(let attachments, let isMultiattach):
            afterChange(to: Self.settled(attachments, isMultiattach: isMultiattach))
        case .reset(let wanted): VolumeState(wanted)
        }
    }

    /// cinder: volume/api.py, `delete`.
    package static let deletable: [VolumeStatus] = [
        .available, .error, .errorRestoring, .errorExtending, .errorManaging, .errorDeleting,
    ]

    /// A reimage of a volume in error heals it.
    private var rest: VolumeStatus? { previous.flatMap { $0 == .error ? nil : $0 } }

    /// Work and faults go on; the volume returns to what its attachments say afterwards.
    private func afterChange(to settled: VolumeStatus) -> VolumeState? {
        switch status {
        case .available, .reserved, .attaching, .detaching, .inUse: return VolumeState(settled)
        default:
            guard let previous, [.available, .inUse, .reserved].contains(previous) else { return self }
            return VolumeState(status, previous: settled)
        }
    }

    /// The status of a volume at rest with these attachments (cinder: db.volume_detached). A second attachment of a volume
    /// that is for one server alone changes nothing while a guest uses it by the first.
    package static func settled(_ attachments: [VolumeAttachStatus], isMultiattach: Bool) -> VolumeStatus {
        if !isMultiattach, attachments.contains(.attached) {
            return attachments.contains(.detaching) ? .detaching : .inUse
        }
        if attachments.contains(.reserved) { return .reserved }
        if attachments.contains(.attaching) { return .attaching }
        if attachments.contains(.detaching) { return .detaching }
        return attachments.contains(.attached) || attachments.contains(.errorDetaching) ? .inUse : .available
    }
}

/// The words of an attachment's `status`.
package enum VolumeAttachStatus: String, Sendable, CaseIterable, Codable {
    case reserved
    /// Exported to a host that has not said yet that a guest uses it.
    case attaching
    case attached
    case detaching
    case errorAttaching = "error_attaching"
    case errorDetaching = "error_detaching"
    case detached
}
