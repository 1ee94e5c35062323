// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

package struct ProjectFilter: Sendable {
    package var domainID: DomainID?
    package var parentID: ProjectID?
    package var name: String?
    package var isEnabled: Bool?
    package var isDomain = false
    /// Has all of these, any of these, not all of these, none of these.
    package var tags: [String]?
    package var tagsAny: [String]?
    package var notTags: [String]?
    package var notTagsAny: [String]?

    package init() {}
}

/// A project with what is above and below it.
package struct ProjectFamily: Sendable {
    package var project: Project
    /// From the parent up to the domain.
    package var ancestors: [Project]
    package var descendants: [Project]
    /// Those of both that the caller has a role on.
    package var reachable: Set<ProjectID>
}

package struct ProjectEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    let clock: WallClock
    let removal: ProjectRemoval
    private let maximumDepth: Int
    private let projects = ProjectStore()
    private let reach = ReachableScopes()
    private let users = UserStore()

    init(database: IdentityDatabase, ids: IDSource, clock: WallClock, removal: ProjectRemoval, maximumDepth: Int) {
        self.database = database
        self.ids = ids
        self.clock = clock
        self.removal = removal
        self.maximumDepth = maximumDepth
    }

    // MARK: Read

    package func list(
        _ filter: ProjectFilter, _ range: ListRange, for context: CallContext
    ) async throws -> ListPart<Project> {
        try context.authorize(.listing(context))
        let own = context.principal.domainID
        if let own, let domain = filter.domainID, own != domain { return ListPart() }
        if own != nil && filter.isDomain { return ListPart() }
        return try await database.read { tx in
            let stored = ProjectStore.Filter(
                domainID: filter.domainID ?? own, parentID: filter.parentID, name: filter.name,
                isEnabled: filter.isEnabled, isDomain: filter.isDomain, tags: filter.tags, tagsAny: filter.tagsAny,
                notTags: filter.notTags, notTagsAny: filter.notTagsAny)
            return try projects.list(stored, range, tx)
        }
    }

    package func show(_ id: ProjectID, for context: CallContext) async throws -> Project {
        try await database.read { try load(id, for: context, $0) }
    }

    package func family(of id: ProjectID, for context: CallContext) async throws -> ProjectFamily {
        let caller = context.principal.userID
        return try await database.read { tx in
            let project = try load(id, for: context, tx)
            return ProjectFamily(
                project: project, ancestors: try projects.ancestors(of: project, tx),
                descendants: try projects.descendants(of: id, tx),
                reachable: Set(try reach.projects(of: caller, tx).map(\.id)))
        }
    }

    /// Projects that a user has a role on: `/users/{id}/projects`.
    package func list(of user: UserID, for context: CallContext) async throws -> [Project] {
        try await database.read { tx in
            let found = try users.find(user, tx)
            try context.authorize(.user(found, id: user))
            guard found != nil else { throw IdentityError.notFound("user", user.rawValue) }
            return try reach.projects(of: user, tx)
        }
    }

    // MARK: Write

    package func create(_ draft: ProjectDraft, for context: CallContext) async throws -> Project {
        var target = PolicyTarget()
        target["target.project.domain_id"] = draft.domainID?.rawValue ?? "None"
        try context.authorize(target)
        return try await make(draft, id: ids.nextHex())
    }

    func make(_ draft: ProjectDraft, id: ProjectID) async throws -> Project {
        try draft.extras.checkSize()
        try ProjectTagRule.check(draft.tags)
        let now = clock.now()
        return try await database.write("project") { tx in
            let parent = try parent(of: draft, tx)
            let project = Project(
                id: id, domainID: draft.domainID, parentID: parent?.id, name: draft.name, isEnabled: draft.isEnabled,
                description: draft.description, options: draft.options, extras: draft.extras, tags: draft.tags.sorted())
            try checkName(project.name, in: project.domainID, except: id, tx)
            guard try projects.find(id, tx) == nil else { throw IdentityError.duplicate("project", "ID", id.rawValue) }
            try projects.insert(project, at: now, tx)
            return project
        }
    }

    package func update(_ id: ProjectID, _ change: ProjectChange, for context: CallContext) async throws -> Project {
        try await database.write("project") { tx in
            try apply(change, to: try load(id, for: context, tx), tx)
        }
    }

    package func changeTags(
        of id: ProjectID, _ body: @escaping @Sendable ([String]) throws -> [String], for context: CallContext
    ) async throws -> Project {
        try await database.write("project") { tx in
            let project = try load(id, for: context, tx)
            var change = ProjectChange()
            change.tags = try body(project.tags)
            return try apply(change, to: project, tx)
        }
    }

    func apply(_ change: ProjectChange, to old: Project, _ tx: any Transaction) throws -> Project {
        var project = old
        let noun = old.isDomain ? "domain" : "project"
        if old.options.isImmutable {
            guard change.touchesOptionsOnly, change.options?["immutable"] != nil else {
                throw IdentityError.immutable(noun, old.id.rawValue)
            }
        }
        if let name = change.name, name != old.name {
            try checkName(name, in: old.domainID, except: old.id, tx)
            project.name = name
        }
        if let isEnabled = change.isEnabled, isEnabled != old.isEnabled, !old.isDomain {
            try checkTree(isEnabled ? old : nil, disabling: isEnabled ? nil : old, tx)
        }
        project.isEnabled = change.isEnabled ?? old.isEnabled
        project.description = change.description ?? old.description
        if let options = change.options { project.options = old.options.changed(by: options) }
        if let tags = change.tags {
            try ProjectTagRule.check(tags)
            project.tags = tags.sorted()
        }
        project.extras.merge(change.extras)
        try project.extras.checkSize()
        try projects.update(project, tx)
        if old.isEnabled, !project.isEnabled { try projects.revokeTokens(of: old.id, before: clock.now(), tx) }
        return project
    }

    package func delete(_ id: ProjectID, for context: CallContext) async throws {
        try await database.write("project") { tx in
            let project = try load(id, for: context, tx)
            try removal.delete(project, tx)
        }
    }

    // MARK: Parts

    private func load(_ id: ProjectID, for context: CallContext, _ tx: any Transaction) throws -> Project {
        let project = try projects.find(id, tx)
        try context.authorize(.project(project))
        guard let project else { throw IdentityError.notFound("project", id.rawValue) }
        return project
    }

    private func checkName(_ name: String, in domain: DomainID?, except id: ProjectID, _ tx: any Transaction) throws {
        guard let other = try projects.find(named: name, in: domain, tx), other.id != id else { return }
        throw CloudError.conflict(
            domain == nil
                ? "Conflict occurred attempting to store domain - it is not permitted to have two domains with the "
                    + "same name: \(name)."
                : "Conflict occurred attempting to store project - it is not permitted to have two projects with the "
                    + "same name in the same domain : \(name).")
    }

    /// The project or domain that a new project stands under; nil for a domain.
    private func parent(of draft: ProjectDraft, _ tx: any Transaction) throws -> Project? {
        guard let domainID = draft.domainID else {
            guard draft.parentID == nil else {
                throw CloudError.badRequest("only root projects are allowed to act as domains.")
            }
            return nil
        }
        guard try projects.findDomain(domainID, tx) != nil else {
            throw CloudError.badRequest("Could not find domain: \(domainID).")
        }
        let parentID = draft.parentID ?? domainID.asProjectID
        guard let parent = try projects.find(parentID, tx) else {
            throw CloudError.badRequest("Could not find project: \(parentID).")
        }
        guard (parent.domainID ?? parent.asDomainID) == domainID else {
            throw CloudError.badRequest(
                "Cannot create project, since it specifies its domain_id \(domainID), but specifies a parent in a "
                    + "different domain (\(parent.domainID ?? parent.asDomainID)).")
        }
        let line = [parent] + (try projects.ancestors(of: parent, tx))
        guard line.allSatisfy(\.isEnabled) else {
            throw CloudError.badRequest(
                "cannot create a project in a branch containing a disabled project: \(parentID)")
        }
        guard line.count < maximumDepth else {
            throw CloudError.forbidden("Max hierarchy depth reached for \(parentID) branch.")
        }
        return parent
    }

    /// An enabled project has no disabled one above it.
    private func checkTree(_ enabling: Project?, disabling: Project?, _ tx: any Transaction) throws {
        if let project = enabling {
            guard try projects.ancestors(of: project, tx).allSatisfy(\.isEnabled) else {
                throw CloudError.forbidden("Cannot enable project \(project.id) since it has disabled parents")
            }
        }
        if let project = disabling {
            guard try projects.descendants(of: project.id, tx).allSatisfy({ !$0.isEnabled }) else {
                throw CloudError.forbidden(
                    "Cannot disable project \(project.id) since its subtree contains enabled projects.")
            }
        }
    }
}
