// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/projects
struct ProjectRoutes: Sendable {
    let projects: ProjectEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/projects", object: "identity:list_projects", list)
        routes.add(.post, "/v3/projects", object: "identity:create_project", create)
        routes.add(.get, "/v3/projects/{project_id}", object: "identity:get_project", show)
        routes.add(.patch, "/v3/projects/{project_id}", object: "identity:update_project", update)
        routes.add(.delete, "/v3/projects/{project_id}", object: "identity:delete_project", delete)
        let tags = "/v3/projects/{project_id}/tags"
        routes.add(.get, tags, object: "identity:list_project_tags", listTags)
        routes.add(.put, tags, object: "identity:update_project_tags", replaceTags)
        routes.add(.delete, tags, object: "identity:delete_project_tags", removeTags)
        routes.add(.get, tags + "/{tag}", object: "identity:get_project_tag", checkTag)
        routes.add(.put, tags + "/{tag}", object: "identity:create_project_tag", addTag)
        routes.add(.delete, tags + "/{tag}", object: "identity:delete_project_tag", removeTag)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var filter = ProjectFilter()
        filter.domainID = request.queryID("domain_id")
        filter.parentID = request.queryID("parent_id")
        filter.name = request.query("name")
        filter.isEnabled = try request.queryBool("enabled")
        filter.isDomain = try request.queryBool("is_domain") ?? false
        filter.tags = Self.tagList(request, "tags")
        filter.tagsAny = Self.tagList(request, "tags-any")
        filter.notTags = Self.tagList(request, "not-tags")
        filter.notTagsAny = Self.tagList(request, "not-tags-any")
        let found = try await projects.list(filter, try request.listRange(), for: context)
        return ListPage(request, found, id: \.id.rawValue).response("projects") {
            ProjectWire.write($0, &$1, request.v3URL)
        }
    }

    private static func tagList(_ request: APIRequest, _ name: String) -> [String]? {
        request.query(name).map { $0.split(separator: ",").map(String.init) }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try ProjectWire.draft(try await request.body("project"), defaultDomain: context.domainForCreate)
        let project = try await projects.create(draft, for: context)
        return IdentityReply.one("project", status: 201) { ProjectWire.write(project, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: ProjectID = request.id("project_id")
        guard let relatives = try ProjectRelatives(request) else {
            let project = try await projects.show(id, for: context)
            return IdentityReply.one("project") { ProjectWire.write(project, &$0, request.v3URL) }
        }
        let family = try await projects.family(of: id, for: context)
        return IdentityReply.one("project") { writer in
            ProjectWire.write(family.project, &writer, request.v3URL)
            relatives.write(family, &writer, request.v3URL)
        }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: ProjectID = request.id("project_id")
        let old = try await projects.show(id, for: context)
        let change = try ProjectWire.change(try await request.body("project"), of: old)
        let project = try await projects.update(id, change, for: context)
        return IdentityReply.one("project") { ProjectWire.write(project, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await projects.delete(request.id("project_id"), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Tags

    private func listTags(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        Self.tags(try await projects.show(request.id("project_id"), for: context), request)
    }

    private func replaceTags(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader(try await request.json())
        guard let tags = try body.strings("tags") else { throw body.missing("tags") }
        try body.finish()
        return Self.tags(try await setTags(request, context) { _ in tags }, request)
    }

    private func removeTags(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        _ = try await setTags(request, context) { _ in [] }
        return IdentityReply.noContent()
    }

    private func checkTag(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let tag = request.parameter("tag")
        guard try await projects.show(request.id("project_id"), for: context).tags.contains(tag) else {
            throw CloudError.notFound("Could not find project tag: \(tag.prefix(255)).")
        }
        return IdentityReply.noContent()
    }

    private func addTag(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let tag = request.parameter("tag")
        _ = try await setTags(request, context) { $0.contains(tag) ? $0 : $0 + [tag] }
        return HTTPResponse(status: 201, headers: ["Vary": "X-Auth-Token", "Location": request.selfURL()])
    }

    private func removeTag(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let tag = request.parameter("tag")
        _ = try await setTags(request, context) { tags in
            guard tags.contains(tag) else {
                throw CloudError.notFound("Could not find project tag: \(tag.prefix(255)).")
            }
            return tags.filter { $0 != tag }
        }
        return IdentityReply.noContent()
    }

    private func setTags(
        _ request: APIRequest, _ context: CallContext, _ change: @escaping @Sendable ([String]) throws -> [String]
    ) async throws -> Project {
        try await projects.changeTags(of: request.id("project_id"), change, for: context)
    }

    private static func tags(_ project: Project, _ request: APIRequest) -> HTTPResponse {
        IdentityReply.json(
            JSONWriter.object { writer in
                writer.field("tags", project.tags)
                writer.selfLink(request.selfURL())
            })
    }
}

/// `parents_as_list`, `subtree_as_ids` and the like: which relatives a caller wants to see, and in which form.
private struct ProjectRelatives {
    private let parentsAsList: Bool
    private let parentsAsIDs: Bool
    private let subtreeAsList: Bool
    private let subtreeAsIDs: Bool

    /// Nil when none are wanted.
    init?(_ request: APIRequest) throws {
        parentsAsList = try request.queryBool("parents_as_list") ?? false
        parentsAsIDs = try request.queryBool("parents_as_ids") ?? false
        subtreeAsList = try request.queryBool("subtree_as_list") ?? false
        subtreeAsIDs = try request.queryBool("subtree_as_ids") ?? false
        for (kind, both) in [("parents", parentsAsList && parentsAsIDs), ("subtree", subtreeAsList && subtreeAsIDs)]
        where both {
            throw CloudError.badRequest(
                "Cannot use \(kind)_as_list and \(kind)_as_ids query params at the same time.")
        }
        guard parentsAsList || parentsAsIDs || subtreeAsList || subtreeAsIDs else { return nil }
    }

    func write(_ family: ProjectFamily, _ writer: inout JSONWriter, _ base: String) {
        if parentsAsList { list("parents", family.ancestors, family.reachable, &writer, base) }
        if subtreeAsList { list("subtree", family.descendants, family.reachable, &writer, base) }
        if parentsAsIDs {
            // `{"parent": {"grandparent": null}}`.
            writer.field(
                "parents",
                family.ancestors.reversed().reduce(JSON.null) { above, next in .object([next.id.rawValue: above]) })
        }
        if subtreeAsIDs {
            let children = Dictionary(grouping: family.descendants, by: \.parentID)
            writer.field("subtree", Self.tree(under: family.project.id, children))
        }
    }

    /// Only those that the caller has a role on.
    private func list(
        _ key: StaticString, _ projects: [Project], _ reachable: Set<ProjectID>, _ writer: inout JSONWriter,
        _ base: String
    ) {
        writer.array(key) { writer in
            for project in projects where reachable.contains(project.id) {
                writer.beginObject()
                writer.object("project") { ProjectWire.write(project, &$0, base) }
                writer.endObject()
            }
        }
    }

    private static func tree(under id: ProjectID, _ children: [ProjectID?: [Project]]) -> JSON {
        guard let below = children[id], !below.isEmpty else { return .null }
        return .object(
            Dictionary(
                below.map { ($0.id.rawValue, tree(under: $0.id, children)) }, uniquingKeysWith: { first, _ in first }))
    }
}

enum ProjectWire {
    static func write(_ project: Project, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", project.id)
        writer.field("name", project.name)
        writer.field("domain_id", project.domainID)
        writer.field("description", project.description)
        writer.field("enabled", project.isEnabled)
        writer.field("parent_id", project.parentID)
        writer.field("is_domain", project.isDomain)
        writer.field("tags", project.tags)
        writer.options(project.options)
        writer.extras(project.extras)
        writer.selfLink("\(base)/projects/\(project.id)")
    }

    static func draft(_ body: ObjectReader, defaultDomain: DomainID) throws -> ProjectDraft {
        var body = body
        let isDomain = try body.looseBool("is_domain") ?? false
        let domain: DomainID? = try body.optionalID("domain_id")
        if isDomain, domain != nil { throw CloudError.badRequest("only root projects are allowed to act as domains.") }
        var draft = ProjectDraft(
            domainID: isDomain ? nil : domain ?? defaultDomain,
            name: try body.requiredName(maximum: Project.maximumNameLength),
            parentID: try body.optionalID("parent_id"))
        draft.isEnabled = try body.looseBool("enabled") ?? true
        draft.description = (try body.nullableString("description", 0...65_535) ?? nil) ?? ""
        draft.tags = try body.strings("tags") ?? []
        draft.options = draft.options.changed(by: try body.flags(["immutable"]) ?? [:])
        _ = body.value("id")
        draft.extras = try body.extras()
        return draft
    }

    static func change(_ body: ObjectReader, of project: Project) throws -> ProjectChange {
        var body = body
        var change = ProjectChange()
        change.name = try body.name(maximum: Project.maximumNameLength)
        change.isEnabled = try body.looseBool("enabled")
        if let description = try body.nullableString("description", 0...65_535) {
            change.description = description ?? ""
        }
        change.tags = try body.strings("tags")
        change.options = try body.flags(["immutable"])
        try body.checkID("id", is: project.id.rawValue, "project ID")
        if let domain = project.domainID { try body.checkID("domain_id", is: domain.rawValue, "Domain ID") }
        if let isDomain = try body.looseBool("is_domain"), isDomain != project.isDomain {
            throw CloudError.badRequest("Update of `is_domain` is not allowed.")
        }
        if let parent = body.value("parent_id"), parent.string != project.parentID?.rawValue {
            throw CloudError.forbidden("Update of `parent_id` is not allowed.")
        }
        change.extras = try body.extras()
        return change
    }
}
