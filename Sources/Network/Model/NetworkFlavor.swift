// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

package enum NetworkFlavorTag {}
package enum ServiceProfileTag {}
package typealias NetworkFlavorID = ID<NetworkFlavorTag>
package typealias ServiceProfileID = ID<ServiceProfileTag>

/// A kind of a network service that users choose by name, without knowing what drives it.
package struct NetworkFlavor: Sendable, Equatable {
    /// Services that may have flavors, by upstream's names.
    package static let serviceTypes: Set<String> = ["FLAVORS", router, "QOS", "SEGMENTS", "CORE"]
    package static let router = "L3_ROUTER_NAT"

    package var id: NetworkFlavorID
    package var name: String
    package var description: String
    package var serviceType: String
    package var isEnabled: Bool
    package var profiles: [ServiceProfileID]
}

/// What stands behind a flavor: a driver, or what a driver shall know.
package struct ServiceProfile: Sendable, Equatable {
    package var id: ServiceProfileID
    package var description: String
    package var driver: String
    package var metainfo: String
    package var isEnabled: Bool
    package var flavors: [NetworkFlavorID]
}

/// Who provides a service. There is one: the cloud's own data plane, under upstream's name for it.
package enum ServiceProvider {
    package static let serviceType = NetworkFlavor.router
    package static let name = "ovn"
    package static let driver = "neutron.services.ovn_l3.service_providers.ovn.OvnDriver"
}

/// What a caller gives to create or change a flavor. Nil: not given.
package struct NetworkFlavorDraft: Sendable {
    package var name: String?
    package var description: String?
    package var serviceType: String?
    package var isEnabled: Bool?

    package init() {}
}

package struct ServiceProfileDraft: Sendable {
    package var description: String?
    package var driver: String?
    package var metainfo: String?
    package var isEnabled: Bool?

    package init() {}
}
