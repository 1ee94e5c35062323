// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

package enum ConntrackHelperTag {}
package typealias ConntrackHelperID = ID<ConntrackHelperTag>

/// A protocol that a router looks into, so that connections which it announces get through.
package struct ConntrackHelper: Sendable, Equatable {
    /// Protocols by helper, as upstream knows them (constants in services/conntrack_helper).
    package static let known: [String: Set<String>] = [
        "amanda": ["tcp"], "ftp": ["tcp"], "h323": ["udp"], "irc": ["tcp"], "netbios-ns": ["udp"], "pptp": ["tcp"],
        "sane": ["tcp"], "sip": ["tcp", "udp"], "snmp": ["udp"], "tftp": ["udp"],
    ]
    package static let protocols = ["dccp", "icmp", "ipv6-icmp", "sctp", "tcp", "udp"]

    package var id: ConntrackHelperID
    package var router: RouterID
    package var helper: String
    package var protocolName: String
    package var port: Int
    package var createdAt: Timestamp
}

/// What a caller gives to create or change a helper. Nil: not given.
package struct ConntrackHelperDraft: Sendable {
    package var helper: String?
    package var protocolName: String?
    package var port: Int?

    package init() {}
}
