// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A rule that new security groups start with: those that projects get by themselves, those that users make, or both.
package struct DefaultSecurityGroupRule: Sendable, Equatable {
    package var id: DefaultRuleID
    /// Names no group of its own. Its remote group may be `parent`.
    package var pattern: SecurityGroupRulePattern
    package var isForDefault: Bool
    package var isForOthers: Bool
    package var createdAt: Timestamp
}

package enum DefaultRuleTag {}
package typealias DefaultRuleID = ID<DefaultRuleTag>

/// What a rule says before it has a group.
package struct SecurityGroupRulePattern: Sendable, Equatable {
    /// Stands for the group that gets the rule.
    package static let parent = SecurityGroupID("PARENT")

    package var isIngress: Bool
    package var isIPv6: Bool
    package var protocolName: String?
    package var portMinimum: Int?
    package var portMaximum: Int?
    package var remotePrefix: String?
    package var remoteGroup: SecurityGroupID?
    package var remoteAddressGroup: AddressGroupID?
    package var description: String

    /// The rule as `group` gets it. Its description stays behind, as upstream's does.
    package func given(to group: SecurityGroupID) -> SecurityGroupRuleDraft {
        var draft = SecurityGroupRuleDraft(group: group, isIngress: isIngress)
        draft.isIPv6 = isIPv6
        draft.protocolName = protocolName
        (draft.portMinimum, draft.portMaximum) = (portMinimum, portMaximum)
        draft.remotePrefix = remotePrefix
        draft.remoteGroup = remoteGroup == Self.parent ? group : remoteGroup
        draft.remoteAddressGroup = remoteAddressGroup
        return draft
    }
}

extension SecurityGroupRulePattern {
    package init(_ draft: SecurityGroupRuleDraft) {
        self.init(
            isIngress: draft.isIngress, isIPv6: draft.isIPv6, protocolName: draft.protocolName,
            portMinimum: draft.portMinimum, portMaximum: draft.portMaximum, remotePrefix: draft.remotePrefix,
            remoteGroup: draft.remoteGroup, remoteAddressGroup: draft.remoteAddressGroup,
            description: draft.description)
    }
}

/// What a caller gives to make a default rule.
package struct DefaultRuleDraft: Sendable {
    package var rule: SecurityGroupRuleDraft
    package var isForDefault: Bool
    package var isForOthers: Bool

    package init(_ rule: SecurityGroupRuleDraft, isForDefault: Bool, isForOthers: Bool) {
        self.rule = rule
        self.isForDefault = isForDefault
        self.isForOthers = isForOthers
    }
}
