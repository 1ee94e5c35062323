// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

package enum SegmentTag {}
package typealias SegmentID = ID<SegmentTag>

/// A layer-2 domain that a network is made of. The first goes with the network; others are further doors to physical
/// networks.
package struct NetworkSegment: Sendable, Equatable {
    package var id: SegmentID
    package var network: NetworkID
    package var name: String?
    package var description: String?
    package var kind: Network.Kind
    package var physicalNetwork: String?
    package var number: Int?
    package var position: Int
    package var revision: Int
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
}

/// What a caller gives to create or change a segment. Nil: not given; `.some(nil)`: given as null.
package struct NetworkSegmentDraft: Sendable {
    package var network: NetworkID?
    package var name: String??
    package var description: String??
    package var kind: String?
    package var physicalNetwork: String?
    package var number: Int?

    package init() {}
}
