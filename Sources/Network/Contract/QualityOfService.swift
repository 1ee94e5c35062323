// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum QoSPolicyTag {}
package enum QoSRuleTag {}
package typealias QoSPolicyID = ID<QoSPolicyTag>
package typealias QoSRuleID = ID<QoSRuleTag>

/// What a rule of a QoS policy is about, by upstream's names.
package enum QoSRuleKind: String, Sendable, CaseIterable {
    case bandwidthLimit = "bandwidth_limit"
    case dscpMarking = "dscp_marking"
    case minimumBandwidth = "minimum_bandwidth"
    case minimumPacketRate = "minimum_packet_rate"
    case packetRateLimit = "packet_rate_limit"
}

/// Bounds on traffic, seen from the guest: egress is what it sends.
package struct LogicalQoS: Sendable, Equatable {
    package struct Limit: Sendable, Equatable {
        package var kbps: Int
        /// Nil: what the data plane thinks best.
        package var burstKilobits: Int?
        package init(kbps: Int, burstKilobits: Int? = nil) {
            self.kbps = kbps
            self.burstKilobits = burstKilobits
        }
    }

    package var egress: Limit?
    package var ingress: Limit?
    /// The DSCP mark of what is sent.
    package var dscp: Int?
    /// What the port is promised of what it sends.
    package var minimumEgressKbps: Int?

    package init(egress: Limit? = nil, ingress: Limit? = nil, dscp: Int? = nil, minimumEgressKbps: Int? = nil) {
        self.egress = egress
        self.ingress = ingress
        self.dscp = dscp
        self.minimumEgressKbps = minimumEgressKbps
    }
}
