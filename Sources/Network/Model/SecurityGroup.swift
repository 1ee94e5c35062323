// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A set of rules about the traffic of the ports in it. What no rule allows is dropped.
package struct SecurityGroup: Sendable, Equatable {
    package var id: SecurityGroupID
    package var project: ProjectID
    package var name: String
    package var isStateful: Bool
    package var isShared: Bool
    package var rules: [SecurityGroupRule]
    package var standard: StandardAttributes
}

package struct SecurityGroupRule: Sendable, Equatable {
    package var id: SecurityGroupRuleID
    package var project: ProjectID
    package var group: SecurityGroupID
    package var isIngress: Bool
    package var isIPv6: Bool
    /// As the caller named it: `tcp`, `6`; nil for any.
    package var protocolName: String?
    package var portMinimum: Int?
    package var portMaximum: Int?
    package var remotePrefix: String?
    package var remoteGroup: SecurityGroupID?
    package var remoteAddressGroup: AddressGroupID?
    package var belongsToDefaultGroup: Bool
    package var standard: StandardAttributes

    package var ethertype: String { isIPv6 ? "IPv6" : "IPv4" }
    package var direction: String { isIngress ? "ingress" : "egress" }
    package var normalizedPrefix: String? { remotePrefix.flatMap { CIDR($0) }?.description }

    /// What the rule says, without who has it.
    package var pattern: SecurityGroupRuleDraft {
        var pattern = SecurityGroupRuleDraft(group: group, isIngress: isIngress)
        pattern.isIPv6 = isIPv6
        pattern.protocolName = protocolName
        (pattern.portMinimum, pattern.portMaximum) = (portMinimum, portMaximum)
        pattern.remotePrefix = remotePrefix
        pattern.remoteGroup = remoteGroup
        pattern.remoteAddressGroup = remoteAddressGroup
        return pattern
    }

    package var fingerprint: String { pattern.fingerprint }
}

extension SecurityGroupRuleDraft {
    /// Equal for rules of one group that mean the same, so that the second can be refused.
    package var fingerprint: String {
        var prefix = remotePrefix.flatMap { CIDR($0) }?.description
        if prefix == "0.0.0.0/0" || prefix == "::/0" { prefix = nil }
        let number = protocolName.flatMap { IPProtocol.number($0, isIPv6: isIPv6) }
        let peer = remoteGroup?.rawValue ?? remoteAddressGroup.map { "addresses:\($0)" }
        let parts: [String] = [
            isIngress ? "ingress" : "egress", isIPv6 ? "IPv6" : "IPv4", number.map(String.init) ?? "+",
            portMinimum.map(String.init) ?? "+", portMaximum.map(String.init) ?? "+", peer ?? "+", prefix ?? "+",
        ]
        return parts.joined(separator: "_")
    }
}

package struct SecurityGroupDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var isStateful: Bool?
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}

package struct SecurityGroupRuleDraft: Sendable {
    package var project: ProjectID?
    package var group: SecurityGroupID
    package var isIngress: Bool
    package var isIPv6 = false
    package var protocolName: String?
    package var portMinimum: Int?
    package var portMaximum: Int?
    package var remotePrefix: String?
    package var remoteGroup: SecurityGroupID?
    package var remoteAddressGroup: AddressGroupID?
    package var description = ""

    package init(group: SecurityGroupID, isIngress: Bool) {
        self.group = group
        self.isIngress = isIngress
    }
}
