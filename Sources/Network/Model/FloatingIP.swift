// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// An address of an external network that a project holds and may point at one of its ports.
package struct FloatingIP: Sendable, Equatable {
    /// What an administrator's or user's list tells of the port behind the address.
    package struct PortDetails: Sendable, Equatable {
        package var name: String
        package var network: NetworkID
        package var mac: String
        package var isEnabled: Bool
        package var status: String
        package var deviceID: String
        package var deviceOwner: String
    }

    package var id: FloatingIPID
    package var project: ProjectID
    package var network: NetworkID
    /// The port that holds the address on the external network.
    package var reservedPort: PortID
    package var subnet: SubnetID
    package var address: IPAddress
    package var router: RouterID?
    package var port: PortID?
    package var fixedAddress: IPAddress?
    package var dnsName: String
    package var dnsDomain: String
    package var details: PortDetails?
    package var standard: StandardAttributes
    package var qosPolicy: QoSPolicyID?
    package var portForwardings: [PortForwarding] = []

    package var status: String { router == nil ? "DOWN" : "ACTIVE" }
}

/// What a caller gives to create or change a floating IP. Nil: not given; `.some(nil)`: given as null.
package struct FloatingIPDraft: Sendable {
    package var project: ProjectID?
    package var network: NetworkID?
    package var subnet: SubnetID?
    package var address: IPAddress?
    package var port: PortID??
    package var fixedAddress: IPAddress?
    package var description: String?
    package var dnsName: String?
    package var dnsDomain: String?
    package var qosPolicy: QoSPolicyID??
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}
