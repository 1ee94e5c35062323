// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/role_assignments
struct RoleAssignmentRoutes: Sendable {
    let assignments: AssignmentEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/role_assignments", object: "identity:list_role_assignments", list)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let isEffective = try flag("effective", request)
        let filter = try filter(request, isEffective: isEffective)
        let listing = try await assignments.list(
            filter, isEffective: isEffective, includesNames: try flag("include_names", request),
            limit: try request.listLimit(), for: context)
        let rows = listing.assignments
        return try ListPage(request, rows, id: { _ in "" }, name: nil).response("role_assignments") {
            RoleAssignmentWire.write($0, listing.names, &$1, request.v3URL)
        }
    }

    /// There and not false (keystone: `query_filter_is_true`).
    private func flag(_ name: String, _ request: APIRequest) throws -> Bool {
        guard let value = request.query(name) else { return false }
        return value != "0"
    }

    private func filter(_ request: APIRequest, isEffective: Bool) throws -> AssignmentFilter {
        let project = nonEmpty("scope.project.id", request)
        let domain = nonEmpty("scope.domain.id", request)
        let system = nonEmpty("scope.system", request)
        let user = nonEmpty("user.id", request)
        let group = nonEmpty("group.id", request)
        if domain != nil, project != nil { throw CloudError.badRequest("Specify a domain or project, not both") }
        if domain != nil, system != nil { throw CloudError.badRequest("Specify system or domain, not both") }
        if project != nil, system != nil { throw CloudError.badRequest("Specify system or project, not both") }
        if user != nil, group != nil { throw CloudError.badRequest("Specify a user or group, not both") }
        var filter = AssignmentFilter()
        filter.roleID = nonEmpty("role.id", request).map { ID($0) }
        filter.isInherited = request.query("scope.OS-INHERIT:inherited_to").map { $0 == "projects" }
        if isEffective {
            if group != nil {
                throw CloudError.badRequest("Combining effective and group filter will always result in an empty list.")
            }
            if filter.isInherited == true, domain != nil {
                throw CloudError.badRequest(
                    "Combining effective, domain and inherited filters will always result in an empty list.")
            }
        }
        filter.actor = user.map { .user(ID($0)) } ?? group.map { .group(ID($0)) }
        filter.target =
            project.map { .project(ID($0)) } ?? domain.map { .domain(ID($0)) } ?? (system == nil ? nil : .system)
        filter.includesSubtree = try flag("include_subtree", request)
        if filter.includesSubtree, project == nil {
            throw CloudError.badRequest("scope.project.id must be specified if include_subtree is also specified")
        }
        return filter
    }

    private func nonEmpty(_ name: String, _ request: APIRequest) -> String? {
        request.query(name).flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// keystone: `RoleAssignmentsResource._format_entity`.
enum RoleAssignmentWire {
    static func write(
        _ row: EffectiveAssignment, _ names: AssignmentListing.Names?, _ writer: inout JSONWriter, _ base: String
    ) {
        writer.object("role") { role(row.assignment.roleID, names, &$0) }
        switch row.assignment.actor {
        case .user(let id):
            writer.object("user") { writer in
                writer.field("id", id)
                if let user = names?.users[id] { named(user.name, user.domainID, names, &writer) }
            }
        case .group(let id):
            writer.object("group") { writer in
                writer.field("id", id)
                if let group = names?.groups[id] { named(group.name, group.domainID, names, &writer) }
            }
        }
        writer.object("scope") { scope(row, names, &$0) }
        writer.object("links") { writer in
            writer.field("assignment", base + assignmentPath(row))
            if let group = row.viaGroup {
                writer.field("membership", "\(base)/groups/\(group)/users/\(row.assignment.actor.rawID)")
            }
            if let prior = row.impliedBy {
                writer.field("prior_role", "\(base)/prior_role/\(prior)/implies/\(row.assignment.roleID)")
            }
        }
    }

    private static func scope(
        _ row: EffectiveAssignment, _ names: AssignmentListing.Names?, _ writer: inout JSONWriter
    ) {
        switch row.assignment.target {
        case .project(let id):
            writer.object("project") { writer in
                writer.field("id", id)
                if let project = names?.projects[id] {
                    named(project.name, project.domainID ?? project.asDomainID, names, &writer)
                }
            }
        case .domain(let id):
            writer.object("domain") { writer in
                writer.field("id", id)
                if let domain = names?.projects[id.asProjectID] { writer.field("name", domain.name) }
            }
        case .system: writer.object("system") { $0.field("all", true) }
        }
        if row.assignment.isInherited || row.inheritedFrom != nil {
            writer.field("OS-INHERIT:inherited_to", "projects")
        }
    }

    private static func role(_ id: RoleID, _ names: AssignmentListing.Names?, _ writer: inout JSONWriter) {
        writer.field("id", id)
        guard let role = names?.roles[id] else { return }
        writer.field("name", role.name)
        if let domain = role.domainID { self.domain(domain, names, &writer) }
    }

    private static func named(
        _ name: String, _ domain: DomainID, _ names: AssignmentListing.Names?, _ writer: inout JSONWriter
    ) {
        writer.field("name", name)
        self.domain(domain, names, &writer)
    }

    private static func domain(_ id: DomainID, _ names: AssignmentListing.Names?, _ writer: inout JSONWriter) {
        writer.object("domain") { writer in
            writer.field("id", id)
            writer.field("name", names?.projects[id.asProjectID]?.name ?? "")
        }
    }

    /// The path of the grant that this comes from.
    private static func assignmentPath(_ row: EffectiveAssignment) -> String {
        let target =
            switch row.inheritedFrom ?? row.assignment.target {
            case .project(let id): "/projects/\(id)"
            case .domain(let id): "/domains/\(id)"
            case .system: "/system"
            }
        let actor =
            if let group = row.viaGroup {
                "/groups/\(group)"
            } else {
                "/\(row.assignment.actor.kind)s/\(row.assignment.actor.rawID)"
            }
        let path = target + actor + "/roles/\(row.impliedBy ?? row.assignment.roleID)"
        let isInherited = row.assignment.isInherited || row.inheritedFrom != nil
        return isInherited ? "/OS-INHERIT\(path)/inherited_to_projects" : path
    }
}
