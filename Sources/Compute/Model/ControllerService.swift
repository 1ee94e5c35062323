// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A part of Compute that runs with the API itself, not on a host, as upstream names it: administrators and their
/// scripts look for it in `os-services`. It is up whenever there is somebody to ask.
package struct ControllerService: Sendable {
    /// The zone of what runs no guests (nova: `internal_service_availability_zone`).
    package static let zone = "internal"
    /// The controller's name on the bus.
    package static let host = "controller"

    package static let all = [
        ControllerService(
            number: 2_147_483_646, serviceID: ID("6d1f0f5c-6f0e-5d0a-9a4e-0d6a6f9c1a01"), binary: "nova-conductor"),
        ControllerService(
            number: 2_147_483_647, serviceID: ID("6d1f0f5c-6f0e-5d0a-9a4e-0d6a6f9c1a02"), binary: "nova-scheduler"),
    ]

    /// For API versions before 2.53; far from those of the hosts' agents.
    package let number: Int64
    package let serviceID: ComputeServiceID
    package let binary: String
}
