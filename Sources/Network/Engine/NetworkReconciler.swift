// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import TaskKit

/// Makes the whole data plane equal to the database, at the start and every few minutes, and port states equal to what
/// the data plane says.
package struct NetworkReconciler: Reconciler {
    package let name = "network"
    package var interval: Duration { environment.config.reconcileInterval }
    private let environment: NetworkEnvironment
    private let plane: DataPlane
    private let statuses: PortStatusService

    init(_ environment: NetworkEnvironment, _ plane: DataPlane, _ statuses: PortStatusService) {
        self.environment = environment
        self.plane = plane
        self.statuses = statuses
    }

    package func reconcile() async throws -> Int {
        var count = 0
        var refusal: CloudError?
        do {
            count = try await plane.take { try await repairObjects() }
        } catch let fault as CloudError where fault.isRefusal {
            refusal = fault
        }
        count += try await statuses.repair()
        if let refusal { throw refusal }
        return count
    }

    private func repairObjects() async throws -> Int {
        let config = environment.config
        let found = try await environment.read {
            try ProjectionReader(transaction: $0, config: config).everything()
        }
        let objects = found.changes.compactMap(\.object)
        plane.quarantine.retain(Set(objects.map(\.key)))
        // A row that cannot be read says nothing: what the data plane has of it stays.
        for (key, fault) in found.unreadable { plane.quarantine.hold(key, fault) }
        return try await plane.synchronize(objects)
    }
}
