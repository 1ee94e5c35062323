// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Where a user has any role.
struct ReachableScopes: Sendable {
    private let groups = GroupStore()
    private let projects = ProjectStore()
    private let assignments = AssignmentStore()

    func projects(of user: UserID, _ tx: any Transaction) throws -> [Project] {
        var found: [ProjectID: Project] = [:]
        let own = try assignments.list(actors: actors(user, tx), tx)
        let direct = own.compactMap { assignment -> ProjectID? in
            guard case .project(let id) = assignment.target, !assignment.isInherited else { return nil }
            return id
        }
        for project in try projects.projects(Set(direct).sorted(), tx) where !project.isDomain {
            found[project.id] = project
        }
        for assignment in own where assignment.isInherited {
            switch assignment.target {
            case .project(let id):
                for project in try projects.descendants(of: id, tx) { found[project.id] = project }
            case .domain(let id):
                for project in try projects.list(ProjectStore.Filter(domainID: id), tx) { found[project.id] = project }
            case .system: break
            }
        }
        return found.values.sorted { ($0.name.nameKey, $0.id) < ($1.name.nameKey, $1.id) }
    }

    func domains(of user: UserID, _ tx: any Transaction) throws -> [Project] {
        var found: [DomainID: Project] = [:]
        for assignment in try assignments.list(actors: actors(user, tx), isInherited: false, tx) {
            guard case .domain(let id) = assignment.target, found[id] == nil else { continue }
            found[id] = try projects.findDomain(id, tx)
        }
        return found.values.sorted { ($0.name.nameKey, $0.id) < ($1.name.nameKey, $1.id) }
    }

    func hasSystem(_ user: UserID, _ tx: any Transaction) throws -> Bool {
        try !assignments.list(actors: actors(user, tx), targets: [.system], tx).isEmpty
    }

    private func actors(_ user: UserID, _ tx: any Transaction) throws -> [Assignment.Actor] {
        [.user(user)] + (try groups.groupIDs(of: user, tx).map(Assignment.Actor.group))
    }
}

/// What the holder of a token could ask a token for: `/auth/projects`, `/auth/domains`, `/auth/system`.
package struct ReachEngine: Sendable {
    let database: IdentityDatabase
    private let reach = ReachableScopes()

    init(database: IdentityDatabase) { self.database = database }

    package func projects(of user: UserID) async throws -> [Project] {
        try await database.read { try reach.projects(of: user, $0) }
    }

    package func domains(of user: UserID) async throws -> [Project] {
        try await database.read { try reach.domains(of: user, $0) }
    }

    package func hasSystem(_ user: UserID) async throws -> Bool {
        try await database.read { try reach.hasSystem(user, $0) }
    }
}
