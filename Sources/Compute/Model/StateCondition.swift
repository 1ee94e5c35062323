// SPDX-License-Identifier: Apache-2.0

/// States of servers that a list is limited to.
package struct StateCondition: Sendable, Equatable {
    package enum Tasks: Sendable, Equatable {
        case any
        case only(Set<ServerTask>)
        /// Also none.
        case allBut(Set<ServerTask>)
    }
    package var vm: VMState
    package var tasks: Tasks

    package init(_ vm: VMState, _ tasks: Tasks = .any) {
        self.vm = vm
        self.tasks = tasks
    }

    package func holds(for state: ServerState) -> Bool {
        guard state.vm == vm else { return false }
        switch tasks {
        case .any: return true
        case .only(let tasks): return state.task.map(tasks.contains) ?? false
        case .allBut(let tasks): return state.task.map { !tasks.contains($0) } ?? true
        }
    }
}

extension ServerState {
    /// The states that a `status` filter means; nil for a status that does not exist.
    package static func filter(status: String) -> [StateCondition]? {
        let status = status.uppercased()
        let conditions = VMState.allCases.compactMap { vm -> StateCondition? in
            let others = Set(ServerTask.allCases.filter { ServerState(vm, $0).status != status })
            guard ServerState(vm).status != status else {
                return StateCondition(vm, others.isEmpty ? .any : .allBut(others))
            }
            let tasks = Set(ServerTask.allCases).subtracting(others)
            return tasks.isEmpty ? nil : StateCondition(vm, .only(tasks))
        }
        return conditions.isEmpty ? nil : conditions
    }
}
