// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

package enum TrunkTag {}
package typealias TrunkID = ID<TrunkTag>

/// A port that carries the traffic of others, its subports, each under a VLAN tag.
package struct Trunk: Sendable, Equatable {
    package enum Status: String, Sendable {
        case active = "ACTIVE"
        /// The parent was taken from its host.
        case down = "DOWN"
    }
    package struct Subport: Sendable, Equatable {
        package var port: PortID
        package var segmentationType: String
        package var segmentation: Int
    }

    package static let subportOwner = "trunk:subport"
    package static let tags = 1...4094

    package var id: TrunkID
    package var project: ProjectID
    package var name: String
    package var port: PortID
    package var isEnabled: Bool
    package var status: Status
    package var subports: [Subport]
    package var standard: StandardAttributes
}

/// What a caller gives to create or change a trunk. Nil: not given.
package struct TrunkDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var port: PortID?
    package var isEnabled: Bool?
    package var subports: [SubportDraft] = []
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}

package struct SubportDraft: Sendable {
    package var port: PortID
    /// `vlan`, or `inherit`: what the port's own network has.
    package var segmentationType: String?
    package var segmentation: Int?

    package init(port: PortID, segmentationType: String?, segmentation: Int?) {
        self.port = port
        self.segmentationType = segmentationType
        self.segmentation = segmentation
    }
}
