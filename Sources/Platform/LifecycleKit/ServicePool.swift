// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import Synchronization

/// Services that come and go while the process runs, such as one for each disk. All end with it.
package final class ServicePool: Service {
    private struct State {
        var isStopping = false
        var tasks: [String: Task<Void, Never>] = [:]
    }

    package let name: String
    private let state = Mutex(State())
    private let log = Logger("lifecycle")

    package init(_ name: String) { self.name = name }

    /// Runs `service` until `end` is called with its name or the process stops. False, and it never runs, when the
    /// process is stopping or one of that name runs.
    @discardableResult
    package func start(_ service: any Service) -> Bool {
        state.withLock { state in
            guard !state.isStopping, state.tasks[service.name] == nil else { return false }
            let log = log
            state.tasks[service.name] = Task {
                do {
                    try await service.run()
                } catch {
                    log.error("service failed", ["service": service.name, "error": "\(error)"])
                }
                self.state.withLock { $0.tasks[service.name] = nil }
            }
            return true
        }
    }

    /// Returns when the service has stopped. Does nothing when none of that name runs.
    package func end(_ name: String) async {
        guard let task = state.withLock({ $0.tasks[name] }) else { return }
        task.cancel()
        await shielded { await task.value }
    }

    /// Waits until the task that runs this is cancelled, then stops all at once.
    package func run() async throws {
        await Signal().wait()
        let tasks = state.withLock { state in
            state.isStopping = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        await shielded { for task in tasks { await task.value } }
    }
}
