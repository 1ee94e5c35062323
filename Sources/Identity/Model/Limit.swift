// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// How much of a service's resource each project may have, unless a `Limit` says otherwise.
package struct RegisteredLimit: Sendable, Equatable {
    package var id: RegisteredLimitID
    package var serviceID: CatalogServiceID
    package var regionID: RegionID?
    package var resourceName: String
    package var defaultLimit: Int
    package var description: String?

    /// -1 means without limit.
    package static let range: ClosedRange<Int64> = -1...0x7FFF_FFFF
}

/// How much of a resource one project or domain may have.
package struct Limit: Sendable, Equatable {
    package enum Owner: Sendable, Equatable {
        case project(ProjectID)
        case domain(DomainID)
    }
    package var id: LimitID
    package var owner: Owner
    package var serviceID: CatalogServiceID
    package var regionID: RegionID?
    package var resourceName: String
    package var resourceLimit: Int
    package var description: String?
}
