// SPDX-License-Identifier: Apache-2.0
import BaseKit

package struct Role: Sendable, Equatable {
    package var id: RoleID
    /// Nil for a role of the whole cloud. A domain's own role only stands for roles that it implies.
    package var domainID: DomainID?
    package var name: String
    package var description: String?
    package var options: ResourceOptions
    package var extras: Extras

    package static let maximumNameLength = 255
}

package struct RoleDraft: Sendable {
    package var domainID: DomainID?
    package var name: String
    package var description: String?
    package var options = ResourceOptions()
    package var extras = Extras()

    package init(name: String, domainID: DomainID? = nil) {
        self.name = name
        self.domainID = domainID
    }
}

package struct RoleChange: Sendable {
    package var name: String?
    package var description: String??
    package var options: [String: JSON]?
    package var extras = Extras()

    package init() {}

    var touchesOptionsOnly: Bool { name == nil && description == nil && extras.isEmpty }
}

/// Which roles imply which.
package struct RoleGraph: Sendable, Equatable {
    private var implied: [RoleID: [RoleID]] = [:]

    package init(_ pairs: [(prior: RoleID, implied: RoleID)] = []) {
        for pair in pairs { implied[pair.prior, default: []].append(pair.implied) }
    }

    package func directlyImplied(by role: RoleID) -> [RoleID] { implied[role] ?? [] }

    /// `roles` and all that they imply, each once, in the order of discovery. Ends also when the graph has a ring.
    package func closure(of roles: [RoleID]) -> [RoleID] {
        var seen = Set<RoleID>()
        var result: [RoleID] = []
        var queue = roles[...]
        var found: [RoleID] = []
        while !queue.isEmpty {
            for role in queue where seen.insert(role).inserted {
                result.append(role)
                found += implied[role] ?? []
            }
            queue = found[...]
            found = []
        }
        return result
    }

    /// Every implied role under `role` with the role that stands right before it on the way there.
    package func impliedPairs(under role: RoleID) -> [(prior: RoleID, implied: RoleID)] {
        var seen: Set<RoleID> = [role]
        var pairs: [(prior: RoleID, implied: RoleID)] = []
        var queue = [role]
        while let prior = queue.popLast() {
            for next in implied[prior] ?? [] where seen.insert(next).inserted {
                pairs.append((prior, next))
                queue.append(next)
            }
        }
        return pairs
    }
}
