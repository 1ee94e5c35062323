// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract

/// What a server is. The words are nova's `OS-EXT-STS:vm_state`.
package enum VMState: String, Sendable, CaseIterable, Codable {
    /// Leaves by `buildFinished`, `buildFailed`, `deleteRequested`.
    case building
    case active, stopped, paused, suspended
    /// Moved to another flavor or host; what it was before is kept. Leaves by `confirmResize` and `revertResize`.
    case resized
    /// Runs from another disk. Leaves by the end of `unrescue`.
    case rescued
    /// Off, with an image of its disk made, and still on its host. Leaves by `unshelve` and `shelveOffload`.
    case shelved
    /// On no host; a shelved image or its volumes are what is left of it. Leaves by `unshelve`.
    case shelvedOffloaded = "shelved_offloaded"
    /// Off, and gone for most eyes until it is reclaimed. Leaves by `restore`.
    case softDeleted = "soft-delete"
    /// Something must be done: hard reboot, reset or delete leave it.
    case error
    /// The end.
    case deleted
}

/// What is being done to a server now. The words are nova's `OS-EXT-STS:task_state`.
package enum ServerTask: String, Sendable, CaseIterable, Codable {
    case scheduling, networking, spawning
    case rebooting
    case rebootingHard = "rebooting_hard"
    case poweringOff = "powering-off"
    case poweringOn = "powering-on"
    case pausing, unpausing, suspending, resuming
    case imageSnapshot = "image_snapshot"
    case imageBackup = "image_backup"
    case updatingPassword = "updating_password"
    case rebuilding
    case rebuildBlockDeviceMapping = "rebuild_block_device_mapping"
    case rebuildSpawning = "rebuild_spawning"
    case rescuing, unrescuing
    case shelving
    case shelvingImageUploading = "shelving_image_uploading"
    case shelvingOffloading = "shelving_offloading"
    case unshelving
    case softDeleting = "soft-deleting"
    case restoring
    case resizePrep = "resize_prep"
    case resizeMigrating = "resize_migrating"
    case resizeMigrated = "resize_migrated"
    case resizeFinish = "resize_finish"
    case resizeConfirming = "resize_confirming"
    case resizeReverting = "resize_reverting"
    case migrating
    case deleting

    /// Whether the host may start a process of the hypervisor for it.
    package var startsGuest: Bool {
        switch self {
        case .spawning, .rebooting, .rebootingHard, .poweringOn, .resuming, .rebuilding, .rebuildBlockDeviceMapping,
            .rebuildSpawning, .rescuing, .unrescuing, .unshelving, .restoring, .resizeMigrated, .resizeFinish,
            .resizeReverting, .migrating:
            true
        case .scheduling, .networking, .poweringOff, .pausing, .unpausing, .suspending, .imageSnapshot, .imageBackup,
            .updatingPassword, .shelving, .shelvingImageUploading, .shelvingOffloading, .softDeleting, .resizePrep,
            .resizeMigrating, .resizeConfirming, .deleting:
            false
        }
    }
}

/// A server's whole life: what it is, and what is being done to it.
package struct ServerState: Hashable, Sendable, Codable, CustomStringConvertible {
    package var vm: VMState
    package var task: ServerTask?

    package init(_ vm: VMState, _ task: ServerTask? = nil) {
        self.vm = vm
        self.task = task
    }

    package static let new = ServerState(.building, .scheduling)

    package var description: String { vm.rawValue + (task.map { "/" + $0.rawValue } ?? "") }
}

package enum ServerEvent: Sendable, Hashable {
    case networkRequested, spawnRequested, buildFinished, buildFailed
    /// The last step of a creation is taken back.
    case buildUndone
    case powerRequested(PowerAction.Kind)
    case powerFinished(PowerAction.Kind)
    case powerFailed(PowerAction.Kind)
    case deleteRequested, deleteFinished
    case imageRequested, imageFinished
    case workRequested(ServerWork)
    /// It has come to its next part.
    case workAdvanced(ServerWork, ServerTask)
    case workFinished(ServerWork, VMState)
    /// Leaves what was, or ERROR.
    case workFailed(ServerWork, VMState)
    /// An administrator says what is true (`os-resetState`).
    case reset(VMState)
    /// The hypervisor says what is true.
    case observed(PowerState)
}

