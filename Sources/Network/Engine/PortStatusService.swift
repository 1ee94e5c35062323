// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import LogKit
import NetworkContract

/// Writes what the data plane says of ports: a port is ACTIVE only when it is plugged and programmed.
package struct PortStatusService: Service {
    package let name = "network-port-status"
    private static let pause = Duration.seconds(1)
    private let environment: NetworkEnvironment
    /// One writer at a time. A state that `repair` looks up is written before any change that comes after the look.
    private let turn = AsyncSlots("port status", slots: 1)
    private let log = Logger("network.ports")

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package func run() async throws {
        while !Task.isCancelled {
            for await change in environment.driver.portStates() { await write(change) }
            // The stream ended: the driver lost its data plane, or we are stopping.
            try? await Task.sleep(for: Self.pause)  // An early end means cancellation, which the loop sees.
        }
    }

    private func write(_ change: PortStateChange) async {
        let waiters = environment.signals.portStatus
        do {
            try await turn.run {
                try await environment.database.write { transaction in
                    let status = change.isUp ? Port.Status.active : .down
                    if try PortStore.setStatus(status, of: change.port, transaction) {
                        transaction.afterCommit { waiters.wake(change.port) }
                    }
                }
            }
        } catch {
            // The reconciler compares all states again.
            log.error("port status not written", ["port": change.port, "error": "\(error)"])
        }
    }

    /// Compares every port's status with the data plane. Returns how many it corrected.
    func repair() async throws -> Int {
        try await turn.run {
            let up = try await environment.driver.portsUp()
            // Most scans find nothing, and leave the writer to others.
            guard try await !environment.read({ try Self.wrong($0, up) }).isEmpty else { return 0 }
            let waiters = environment.signals.portStatus
            return try await environment.database.write { transaction in
                var count = 0
                for (id, isUp) in try Self.wrong(transaction, up)
                where try PortStore.setStatus(isUp ? .active : .down, of: id, transaction) {
                    count += 1
                    transaction.afterCommit { waiters.wake(id) }
                }
                return count
            }
        }
    }

    /// Ports whose row says something else than the data plane, with what that says.
    private static func wrong(
        _ transaction: any Transaction, _ up: Set<PortID>
    ) throws -> [(id: PortID, isUp: Bool)] {
        try transaction.query("SELECT id, status FROM ports WHERE status <> 'N/A'") { row in
            (id: row.id(0) as PortID, isShownUp: row.text(1) == Port.Status.active.rawValue)
        }.compactMap { shown in
            let isUp = up.contains(shown.id)
            return isUp == shown.isShownUp ? nil : (shown.id, isUp)
        }
    }
}
