// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Quality of service: rules that an administrator writes once and that networks, ports, floating IPs and routers'
/// gateways are bound to.
package struct QoSPolicy: Sendable, Equatable {
    package var id: QoSPolicyID
    package var project: ProjectID
    package var name: String
    /// Whether the project that asks may bind to it although another owns it.
    package var isShared: Bool
    /// What new networks of its project are bound to.
    package var isDefault: Bool
    package var rules: [QoSRule]
    package var standard: StandardAttributes
}

package struct QoSRule: Sendable, Equatable {
    package enum Direction: String, Sendable {
        case egress, ingress, any
    }

    package var id: QoSRuleID
    package var policy: QoSPolicyID
    package var kind: QoSRuleKind
    /// Nil for rules that have none.
    package var direction: Direction?
    /// Kilobits or kilopackets per second, or the mark.
    package var amount: Int
    /// Of limits; 0: what the data plane thinks best.
    package var burst: Int
    package var createdAt: Timestamp
}

/// What the rules of a policy amount to.
extension LogicalQoS {
    /// Nil when no rule says anything that a data plane could do.
    package init?(_ rules: [QoSRule]) {
        guard !rules.isEmpty else { return nil }
        self.init()
        for rule in rules {
            switch (rule.kind, rule.direction) {
            case (.bandwidthLimit, .ingress): ingress = Limit(rule)
            case (.bandwidthLimit, _): egress = Limit(rule)
            case (.dscpMarking, _): dscp = rule.amount
            // Nothing enforces the promise of what a port receives: it is a matter of placing servers.
            case (.minimumBandwidth, .ingress): break
            case (.minimumBandwidth, _): minimumEgressKbps = rule.amount > 0 ? rule.amount : nil
            case (.minimumPacketRate, _), (.packetRateLimit, _): break
            }
        }
        guard self != LogicalQoS() else { return nil }
    }
}

extension LogicalQoS.Limit {
    /// A limit of nothing is none, as with upstream's data plane, which cannot say it.
    fileprivate init?(_ rule: QoSRule) {
        guard rule.amount > 0 else { return nil }
        self.init(kbps: rule.amount, burstKilobits: rule.burst > 0 ? rule.burst : nil)
    }
}

/// What a caller gives to create or change a policy. Nil: not given.
package struct QoSPolicyDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var isShared: Bool?
    package var isDefault: Bool?
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}

package struct QoSRuleDraft: Sendable {
    package var direction: QoSRule.Direction?
    package var amount: Int?
    package var burst: Int?

    package init() {}
}
