// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Takes projects and domains away with everything that stands on them, in one transaction.
struct ProjectRemoval: Sendable {
    let users: UserEngine
    let groups: GroupEngine
    private let projects = ProjectStore()
    private let userStore = UserStore()
    private let groupStore = GroupStore()
    private let roles = RoleStore()
    private let assignments = AssignmentStore()
    private let applicationCredentials = ApplicationCredentialStore()
    private let limits = LimitStore()
    private let trusts = TrustStore()
    private let oauth = OAuthStore()
    private let filters = EndpointFilterStore()
    private let configs = DomainConfigStore()
    private let federation = FederationStore()

    init(users: UserEngine, groups: GroupEngine) {
        self.users = users
        self.groups = groups
    }

    func delete(_ project: Project, _ tx: any Transaction) throws {
        if project.options.isImmutable {
            throw IdentityError.immutable(project.isDomain ? "domain" : "project", project.id.rawValue, deletes: true)
        }
        if project.isDomain {
            try deleteDomain(project, tx)
        } else {
            guard try !projects.hasChildren(project.id, tx) else {
                throw CloudError.forbidden(
                    "Cannot delete the project \(project.id) since it is not a leaf in the hierarchy. Use the cascade "
                        + "option if you want to delete a whole subtree.")
            }
            try remove(project, tx)
        }
    }

    private func deleteDomain(_ domain: Project, _ tx: any Transaction) throws {
        guard !domain.isEnabled else {
            throw CloudError.forbidden("Cannot delete a domain that is enabled, please disable it first.")
        }
        let id = domain.asDomainID
        for user in try userStore.list(UserFilter(domainID: id), tx) { try users.remove(user.id, tx) }
        for group in try groupStore.list(domain: id, name: nil, tx) { try groups.remove(group.id, tx) }
        for project in try projects.list(ProjectStore.Filter(domainID: id), tx) { try remove(project, tx) }
        for role in try roles.list(domain: id, name: nil, tx) { try roles.delete(role.id, tx) }
        try assignments.deleteAll(on: .domain(id), tx)
        try remove(domain, tx)
    }

    private func remove(_ project: Project, _ tx: any Transaction) throws {
        try assignments.deleteAll(on: .project(project.id), tx)
        try applicationCredentials.deleteAll(on: project.id, tx)
        try CredentialStore.deleteAll(on: project.id, tx)
        try limits.deleteAll(ownedBy: project.id.rawValue, tx)
        try trusts.deleteAll(on: project.id, tx)
        try oauth.deleteAll(on: project.id, tx)
        try filters.deleteAll(on: project.id, tx)
        if project.isDomain {
            try configs.deleteAll(of: project.asDomainID, tx)
            try federation.deleteAll(of: project.asDomainID, tx)
        }
        try userStore.forgetDefaultProject(project.id, tx)
        try projects.delete(project.id, tx)
    }
}
