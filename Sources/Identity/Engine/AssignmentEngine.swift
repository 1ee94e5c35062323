// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// An assignment with names, where they were asked for.
package struct AssignmentListing: Sendable {
    package var assignments: [EffectiveAssignment]
    package var names: Names?

    package struct Names: Sendable {
        package var users: [UserID: User] = [:]
        package var groups: [GroupID: Group] = [:]
        package var projects: [ProjectID: Project] = [:]
        package var roles: [RoleID: Role] = [:]
    }
}

/// Gives roles, takes them back, and says who has which.
package struct AssignmentEngine: Sendable {
    let database: IdentityDatabase
    private let users = UserStore()
    private let groups = GroupStore()
    private let projects = ProjectStore()
    private let roles = RoleStore()
    private let assignments = AssignmentStore()
    private let access = AccessResolver()

    init(database: IdentityDatabase) { self.database = database }

    // MARK: Grants

    package func grant(_ assignment: Assignment, for context: CallContext) async throws {
        try await database.write("role grant") { tx in
            try load(assignment, for: context, tx)
            try assignments.insert(assignment, tx)
        }
    }

    package func check(_ assignment: Assignment, for context: CallContext) async throws {
        try await database.read { tx in
            try load(assignment, for: context, tx)
            guard try assignments.exists(assignment, tx) else { throw Self.notFound(assignment) }
        }
    }

    package func revoke(_ assignment: Assignment, for context: CallContext) async throws {
        try await database.write("role grant") { tx in
            try load(assignment, for: context, tx)
            guard try assignments.delete(assignment, tx) else { throw Self.notFound(assignment) }
            try access.withdrawApplicationCredentials(of: try holders(of: assignment, tx), tx)
        }
    }

    private func holders(of assignment: Assignment, _ tx: any Transaction) throws -> [UserID] {
        switch assignment.actor {
        case .user(let id): [id]
        case .group(let id): try groups.memberIDs(of: [id], tx)[id] ?? []
        }
    }

    /// The roles that were given to `actor` on `target` itself.
    package func roles(
        of actor: Assignment.Actor, on target: Assignment.Target, isInherited: Bool, for context: CallContext
    ) async throws -> [Role] {
        try await database.read { tx in
            let policyTarget = try authorizationTarget(actor, target, nil, tx)
            try context.authorize(policyTarget)
            try checkExistence(actor, target, nil, tx)
            return try assignments.list(actors: [actor], targets: [target], isInherited: isInherited, tx)
                .compactMap { try roles.find($0.roleID, tx) }
        }
    }

    private func load(_ assignment: Assignment, for context: CallContext, _ tx: any Transaction) throws {
        let role = try roles.find(assignment.roleID, tx)
        try context.authorize(try authorizationTarget(assignment.actor, assignment.target, role, tx))
        try checkExistence(assignment.actor, assignment.target, assignment.roleID, tx)
        guard let domain = role?.domainID else { return }
        // A domain's own role counts in that domain only.
        let targetDomain: DomainID? =
            switch assignment.target {
            case .project(let id): try projects.find(id, tx)?.domainID
            case .domain(let id): id
            case .system: nil
            }
        guard targetDomain == domain else {
            throw CloudError.forbidden(
                "Project \(assignment.target.rawID) must be in the same domain as the role \(assignment.roleID) being "
                    + "assigned.")
        }
    }

    private func authorizationTarget(
        _ actor: Assignment.Actor, _ target: Assignment.Target, _ role: Role?, _ tx: any Transaction
    ) throws -> PolicyTarget {
        var result = PolicyTarget.role(role)
        switch actor {
        case .user(let id): result["target.user.domain_id"] = try users.find(id, tx)?.domainID.rawValue
        case .group(let id): result["target.group.domain_id"] = try groups.find(id, tx)?.domainID.rawValue
        }
        switch target {
        case .project(let id): result["target.project.domain_id"] = try projects.find(id, tx)?.domainID?.rawValue
        case .domain(let id): result["target.domain.id"] = try projects.findDomain(id, tx)?.id.rawValue
        case .system: break
        }
        return result
    }

    private func checkExistence(
        _ actor: Assignment.Actor, _ target: Assignment.Target, _ role: RoleID?, _ tx: any Transaction
    ) throws {
        if let role, try roles.find(role, tx) == nil { throw IdentityError.notFound("role", role.rawValue) }
        switch actor {
        case .user(let id):
            guard try users.find(id, tx) != nil else { throw IdentityError.notFound("user", id.rawValue) }
        case .group(let id):
            guard try groups.find(id, tx) != nil else { throw IdentityError.notFound("group", id.rawValue) }
        }
        switch target {
        case .project(let id):
            guard try projects.find(id, tx) != nil else { throw IdentityError.notFound("project", id.rawValue) }
        case .domain(let id):
            guard try projects.findDomain(id, tx) != nil else { throw IdentityError.notFound("domain", id.rawValue) }
        case .system: break
        }
    }

    private static func notFound(_ assignment: Assignment) -> CloudError {
        .notFound(
            "Could not find role assignment with role: \(assignment.roleID), user or group: "
                + "\(assignment.actor.rawID), project, domain, or system: \(assignment.target.rawID).")
    }

    // MARK: Lists

    package func list(
        _ filter: AssignmentFilter, isEffective: Bool, includesNames: Bool, limit: Int, for context: CallContext
    ) async throws -> AssignmentListing {
        let own = context.principal.domainID
        return try await database.read { tx in
            try context.authorize(try listTarget(filter, context, tx))
            var found: [EffectiveAssignment]
            if isEffective {
                found = try effective(filter, tx)
                if let own { found = try restrict(found, to: own, tx) }
                found = Array(found.prefix(limit + 1))
            } else {
                found = try stored(filter, in: own, limit: limit + 1, tx)
            }
            return AssignmentListing(assignments: found, names: includesNames ? try names(of: found, tx) : nil)
        }
    }

    private func listTarget(_ filter: AssignmentFilter, _ context: CallContext, _ tx: any Transaction) throws
        -> PolicyTarget
    {
        guard filter.includesSubtree else { return .listing(context) }
        guard case .project(let id)? = filter.target else { return [:] }
        let project = try projects.find(id, tx)
        var target = PolicyTarget.project(project)
        target["target.domain_id"] = project?.domainID?.rawValue
        return target
    }

    private func restrict(
        _ rows: [EffectiveAssignment], to domain: DomainID, _ tx: any Transaction
    ) throws -> [EffectiveAssignment] {
        let own = Set(try projects.ids(of: domain, tx))
        return rows.filter { row in
            switch row.assignment.target {
            case .domain(let id): id == domain
            case .project(let id): own.contains(id)
            case .system: false
            }
        }
    }

    /// As they were given.
    private func stored(
        _ filter: AssignmentFilter, in domain: DomainID?, limit: Int, _ tx: any Transaction
    ) throws -> [EffectiveAssignment] {
        try assignments.list(
            actors: filter.actor.map { [$0] }, targets: try targets(filter, tx), role: filter.roleID,
            isInherited: filter.isInherited, in: domain, limit: limit, tx
        ).map { EffectiveAssignment(assignment: $0) }
    }

    private func targets(_ filter: AssignmentFilter, _ tx: any Transaction) throws -> [Assignment.Target]? {
        guard let target = filter.target else { return nil }
        guard filter.includesSubtree, case .project(let id) = target else { return [target] }
        return [target] + (try projects.descendants(of: id, tx).map { .project($0.id) })
    }

    /// As they come out for each user: members instead of groups, projects below instead of inheritance, implied roles.
    private func effective(_ filter: AssignmentFilter, _ tx: any Transaction) throws -> [EffectiveAssignment] {
        var actors: [Assignment.Actor]?
        if case .user(let user)? = filter.actor {
            actors = [.user(user)] + (try groups.groupIDs(of: user, tx).map(Assignment.Actor.group))
        }
        let wanted = try targets(filter, tx)
        var direct: [Assignment] = []
        if filter.isInherited != true {
            direct = try assignments.list(actors: actors, targets: wanted, isInherited: false, tx)
        }
        var inherited: [Assignment] = []
        if filter.isInherited != false { inherited = try assignments.list(actors: actors, isInherited: true, tx) }
        let expansion = try expansion(for: direct + inherited, tx)
        let wantedSet = wanted.map(Set.init)
        return expansion.expand(direct + inherited).filter { effective in
            if let role = filter.roleID, effective.assignment.roleID != role { return false }
            if let actor = filter.actor, effective.assignment.actor != actor { return false }
            return wantedSet?.contains(effective.assignment.target) ?? true
        }
    }

    private func expansion(for rows: [Assignment], _ tx: any Transaction) throws -> AssignmentExpansion {
        var groupIDs = Set<GroupID>()
        var below: [Assignment.Target: [ProjectID]] = [:]
        for row in rows {
            if case .group(let id) = row.actor { groupIDs.insert(id) }
            guard row.isInherited, below[row.target] == nil else { continue }
            switch row.target {
            case .project(let id): below[row.target] = try projects.descendants(of: id, tx).map(\.id)
            case .domain(let id):
                below[row.target] = try projects.ids(of: id, tx)
            case .system: below[row.target] = []
            }
        }
        return AssignmentExpansion(
            members: try groups.memberIDs(of: groupIDs.sorted(), tx), projectsBelow: below, graph: try roles.graph(tx),
            domainRoles: Set(try roles.all(tx).values.filter { $0.domainID != nil }.map(\.id)))
    }

    /// One query for a kind, whatever the number of rows.
    private func names(of rows: [EffectiveAssignment], _ tx: any Transaction) throws -> AssignmentListing.Names {
        var names = AssignmentListing.Names(roles: try roles.all(tx))
        var (userIDs, groupIDs): (Set<UserID>, Set<GroupID>) = ([], [])
        var projectIDs: Set<ProjectID> = []
        for row in rows.map(\.assignment) {
            switch row.actor {
            case .user(let id): userIDs.insert(id)
            case .group(let id): groupIDs.insert(id)
            }
            switch row.target {
            case .project(let id): projectIDs.insert(id)
            case .domain(let id): projectIDs.insert(id.asProjectID)
            case .system: break
            }
            if let domain = names.roles[row.roleID]?.domainID { projectIDs.insert(domain.asProjectID) }
        }
        for user in try users.users(userIDs.sorted(), tx) { names.users[user.id] = user }
        for group in try groups.groups(groupIDs.sorted(), tx) { names.groups[group.id] = group }
        for project in try projects.projects(projectIDs.sorted(), tx) { names.projects[project.id] = project }
        var domains = Set(names.users.values.map(\.domainID)).union(names.groups.values.map(\.domainID))
        domains.formUnion(names.projects.values.compactMap(\.domainID))
        let missing = domains.map(\.asProjectID).filter { names.projects[$0] == nil }
        for project in try projects.projects(missing.sorted(), tx) { names.projects[project.id] = project }
        return names
    }
}
