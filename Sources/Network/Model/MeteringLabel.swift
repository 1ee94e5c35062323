// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

package enum MeteringLabelTag {}
package enum MeteringRuleTag {}
package typealias MeteringLabelID = ID<MeteringLabelTag>
package typealias MeteringRuleID = ID<MeteringRuleTag>

/// A name under which a project's routers count traffic.
package struct MeteringLabel: Sendable, Equatable {
    package var id: MeteringLabelID
    package var project: ProjectID
    package var name: String
    package var description: String
    /// Counts the traffic of all projects.
    package var isShared: Bool
    package var createdAt: Timestamp
}

/// Which traffic a label counts, or does not.
package struct MeteringRule: Sendable, Equatable {
    package var id: MeteringRuleID
    package var label: MeteringLabelID
    package var isIngress: Bool
    package var remotePrefix: String?
    package var sourcePrefix: String?
    package var destinationPrefix: String?
    package var isExcluded: Bool
    package var createdAt: Timestamp
}

package struct MeteringLabelDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var isShared: Bool?

    package init() {}
}

package struct MeteringRuleDraft: Sendable {
    package var label: MeteringLabelID
    package var isIngress: Bool
    package var remotePrefix: CIDR?
    package var sourcePrefix: CIDR?
    package var destinationPrefix: CIDR?
    package var isExcluded: Bool

    package init(label: MeteringLabelID, isIngress: Bool, isExcluded: Bool) {
        self.label = label
        self.isIngress = isIngress
        self.isExcluded = isExcluded
    }
}
