// SPDX-License-Identifier: Apache-2.0

/// What is done to a server that is neither a matter of its power alone nor its end. Each case is one saga's, or one
/// call's; the words are those of the server's timeline (nova: compute/instance_actions.py).
package enum ServerWork: String, Sendable, CaseIterable, Codable {
    case rebuild, rescue, unrescue, shelve, shelveOffload, unshelve
    case backUp = "createBackup"
    case changePassword
    case softDelete = "delete"
    case restore
    case resize, confirmResize, revertResize
    /// A cold one.
    case migrate
    case liveMigrate = "live-migration"
    case evacuate

    /// The states that it may start from (nova: compute/api.py, `check_instance_state`).
    package var origins: Set<VMState> {
        switch self {
        case .rebuild, .rescue: [.active, .stopped, .error]
        case .unrescue: [.rescued]
        case .shelve, .backUp: [.active, .stopped, .paused, .suspended]
        case .shelveOffload: [.shelved]
        case .unshelve: [.shelved, .shelvedOffloaded]
        case .changePassword: [.active]
        case .softDelete: [.active, .stopped, .paused, .suspended, .rescued, .error, .shelved, .shelvedOffloaded]
        case .restore: [.softDeleted]
        case .resize, .migrate: [.active, .stopped]
        case .confirmResize, .revertResize: [.resized]
        case .liveMigrate: [.active, .paused]
        case .evacuate: [.active, .stopped, .error]
        }
    }

    /// What `task_state` says meanwhile; the first from the beginning.
    package var tasks: [ServerTask] {
        switch self {
        case .rebuild: [.rebuilding, .rebuildBlockDeviceMapping, .rebuildSpawning]
        case .rescue: [.rescuing]
        case .unrescue: [.unrescuing]
        case .shelve: [.shelving, .shelvingImageUploading]
        case .shelveOffload: [.shelvingOffloading]
        case .unshelve: [.unshelving, .spawning]
        case .backUp: [.imageBackup]
        case .changePassword: [.updatingPassword]
        case .softDelete: [.softDeleting]
        case .restore: [.restoring]
        case .resize, .migrate: [.resizePrep, .resizeMigrating, .resizeMigrated, .resizeFinish]
        case .confirmResize: [.resizeConfirming]
        case .revertResize: [.resizeReverting]
        case .liveMigrate: [.migrating]
        case .evacuate: [.rebuilding, .rebuildSpawning]
        }
    }

    /// What the server may be afterwards. Empty: what it was.
    package var results: Set<VMState> {
        switch self {
        case .rebuild: [.active, .stopped]
        case .rescue: [.rescued]
        case .unrescue, .unshelve: [.active]
        case .restore: [.active, .shelved, .shelvedOffloaded]
        case .shelve: [.shelved, .shelvedOffloaded]
        case .shelveOffload: [.shelvedOffloaded]
        case .backUp, .changePassword: []
        case .softDelete: [.softDeleted]
        case .resize, .migrate: [.resized]
        case .confirmResize, .revertResize, .evacuate: [.active, .stopped]
        case .liveMigrate: []
        }
    }

    /// The event on the server's timeline (nova: compute/manager.py, `wrap_instance_event`).
    package var eventName: String {
        switch self {
        case .rebuild: "compute_rebuild_instance"
        case .rescue: "compute_rescue_instance"
        case .unrescue: "compute_unrescue_instance"
        case .shelve: "compute_shelve_instance"
        case .shelveOffload: "compute_shelve_offload_instance"
        case .unshelve: "compute_unshelve_instance"
        case .backUp: "compute_backup_instance"
        case .changePassword: "compute_set_admin_password"
        case .softDelete: "compute_soft_delete_instance"
        case .restore: "compute_restore_instance"
        case .resize: "compute_finish_resize"
        case .confirmResize: "compute_confirm_resize"
        case .revertResize: "compute_finish_revert_resize"
        case .migrate: "cold_migrate"
        case .liveMigrate: "compute_live_migration"
        case .evacuate: "compute_rebuild_instance"
        }
    }
}

extension ServerState {
    /// The state after something happened to `work`, or nil when that is illegal here.
    func after(_ work: ServerWork, _ event: ServerEvent) -> ServerState? {
        let isUnderWay = task.map(work.tasks.contains) ?? false
        switch event {
        case .workRequested:
            return isFree(for: work) && work.origins.contains(vm) ? ServerState(vm, work.tasks[0]) : nil
        case .workAdvanced(_, let next):
            return isUnderWay && work.tasks.contains(next) ? ServerState(vm, next) : nil
        case .workFinished(_, let result):
            let isPossible = work.results.contains(result) || (work.results.isEmpty && result == vm)
            return isUnderWay && isPossible ? ServerState(result) : nil
        case .workFailed(_, let result):
            return isUnderWay && (result == vm || result == .error) ? ServerState(result) : nil
        default: return nil
        }
    }

    /// Its guest is set aside, or is about to be.
    var isMoving: Bool { task.map(ServerWork.resize.tasks.contains) ?? false }

    /// Neither a deletion nor the loss of its host waits for what is under way; but one that is to be restored some day
    /// must have its guest where it is looked for.
    private func isFree(for work: ServerWork) -> Bool {
        switch work {
        case .evacuate: task != .deleting && task != .softDeleting
        case .softDelete: task != .deleting && task != .softDeleting && !isMoving
        default: task == nil
        }
    }
}
