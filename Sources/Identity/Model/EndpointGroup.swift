// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// Endpoints that have something in common. A project that is given the group sees those in its catalog.
package struct EndpointGroup: Sendable, Equatable {
    /// What they have in common; what is nil does not matter.
    package struct Filter: Sendable, Equatable {
        package var serviceID: CatalogServiceID?
        package var regionID: RegionID?
        package var interface: Endpoint.Interface?
        package init() {}

        package func takes(_ endpoint: Endpoint) -> Bool {
            (serviceID ?? endpoint.serviceID) == endpoint.serviceID
                && (regionID == nil || regionID == endpoint.regionID)
                && (interface ?? endpoint.interface) == endpoint.interface
        }
    }

    package var id: EndpointGroupID
    package var name: String
    package var description: String?
    package var filter: Filter
}

package struct EndpointGroupChange: Sendable {
    package var name: String?
    package var description: String??
    package var filter: EndpointGroup.Filter?
    package init() {}
}

/// A policy that an operator keeps here for a service to fetch. Identity itself does not read it.
package struct PolicyBlob: Sendable, Equatable {
    package var id: PolicyBlobID
    package var type: String
    package var blob: String
    package var extras: Extras

    package static let maximumLength = 1 << 19
}

package struct PolicyBlobChange: Sendable {
    package var type: String?
    package var blob: String?
    package var extras = Extras()
    package init() {}
}

/// What a policy is for.
package enum PolicySubject: Sendable, Hashable {
    case endpoint(EndpointID)
    case service(CatalogServiceID)
    case region(RegionID, of: CatalogServiceID)
}
