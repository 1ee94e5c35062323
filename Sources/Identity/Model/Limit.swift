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
    package enum Owner: Sendable, Hashable {
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

/// How limits of a tree of projects bear on each other.
package enum LimitModel: String, Sendable {
    case flat
    case strictTwoLevel = "strict_two_level"

    /// Of domains and projects together.
    package var maximumDepth: Int { self == .flat ? Project.maximumDepth : 2 }

    package var help: String {
        switch self {
        case .flat: "Limit enforcement and validation does not take project hierarchy into consideration."
        case .strictTwoLevel: "This model requires project hierarchy never exceeds a depth of two"
        }
    }

    static func amount(_ limit: Int) -> Int { limit < 0 ? .max : limit }
}
