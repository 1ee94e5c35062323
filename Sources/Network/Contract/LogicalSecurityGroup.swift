// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A group with its rules. Which ports are in it, the ports say. What no rule allows is dropped, both ways.
package struct LogicalSecurityGroup: Sendable, Equatable {
    package struct Rule: Sendable, Equatable {
        package enum Peer: Sendable, Equatable {
            case anywhere
            case prefix(String)
            case group(SecurityGroupID)
            case addresses(AddressGroupID)
        }
        package var id: SecurityGroupRuleID
        package var isIngress: Bool
        package var isIPv6: Bool
        /// An IP protocol number; nil: any.
        package var ipProtocol: Int?
        /// Ports for TCP, UDP, SCTP, DCCP; type and code for ICMP.
        package var portMinimum: Int?
        package var portMaximum: Int?
        package var peer: Peer
        package init(
            id: SecurityGroupRuleID, isIngress: Bool, isIPv6: Bool, ipProtocol: Int?, portMinimum: Int?,
            portMaximum: Int?, peer: Peer
        ) {
            self.id = id
            self.isIngress = isIngress
            self.isIPv6 = isIPv6
            self.ipProtocol = ipProtocol
            self.portMinimum = portMinimum
            self.portMaximum = portMaximum
            self.peer = peer
        }
    }
    package var id: SecurityGroupID
    package var name: String
    package var isStateful: Bool
    package var rules: [Rule]
    /// The order by which what the rules let pass is written down; nil: it is not.
    package var acceptLog: String?
    /// The same for what no rule lets pass.
    package var dropLog: String?

    package init(id: SecurityGroupID, name: String, isStateful: Bool, rules: [Rule]) {
        self.id = id
        self.name = name
        self.isStateful = isStateful
        self.rules = rules
    }
}

/// Prefixes that rules of security groups name together.
package struct LogicalAddressGroup: Sendable, Equatable {
    package var id: AddressGroupID
    package var name: String
    /// `10.0.0.0/24`, canonical, of both families.
    package var prefixes: [String]

    package init(id: AddressGroupID, name: String, prefixes: [String]) {
        self.id = id
        self.name = name
        self.prefixes = prefixes
    }
}
