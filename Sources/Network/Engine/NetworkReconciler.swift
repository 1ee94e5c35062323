// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LogKit
import NetworkContract
import TaskKit

/// Makes the whole data plane equal to the database, at the start and every few minutes, and port states equal to what
/// the data plane says.
package struct NetworkReconciler: Reconciler {
    package let name = "network"
    package var interval: Duration { environment.config.reconcileInterval }
    private let environment: NetworkEnvironment
    private let turn: DriverTurn

    package init(_ environment: NetworkEnvironment, _ turn: DriverTurn) {
        self.environment = environment
        self.turn = turn
    }

    package func reconcile() async throws -> Int {
        let config = environment.config
        let repaired = try await turn.take {
            let objects = try await environment.read {
                try ProjectionReader(transaction: $0, config: config).everything()
            }
            return try await environment.driver.synchronize(objects)
        }
        return repaired + (try await repairPortStates())
    }

    private func repairPortStates() async throws -> Int {
        let up = try await environment.driver.portsUp()
        let shown = try await environment.read { transaction in
            try transaction.query("SELECT id, status FROM ports WHERE status <> 'N/A'") { row in
                (id: row.id(0) as PortID, isUp: row.text(1) == Port.Status.active.rawValue)
            }
        }
        let wrong = shown.filter { up.contains($0.id) != $0.isUp }
        guard !wrong.isEmpty else { return 0 }
        let waiters = environment.signals.portStatus
        return try await environment.database.write { transaction in
            var count = 0
            for (id, wasUp) in wrong where try PortStore.setStatus(wasUp ? .down : .active, of: id, transaction) {
                count += 1
                transaction.afterCommit { waiters.wake(id) }
            }
            return count
        }
    }
}
