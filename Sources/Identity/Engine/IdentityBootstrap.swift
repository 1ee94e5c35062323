// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import LogKit
import SecurityKit

/// Makes what every cloud starts with. Each step finds what is there first, so that it may run at every start.
package struct IdentityBootstrap: Sendable {
    package struct CatalogItem: Sendable {
        package var type: String
        package var name: String
        /// `{origin}/compute/v2.1`: the same for all three interfaces.
        package var url: String
        package init(type: String, name: String, url: String) {
            self.type = type
            self.name = name
            self.url = url
        }
    }

    /// The services of the cloud at its one origin.
    package static let standardCatalog = [
        CatalogItem(type: "identity", name: "keystone", url: "{origin}/identity"),
        CatalogItem(type: "image", name: "glance", url: "{origin}/image"),
        CatalogItem(type: "placement", name: "placement", url: "{origin}/placement"),
        CatalogItem(type: "compute", name: "nova", url: "{origin}/compute/v2.1"),
        CatalogItem(type: "network", name: "neutron", url: "{origin}/network"),
        CatalogItem(type: "block-storage", name: "cinder", url: "{origin}/volume/v3"),
        CatalogItem(type: "volumev3", name: "cinderv3", url: "{origin}/volume/v3/$(project_id)s"),
        CatalogItem(type: "object-store", name: "swift", url: "{origin}/v1/AUTH_$(project_id)s"),
    ]

    /// From the most to the least: each implies the next (keystone: `keystone-manage bootstrap`).
    private static let personas = ["admin", "manager", "member", "reader"]
    private static let serviceRole = "service"

    private let engine: IdentityEngine
    private let users = UserStore()
    private let projects = ProjectStore()
    private let roles = RoleStore()
    private let assignments = AssignmentStore()
    private let catalog = CatalogStore()
    private let log = Logger("identity")

    package init(_ engine: IdentityEngine) { self.engine = engine }

    /// The default domain, the roles, the `admin` project and user with all rights, the region and the catalog.
    ///
    /// `adminPassword` is set when the user is made; an account that is there keeps the password that it has.
    /// Returns the administrators' project.
    @discardableResult
    package func run(adminPassword: Secret, region: String = "RegionOne", catalog: [CatalogItem] = standardCatalog)
        async throws -> ProjectID
    {
        try await ensureDefaultDomain()
        for name in Self.personas + [Self.serviceRole] { try await ensureRole(name) }
        try await ensureImplications()
        let project = try await ensureProject("admin", description: "Bootstrap project for initializing the cloud.")
        let user = try await ensureUser("admin", password: adminPassword)
        try await ensureAssignments([
            (.user(user), .project(project), "admin"), (.user(user), .system, "admin"),
        ])
        try await ensureCatalog(catalog, region: RegionID(region))
        return project
    }

    /// An account with a project of the same name and a role on it, such as `demo`.
    package func ensureAccount(_ name: String, password: Secret, role: String = "member") async throws -> ProjectID {
        let project = try await ensureProject(name, description: "")
        let user = try await ensureUser(name, password: password, defaultProject: project)
        try await ensureAssignments([(.user(user), .project(project), role)])
        return project
    }

    // MARK: Steps

    private func ensureDefaultDomain() async throws {
        guard try await engine.database.read({ try projects.findDomain(.default, $0) == nil }) else { return }
        var draft = ProjectDraft(domainID: nil, name: "Default")
        draft.description = "The default domain"
        _ = try await engine.projects.make(draft, id: DomainID.default.asProjectID)
        log.info("domain made", ["domain": "default"])
    }

    private func ensureRole(_ name: String) async throws {
        guard try await engine.database.read({ try roles.find(named: name, in: nil, $0) == nil }) else { return }
        var draft = RoleDraft(name: name)
        draft.options = ResourceOptions(["immutable": true])
        _ = try await engine.roles.make(draft, id: engine.ids.nextHex())
    }

    private func ensureImplications() async throws {
        let missing = try await engine.database.read { tx in
            let ids = try Self.personas.map { try id(ofRole: $0, tx) }
            let graph = try roles.graph(tx)
            return zip(ids, ids.dropFirst()).filter { !graph.directlyImplied(by: $0).contains($1) }
        }
        guard !missing.isEmpty else { return }
        try await engine.database.write("implied_role") { tx in
            for (prior, implied) in missing { try roles.addImplication(prior, implied, tx) }
        }
    }

    private func ensureProject(_ name: String, description: String) async throws -> ProjectID {
        if let found = try await engine.database.read({ try projects.find(named: name, in: .default, $0) }) {
            return found.id
        }
        var draft = ProjectDraft(domainID: .default, name: name)
        draft.description = description
        let project = try await engine.projects.make(draft, id: engine.ids.nextHex())
        log.info("project made", ["project": project.id, "name": name])
        return project.id
    }

    private func ensureUser(_ name: String, password: Secret, defaultProject: ProjectID? = nil) async throws -> UserID {
        if let found = try await engine.database.read({ try users.find(named: name, in: .default, $0) }) {
            return found.id
        }
        var draft = UserDraft(domainID: .default, name: name, password: password)
        draft.defaultProjectID = defaultProject
        let user = try await engine.users.make(draft, id: engine.ids.nextHex())
        log.info("user made", ["user": user.id, "name": name])
        return user.id
    }

    private func ensureAssignments(_ wanted: [(Assignment.Actor, Assignment.Target, role: String)]) async throws {
        let missing = try await engine.database.read { tx in
            try wanted.map { Assignment($0, $1, try id(ofRole: $2, tx)) }.filter { try !assignments.exists($0, tx) }
        }
        guard !missing.isEmpty else { return }
        try await engine.database.write("role grant") { tx in
            for assignment in missing { try assignments.insert(assignment, tx) }
        }
    }

    /// Adds what is missing. What an operator changed stays as it is.
    private func ensureCatalog(_ items: [CatalogItem], region: RegionID) async throws {
        let ids = engine.ids
        let wanted = try items.map { ($0, try EndpointURL($0.url)) }
        let isComplete = try await engine.database.read { tx in
            guard try catalog.region(region, tx) != nil else { return false }
            return try wanted.allSatisfy { item, _ in
                try catalog.services(type: item.type, tx).first.map { try missing($0.id, tx).isEmpty } ?? false
            }
        }
        guard !isComplete else { return }
        try await engine.database.write("endpoint") { tx in
            if try catalog.region(region, tx) == nil {
                try catalog.insert(Region(id: region, parentID: nil, description: "", extras: Extras()), tx)
            }
            for (item, url) in wanted {
                let service = try ensureService(item, id: ids.nextHex(), tx)
                for interface in try missing(service, tx) {
                    try catalog.insert(
                        Endpoint(
                            id: ids.nextHex(), serviceID: service, regionID: region, interface: interface, url: url,
                            isEnabled: true, extras: Extras()), tx)
                }
            }
        }
    }

    private func ensureService(_ item: CatalogItem, id: CatalogServiceID, _ tx: any Transaction) throws
        -> CatalogServiceID
    {
        if let found = try catalog.services(type: item.type, tx).first { return found.id }
        try catalog.insert(
            CatalogService(
                id: id, type: item.type, name: item.name, description: "", isEnabled: true, extras: Extras()), tx)
        return id
    }

    private func missing(_ service: CatalogServiceID, _ tx: any Transaction) throws -> [Endpoint.Interface] {
        let present = Set(try catalog.endpoints(service: service, tx).map(\.interface))
        return Endpoint.Interface.allCases.filter { !present.contains($0) }
    }

    private func id(ofRole name: String, _ tx: any Transaction) throws -> RoleID {
        guard let role = try roles.find(named: name, in: nil, tx) else { throw IdentityError.notFound("role", name) }
        return role.id
    }
}
