// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

package enum NetworkLogTag {}
package typealias NetworkLogID = ID<NetworkLogTag>

/// An order to write down traffic that security groups let pass or drop.
package struct NetworkLog: Sendable, Equatable {
    package enum Event: String, Sendable, CaseIterable {
        case all = "ALL"
        case accept = "ACCEPT"
        case drop = "DROP"
    }
    /// The one kind of object whose traffic can be written down.
    package static let resourceType = "security_group"

    package var id: NetworkLogID
    package var project: ProjectID
    package var name: String
    /// Nil: all groups, or those of `port`.
    package var group: SecurityGroupID?
    package var port: PortID?
    package var event: Event
    package var isEnabled: Bool
    package var standard: StandardAttributes
}

/// What a caller gives to create or change a log. Nil: not given.
package struct NetworkLogDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var resourceType: String?
    package var group: SecurityGroupID?
    package var port: PortID?
    package var event: NetworkLog.Event?
    package var isEnabled: Bool?

    package init() {}
}
