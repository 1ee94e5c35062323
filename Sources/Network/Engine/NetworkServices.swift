// SPDX-License-Identifier: Apache-2.0
import LifecycleKit
import TaskKit

/// The long-lived parts of this service, for the composition root.
package struct NetworkServices: Sendable {
    /// Run these, in this order: states that ports reach are heard from the first projection on.
    package let services: [any Service]
    /// Give this to the process's `ReconcilerRunner`.
    package let reconciler: NetworkReconciler
    /// For tests that drive it by hand.
    package let projector: NetworkProjector

    package init(_ environment: NetworkEnvironment) {
        let turn = DriverTurn()
        projector = NetworkProjector(environment, turn)
        reconciler = NetworkReconciler(environment, turn)
        services = [PortStatusService(environment), projector]
    }
}
