// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

package enum PortForwardingTag {}
package typealias PortForwardingID = ID<PortForwardingTag>

/// External ports of a floating IP that lead to one address inside.
package struct PortForwarding: Sendable, Equatable {
    package static let protocols = ["tcp", "udp", "sctp"]
    package static let ports = 1...65535
    /// Each port of a range is a row's entry in the data plane; upstream has no bound.
    package static let longestRange = 4096
    /// Of one floating IP and protocol: what one row of the data plane holds.
    package static let mostPorts = 8192

    package var id: PortForwardingID
    package var floatingIP: FloatingIPID
    package var protocolName: String
    package var external: ClosedRange<Int>
    /// As many as outside, or one for all.
    package var inside: ClosedRange<Int>
    package var internalAddress: IPAddress
    package var internalPort: PortID
    package var description: String
    package var createdAt: Timestamp

    /// Internal socket by external port.
    package var targets: [Int: String] {
        Dictionary(
            uniqueKeysWithValues: external.map { port in
                let offset = inside.count == 1 ? 0 : port - external.lowerBound
                return (port, "\(internalAddress):\(inside.lowerBound + offset)")
            })
    }
}

/// What a caller gives to create or change a port forwarding. Nil: not given.
package struct PortForwardingDraft: Sendable {
    package var protocolName: String?
    package var external: ClosedRange<Int>?
    package var inside: ClosedRange<Int>?
    package var internalAddress: IPAddress?
    package var internalPort: PortID?
    package var description: String?

    package init() {}
}
