// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

package struct RegionChange: Sendable {
    package var parentID: RegionID??
    package var description: String?
    package var extras = Extras()
    package init() {}
}

package struct CatalogServiceChange: Sendable {
    package var type: String?
    package var name: String??
    package var description: String??
    package var isEnabled: Bool?
    package var extras = Extras()
    package init() {}
}

package struct EndpointDraft: Sendable {
    package var serviceID: CatalogServiceID
    package var regionID: RegionID?
    package var interface: Endpoint.Interface
    package var url: EndpointURL
    package var isEnabled = true
    /// The region was named the old way, which makes one that is missing (keystone: `_validate_endpoint_region`).
    package var makesRegion = false
    package var extras = Extras()
    package init(serviceID: CatalogServiceID, regionID: RegionID?, interface: Endpoint.Interface, url: EndpointURL) {
        self.serviceID = serviceID
        self.regionID = regionID
        self.interface = interface
        self.url = url
    }
}

package struct EndpointChange: Sendable {
    package var serviceID: CatalogServiceID?
    package var regionID: RegionID??
    package var interface: Endpoint.Interface?
    package var url: EndpointURL?
    package var isEnabled: Bool?
    package var makesRegion = false
    package var extras = Extras()
    package init() {}
}
