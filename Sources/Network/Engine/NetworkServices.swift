// SPDX-License-Identifier: Apache-2.0
import LifecycleKit
import NetworkContract
import TaskKit

/// The long-lived parts of this service, for the composition root.
package struct NetworkServices: Sendable {
    /// Run these, in this order: states that ports reach are heard from the first projection on.
    package let services: [any Service]
    /// Give this to the process's `ReconcilerRunner`.
    package let reconciler: NetworkReconciler
    /// For tests that drive it by hand.
    package let projector: NetworkProjector
    private let quarantine: Quarantine
    /// Objects that the data plane does not have as they should be.
    package var held: Set<LogicalKey> { quarantine.keys }

    package init(_ environment: NetworkEnvironment) {
        let plane = DataPlane(environment.driver)
        quarantine = plane.quarantine
        let statuses = PortStatusService(environment)
        projector = NetworkProjector(environment, plane)
        reconciler = NetworkReconciler(environment, plane, statuses)
        services = [statuses, projector]
    }
}