extension ServerState {
    /// The state after `event`, or nil when the event is illegal here.
    package func after(_ event: ServerEvent) -> ServerState? {
        switch event {
        case .networkRequested: vm == .building && task != .deleting ? ServerState(.building, .networking) : nil
        case .spawnRequested: vm == .building && task != .deleting ? ServerState(.building, .spawning) : nil
        case .buildFinished: vm == .building && task != .deleting ? ServerState(.active) : nil
        case .buildFailed: vm == .building && task != .deleting ? ServerState(.error) : nil
        case .buildUndone: self == ServerState(.active) ? ServerState(.building, .spawning) : nil
        case .powerRequested(let kind):
            task == nil && kind.origins.contains(vm) ? ServerState(vm, kind.task) : nil
        case .powerFinished(let kind): task == kind.task ? ServerState(kind.result) : nil
        case .powerFailed(let kind): task == kind.task ? ServerState(vm) : nil
        case .imageRequested:
            task == nil && [.active, .stopped, .paused, .suspended].contains(vm)
                ? ServerState(vm, .imageSnapshot) : nil
        case .imageFinished: task == .imageSnapshot ? ServerState(vm) : nil
        case .workRequested(let work), .workAdvanced(let work, _), .workFinished(let work, _), .workFailed(let work, _):
            after(work, event)
        case .deleteRequested: vm == .deleted ? nil : ServerState(vm, .deleting)
        case .deleteFinished: task == .deleting ? ServerState(.deleted) : nil
        case .reset(let wanted): vm == .deleted || task == .deleting ? nil : ServerState(wanted)
        case .observed(let power): afterObserving(power)
        }
    }

    /// A server at rest follows its guest; one that something is being done to does not.
    private func afterObserving(_ power: PowerState) -> ServerState? {
        guard task == nil else { return nil }
        switch (vm, power) {
        case (.active, .shutdown), (.active, .crashed): return ServerState(.stopped)
        case (.active, .paused): return ServerState(.paused)
        case (.active, .suspended): return ServerState(.suspended)
        case (.stopped, .running), (.paused, .running), (.suspended, .running): return ServerState(.active)
        case (.paused, .shutdown), (.paused, .crashed): return ServerState(.stopped)
        default: return nil
        }
    }

    /// The `status` of the API (nova: api/openstack/common.py, the state map).
    package var status: String {
        switch vm {
        case .building: "BUILD"
        case .active: Self.workingStatus(task) ?? "ACTIVE"
        case .stopped: Self.resizeStatus(task) ?? Self.rebuildStatus(task) ?? "SHUTOFF"
        case .paused: task == .migrating ? "MIGRATING" : "PAUSED"
        case .suspended: "SUSPENDED"
        case .resized: task == .resizeReverting ? "REVERT_RESIZE" : "VERIFY_RESIZE"
        case .rescued: "RESCUE"
        case .shelved: "SHELVED"
        case .shelvedOffloaded: "SHELVED_OFFLOADED"
        case .softDeleted: "SOFT_DELETED"
        case .error: Self.rebuildStatus(task) ?? "ERROR"
        case .deleted: "DELETED"
        }
    }

    private static func workingStatus(_ task: ServerTask?) -> String? {
        switch task {
        case .rebooting: "REBOOT"
        case .rebootingHard: "HARD_REBOOT"
        case .updatingPassword: "PASSWORD"
        case .migrating: "MIGRATING"
        default: resizeStatus(task) ?? rebuildStatus(task)
        }
    }

    private static func resizeStatus(_ task: ServerTask?) -> String? {
        switch task {
        case .resizePrep, .resizeMigrating, .resizeMigrated, .resizeFinish: "RESIZE"
        default: nil
        }
    }

    private static func rebuildStatus(_ task: ServerTask?) -> String? {
        switch task {
        case .rebuilding, .rebuildBlockDeviceMapping, .rebuildSpawning: "REBUILD"
        default: nil
        }
    }
}

extension PowerAction.Kind {
    /// The states that it may start from.
    package var origins: Set<VMState> {
        switch self {
        case .start: [.stopped]
        case .stop: [.active, .error]
        case .softReboot: [.active]
        case .hardReboot: [.active, .stopped, .paused, .suspended, .error]
        case .pause: [.active]
        case .unpause: [.paused]
        case .suspend: [.active]
        case .resume: [.suspended]
        }
    }

    package var task: ServerTask {
        switch self {
        case .start: .poweringOn
        case .stop: .poweringOff
        case .softReboot: .rebooting
        case .hardReboot: .rebootingHard
        case .pause: .pausing
        case .unpause: .unpausing
        case .suspend: .suspending
        case .resume: .resuming
        }
    }

    package var result: VMState {
        switch self {
        case .start, .softReboot, .hardReboot, .unpause, .resume: .active
        case .stop: .stopped
        case .pause: .paused
        case .suspend: .suspended
        }
    }

    /// The power state that goes with `result`, for when the host does not say.
    package var power: PowerState {
        switch self {
        case .start, .softReboot, .hardReboot, .unpause, .resume: .running
        case .stop: .shutdown
        case .pause: .paused
        case .suspend: .suspended
        }
    }

    /// Whether the guest's disks are opened anew.
    package var startsGuest: Bool {
        switch self {
        case .start, .softReboot, .hardReboot, .resume: true
        case .stop, .pause, .unpause, .suspend: false
        }
    }

    /// The name on a server's timeline.
    package var actionName: String {
        switch self {
        case .start: "start"
        case .stop: "stop"
        case .softReboot, .hardReboot: "reboot"
        case .pause: "pause"
        case .unpause: "unpause"
        case .suspend: "suspend"
        case .resume: "resume"
        }
    }
}
