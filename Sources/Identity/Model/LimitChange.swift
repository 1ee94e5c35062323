// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

package struct LimitFilter: Sendable {
    package var serviceID: CatalogServiceID?
    package var regionID: RegionID?
    package var resourceName: String?
    package var projectID: ProjectID?
    package var domainID: DomainID?
    package init() {}
}

package struct RegisteredLimitDraft: Sendable {
    package var serviceID: CatalogServiceID
    package var regionID: RegionID?
    package var resourceName: String
    package var defaultLimit: Int
    package var description: String?
    package init(serviceID: CatalogServiceID, regionID: RegionID?, resourceName: String, defaultLimit: Int) {
        self.serviceID = serviceID
        self.regionID = regionID
        self.resourceName = resourceName
        self.defaultLimit = defaultLimit
    }
}

package struct RegisteredLimitChange: Sendable {
    package var serviceID: CatalogServiceID?
    package var regionID: RegionID??
    package var resourceName: String?
    package var defaultLimit: Int?
    package var description: String??
    package init() {}
}

package struct LimitDraft: Sendable {
    package var owner: Limit.Owner
    package var serviceID: CatalogServiceID
    package var regionID: RegionID?
    package var resourceName: String
    package var resourceLimit: Int
    package var description: String?
    package init(
        owner: Limit.Owner, serviceID: CatalogServiceID, regionID: RegionID?, resourceName: String, resourceLimit: Int
    ) {
        self.owner = owner
        self.serviceID = serviceID
        self.regionID = regionID
        self.resourceName = resourceName
        self.resourceLimit = resourceLimit
    }
}
