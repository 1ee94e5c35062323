// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// A role given to a user or a group on a project, a domain or the system.
package struct Assignment: Sendable, Hashable {
    package enum Actor: Sendable, Hashable {
        case user(UserID)
        case group(GroupID)

        package var kind: String {
            switch self {
            case .user: "user"
            case .group: "group"
            }
        }
        package var rawID: String {
            switch self {
            case .user(let id): id.rawValue
            case .group(let id): id.rawValue
            }
        }
    }

    package enum Target: Sendable, Hashable {
        case project(ProjectID)
        case domain(DomainID)
        case system

        package var kind: String {
            switch self {
            case .project: "project"
            case .domain: "domain"
            case .system: "system"
            }
        }
        package var rawID: String {
            switch self {
            case .project(let id): id.rawValue
            case .domain(let id): id.rawValue
            case .system: "system"
            }
        }
    }

    package var actor: Actor
    package var target: Target
    package var roleID: RoleID
    /// Counts on all projects below the target, and not on the target itself.
    package var isInherited: Bool

    package init(_ actor: Actor, _ target: Target, _ roleID: RoleID, isInherited: Bool = false) {
        self.actor = actor
        self.target = target
        self.roleID = roleID
        self.isInherited = isInherited
    }
}

/// What an assignment comes to for one user, with where it came from.
package struct EffectiveAssignment: Sendable, Hashable {
    package var assignment: Assignment
    /// The group that the user is a member of.
    package var viaGroup: GroupID?
    /// The domain or project above, from which it was inherited.
    package var inheritedFrom: Assignment.Target?
    /// The role that implies this one.
    package var impliedBy: RoleID?
}

/// What listing assignments is narrowed by.
package struct AssignmentFilter: Sendable {
    package var roleID: RoleID?
    package var actor: Assignment.Actor?
    package var target: Assignment.Target?
    package var isInherited: Bool?
    /// With a project as target: the projects under it, too.
    package var includesSubtree = false

    package init() {}
}

/// Replaces groups by their members, inherited assignments by one per project below, and adds implied roles.
package struct AssignmentExpansion: Sendable {
    package var members: [GroupID: [UserID]]
    /// For each domain and project with an inherited assignment: the projects below.
    package var projectsBelow: [Assignment.Target: [ProjectID]]
    package var graph: RoleGraph
    /// Roles that belong to a domain stand for what they imply; they are no role of anybody themselves.
    package var domainRoles: Set<RoleID>

    package init(
        members: [GroupID: [UserID]] = [:], projectsBelow: [Assignment.Target: [ProjectID]] = [:],
        graph: RoleGraph = RoleGraph(), domainRoles: Set<RoleID> = []
    ) {
        self.members = members
        self.projectsBelow = projectsBelow
        self.graph = graph
        self.domainRoles = domainRoles
    }

    package func expand(_ assignments: [Assignment]) -> [EffectiveAssignment] {
        var seen = Set<EffectiveAssignment>()
        return assignments.flatMap(overTargets).flatMap(overMembers).flatMap(overRoles)
            .filter { !domainRoles.contains($0.assignment.roleID) && seen.insert($0).inserted }
    }

    private func overTargets(_ assignment: Assignment) -> [EffectiveAssignment] {
        guard assignment.isInherited else { return [EffectiveAssignment(assignment: assignment)] }
        return (projectsBelow[assignment.target] ?? []).map { project in
            var effective = EffectiveAssignment(assignment: assignment, inheritedFrom: assignment.target)
            effective.assignment.target = .project(project)
            effective.assignment.isInherited = false
            return effective
        }
    }

    private func overMembers(_ effective: EffectiveAssignment) -> [EffectiveAssignment] {
        guard case .group(let group) = effective.assignment.actor else { return [effective] }
        return (members[group] ?? []).map { user in
            var member = effective
            member.assignment.actor = .user(user)
            member.viaGroup = group
            return member
        }
    }

    private func overRoles(_ effective: EffectiveAssignment) -> [EffectiveAssignment] {
        [effective]
            + graph.impliedPairs(under: effective.assignment.roleID).map { pair in
                var implied = effective
                implied.assignment.roleID = pair.implied
                implied.impliedBy = pair.prior
                return implied
            }
    }
}
