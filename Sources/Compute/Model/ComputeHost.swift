// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract

package enum ComputeServiceTag {}
/// The agent on a host, as `os-services` shows it.
package typealias ComputeServiceID = ID<ComputeServiceTag>
package enum ComputeNodeTag {}
/// A hypervisor; the same id names its resource provider in placement.
package typealias ComputeNodeID = ID<ComputeNodeTag>

/// A host with its agent and its hypervisor.
package struct ComputeHost: Sendable {
    /// Counts hosts, for API versions before 2.53.
    package var number: Int64
    package var serviceID: ComputeServiceID
    package var nodeID: ComputeNodeID
    package var host: String
    package var isDisabled: Bool
    package var disabledReason: String?
    package var isForcedDown: Bool
    package var lastSeenAt: Timestamp
    package var createdAt: Timestamp
    package var bootedAt: Timestamp?
    package var hypervisor: HypervisorInfo

    package init(
        number: Int64, serviceID: ComputeServiceID, nodeID: ComputeNodeID, host: String, isDisabled: Bool,
        disabledReason: String?, isForcedDown: Bool, lastSeenAt: Timestamp, createdAt: Timestamp,
        bootedAt: Timestamp?, hypervisor: HypervisorInfo
    ) {
        self.number = number
        self.serviceID = serviceID
        self.nodeID = nodeID
        self.host = host
        self.isDisabled = isDisabled
        self.disabledReason = disabledReason
        self.isForcedDown = isForcedDown
        self.lastSeenAt = lastSeenAt
        self.createdAt = createdAt
        self.bootedAt = bootedAt
        self.hypervisor = hypervisor
    }

    /// Whether the agent has reported lately and nobody says that it is down.
    package func isUp(at now: Timestamp, limit: Duration) -> Bool {
        !isForcedDown && now - lastSeenAt <= limit
    }

    /// `host_status` of a server on this host (nova 2.16).
    package func status(at now: Timestamp, limit: Duration) -> String {
        if isForcedDown { return "DOWN" }
        if !isUp(at: now, limit: limit) { return "UNKNOWN" }
        return isDisabled ? "MAINTENANCE" : "UP"
    }
}

/// Hosts that an administrator groups; with a zone it is an availability zone.
package struct HostAggregate: Sendable {
    package var number: Int64
    package var uuid: String
    package var name: String
    package var zone: String?
    package var hosts: [String]
    /// Without `availability_zone`, which `zone` holds.
    package var metadata: [String: String]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        number: Int64, uuid: String, name: String, zone: String?, hosts: [String], metadata: [String: String],
        createdAt: Timestamp, updatedAt: Timestamp?
    ) {
        self.number = number
        self.uuid = uuid
        self.name = name
        self.zone = zone
        self.hosts = hosts
        self.metadata = metadata
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

package enum ServerGroupTag {}
package typealias ServerGroupID = ID<ServerGroupTag>

/// Servers that belong near each other, or apart.
package struct ServerGroup: Sendable {
    package enum Policy: String, Sendable, CaseIterable {
        case affinity
        case antiAffinity = "anti-affinity"
        case softAffinity = "soft-affinity"
        case softAntiAffinity = "soft-anti-affinity"
    }
    package var id: ServerGroupID
    package var name: String
    package var policy: Policy
    package var maximumPerHost: Int?
    package var projectID: ProjectID
    package var userID: UserID
    package var members: [ServerID]

    package init(
        id: ServerGroupID, name: String, policy: Policy, maximumPerHost: Int?, projectID: ProjectID, userID: UserID,
        members: [ServerID]
    ) {
        self.id = id
        self.name = name
        self.policy = policy
        self.maximumPerHost = maximumPerHost
        self.projectID = projectID
        self.userID = userID
        self.members = members
    }
}
