// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract

/// What a server is. The words are nova's `OS-EXT-STS:vm_state`.
package enum VMState: String, Sendable, CaseIterable, Codable {
    /// Leaves by `buildFinished`, `buildFailed`, `deleteRequested`.
    case building
    case active, stopped, paused, suspended
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
    case deleting

    /// Whether the host may start a process of the hypervisor for it.
    package var startsGuest: Bool {
        switch self {
        case .spawning, .rebooting, .rebootingHard, .poweringOn, .resuming: true
        case .scheduling, .networking, .poweringOff, .pausing, .unpausing, .suspending, .imageSnapshot, .deleting: false
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
        case .active:
            switch task {
            case .rebooting: "REBOOT"
            case .rebootingHard: "HARD_REBOOT"
            default: "ACTIVE"
            }
        case .stopped: "SHUTOFF"
        case .paused: "PAUSED"
        case .suspended: "SUSPENDED"
        case .error: "ERROR"
        case .deleted: "DELETED"
        }
    }

    /// The conditions on state and task that a `status` filter means; nil for a status that does not exist.
    package static func filter(status: String) -> (vm: VMState?, task: ServerTask?)? {
        switch status.uppercased() {
        case "BUILD": (.building, nil)
        case "ACTIVE": (.active, nil)
        case "REBOOT": (.active, .rebooting)
        case "HARD_REBOOT": (.active, .rebootingHard)
        case "SHUTOFF": (.stopped, nil)
        case "PAUSED": (.paused, nil)
        case "SUSPENDED": (.suspended, nil)
        case "ERROR": (.error, nil)
        case "DELETED": (.deleted, nil)
        // Known to upstream, and never the status of a server here.
        case "PASSWORD", "REBUILD", "MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE", "RESCUE", "SOFT_DELETED",
            "SHELVED", "SHELVED_OFFLOADED":
            (nil, nil)
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
