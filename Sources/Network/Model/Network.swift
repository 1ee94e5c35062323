// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A layer-2 segment: an overlay of a project, or a physical network that an administrator names.
package struct Network: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case geneve, flat, vlan
    }

    package var id: NetworkID
    package var project: ProjectID
    package var name: String
    package var isEnabled: Bool
    package var mtu: Int
    package var kind: Kind
    package var physicalNetwork: String?
    package var segment: Int?
    package var isExternal: Bool
    package var isDefault: Bool
    /// What new ports get.
    package var hasPortSecurity: Bool
    package var dnsDomain: String
    /// A JSON list of strings.
    package var zoneHints: String
    /// Whether the project that asks, or everybody, may put ports on it although another owns it.
    package var isShared: Bool
    package var subnets: [SubnetID]
    /// Of the pools that its subnets come from.
    package var ipv4Scope: AddressScopeID?
    package var ipv6Scope: AddressScopeID?
    /// Whether the project that asks may see it although another owns it.
    package var isGranted: Bool
    package var standard: StandardAttributes
    /// All of them, when it has more than its own.
    package var segments: [NetworkSegment] = []
    /// Whether its subnets are tied to segments, so that they may not reach each other on layer 2.
    package var isRouted = false
    package var qosPolicy: QoSPolicyID?
    /// Whether guests may send VLAN tags of their own; nil: nobody said.
    package var isVLANTransparent: Bool?
    /// The same, inside the network's tag on the wire (802.1ad).
    package var hasQinQ: Bool?
}

/// What a caller gives to create or change a network. Nil: not given.
package struct NetworkDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var isEnabled: Bool?
    package var mtu: Int?
    package var kind: String?
    package var physicalNetwork: String?
    package var segment: Int?
    /// In place of the three above.
    package var segments: [NetworkSegmentDraft]?
    package var isExternal: Bool?
    package var isShared: Bool?
    package var isDefault: Bool?
    package var hasPortSecurity: Bool?
    package var dnsDomain: String?
    package var zoneHints: [String]?
    package var qosPolicy: QoSPolicyID??
    package var isVLANTransparent: Bool?
    package var hasQinQ: Bool?
    package var tags: [String]?
    /// Attributes that were given and differ from their default: each may have a rule of its own.
    package var given: [String] = []

    package init() {}
}
