// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import NetworkContract

/// Writes what the data plane says of ports: a port is ACTIVE only when it is plugged and programmed.
package struct PortStatusService: Service {
    package let name = "network-port-status"
    private static let pause = Duration.seconds(1)
    private let environment: NetworkEnvironment
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
            try await environment.database.write { transaction in
                let status = change.isUp ? Port.Status.active : .down
                if try PortStore.setStatus(status, of: change.port, transaction) {
                    transaction.afterCommit { waiters.wake(change.port) }
                }
            }
        } catch {
            // The reconciler compares all states again.
            log.error("port status not written", ["port": change.port, "error": "\(error)"])
        }
    }
}
