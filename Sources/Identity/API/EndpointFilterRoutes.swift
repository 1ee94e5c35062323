// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/OS-EP-FILTER
struct EndpointFilterRoutes: Sendable {
    let filters: EndpointFilterEngine

    func register(on routes: inout RouteTable) {
        let base = "/v3/OS-EP-FILTER"
        let groups = base + "/endpoint_groups"
        let group = groups + "/{endpoint_group_id}"
        routes.add(.get, groups, object: "identity:list_endpoint_groups", list)
        routes.add(.post, groups, object: "identity:create_endpoint_group", create)
        routes.add(.get, group, object: "identity:get_endpoint_group", show)
        routes.add(.patch, group, object: "identity:update_endpoint_group", update)
        routes.add(.delete, group, object: "identity:delete_endpoint_group", delete)
        routes.add(
            .get, group + "/endpoints", object: "identity:list_endpoints_associated_with_endpoint_group", listMembers)
        routes.add(
            .get, group + "/projects", object: "identity:list_projects_associated_with_endpoint_group", listHolders)
        let holder = group + "/projects/{project_id}"
        routes.add(.get, holder, object: "identity:get_endpoint_group_in_project", showInProject)
        routes.add(.put, holder, object: "identity:add_endpoint_group_to_project", addToProject)
        routes.add(.delete, holder, object: "identity:remove_endpoint_group_from_project", removeFromProject)
        let project = base + "/projects/{project_id}"
        routes.add(
            .get, project + "/endpoint_groups", object: "identity:list_endpoint_groups_for_project", listOfProject)
        routes.add(.get, project + "/endpoints", object: "identity:list_endpoints_for_project", listEndpoints)
        let endpoint = project + "/endpoints/{endpoint_id}"
        routes.add(.get, endpoint, object: "identity:check_endpoint_in_project", checkEndpoint)
        routes.add(.put, endpoint, object: "identity:add_endpoint_to_project", addEndpoint)
        routes.add(.delete, endpoint, object: "identity:remove_endpoint_from_project", removeEndpoint)
        routes.add(
            .get, base + "/endpoints/{endpoint_id}/projects", object: "identity:list_projects_for_endpoint",
            listProjects)
    }

    // MARK: Groups

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try Self.response(try await filters.groups(name: request.query("name"), for: context), request)
    }

    private static func response(_ groups: [EndpointGroup], _ request: APIRequest) throws -> HTTPResponse {
        try ListPage(request, groups, id: \.id.rawValue, name: \.name).response("endpoint_groups") {
            write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try await request.body("endpoint_group")
        let name = try body.requiredName(maximum: 255)
        let description = try body.nullableString("description", 0...65_535).flatMap { $0 }
        guard let filter = try Self.filter(&body) else {
            throw CloudError.badRequest("filters field is required and cannot be empty")
        }
        let group = try await filters.create(name: name, description: description, filter, for: context)
        return IdentityReply.one("endpoint_group", status: 201) { Self.write(group, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let group = try await filters.group(request.id("endpoint_group_id"), for: context)
        return IdentityReply.one("endpoint_group") { Self.write(group, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: EndpointGroupID = request.id("endpoint_group_id")
        var body = try await request.body("endpoint_group")
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'endpoint_group': at least one property is required")
        }
        var change = EndpointGroupChange()
        change.name = try body.name(maximum: 255)
        change.description = try body.nullableString("description", 0...65_535)
        // The stock client sends null for what it does not change.
        change.filter = body.isNull("filters") ? nil : try Self.filter(&body)
        try body.checkID("id", is: id.rawValue, "endpoint group ID")
        let group = try await filters.update(id, change, for: context)
        return IdentityReply.one("endpoint_group") { Self.write(group, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await filters.delete(request.id("endpoint_group_id"), for: context)
        return IdentityReply.noContent()
    }

    private func listMembers(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try Self.response(try await filters.endpoints(of: request.groupID, for: context), request)
    }

    private func listHolders(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try Self.response(try await filters.projects(of: request.groupID, for: context), request)
    }

    // MARK: Projects

    private func showInProject(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (group, project) = (request.groupID, request.projectID)
        try await filters.check(group, of: project, for: context)
        return IdentityReply.one("project_endpoint_group") { writer in
            writer.field("endpoint_group_id", group)
            writer.field("project_id", project)
            writer.selfLink("\(request.v3URL)/OS-EP-FILTER/endpoint_groups/\(group)/projects/\(project)")
        }
    }

    private func addToProject(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await filters.add(request.groupID, to: request.projectID, for: context)
        return IdentityReply.noContent()
    }

    private func removeFromProject(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await filters.remove(request.groupID, from: request.projectID, for: context)
        return IdentityReply.noContent()
    }

    private func listOfProject(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try Self.response(try await filters.groups(of: request.projectID, for: context), request)
    }

    private func listEndpoints(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try Self.response(try await filters.endpoints(of: request.projectID, for: context), request)
    }

    private func checkEndpoint(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await filters.check(request.endpointID, of: request.projectID, for: context)
        return IdentityReply.noContent()
    }

    private func addEndpoint(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await filters.add(request.endpointID, to: request.projectID, for: context)
        return IdentityReply.noContent()
    }

    private func removeEndpoint(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await filters.remove(request.endpointID, from: request.projectID, for: context)
        return IdentityReply.noContent()
    }

    private func listProjects(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try Self.response(try await filters.projects(of: request.endpointID, for: context), request)
    }

    // MARK: Parts

    static func response(_ endpoints: [Endpoint], _ request: APIRequest) throws -> HTTPResponse {
        try ListPage(request, endpoints, id: \.id.rawValue, name: nil).response("endpoints") {
            EndpointRoutes.write($0, &$1, request)
        }
    }

    private static func response(_ projects: [Project], _ request: APIRequest) throws -> HTTPResponse {
        try ListPage(request, projects, id: \.id.rawValue, name: \.name).response("projects") {
            ProjectWire.write($0, &$1, request.v3URL)
        }
    }

    /// Nil when absent or empty.
    private static func filter(_ body: inout ObjectReader) throws -> EndpointGroup.Filter? {
        guard var fields = try body.object("filters", allowsUnknown: true), !fields.remainingKeys.isEmpty else {
            return nil
        }
        var filter = EndpointGroup.Filter()
        filter.serviceID = try fields.string("service_id", 1...64).map { ID($0) }
        filter.regionID = try fields.string("region_id", 1...255).map { ID($0) }
        filter.interface = try fields.string("interface").map(EndpointRoutes.interface)
        guard fields.remainingKeys.isEmpty else {
            throw CloudError.badRequest(
                "Expecting to find service_id or region_id or interface in endpoint_group. The server could not comply "
                    + "with the request since it is either malformed or otherwise incorrect. The client is assumed to "
                    + "be in error.")
        }
        return filter
    }

    private static func write(_ group: EndpointGroup, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", group.id)
        writer.field("name", group.name)
        writer.field("description", group.description)
        writer.object("filters") { writer in
            if let service = group.filter.serviceID { writer.field("service_id", service) }
            if let region = group.filter.regionID { writer.field("region_id", region) }
            if let interface = group.filter.interface { writer.field("interface", interface.rawValue) }
        }
        writer.selfLink("\(base)/OS-EP-FILTER/endpoint_groups/\(group.id)")
    }
}

extension APIRequest {
    fileprivate var groupID: EndpointGroupID { id("endpoint_group_id") }
    fileprivate var projectID: ProjectID { id("project_id") }
    fileprivate var endpointID: EndpointID { id("endpoint_id") }
}
