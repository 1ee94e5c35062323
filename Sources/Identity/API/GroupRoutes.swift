// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/groups
struct GroupRoutes: Sendable {
    let groups: GroupEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/groups", object: "identity:list_groups", list)
        routes.add(.post, "/v3/groups", object: "identity:create_group", create)
        routes.add(.get, "/v3/groups/{group_id}", object: "identity:get_group", show)
        routes.add(.patch, "/v3/groups/{group_id}", object: "identity:update_group", update)
        routes.add(.delete, "/v3/groups/{group_id}", object: "identity:delete_group", delete)
        routes.add(.get, "/v3/groups/{group_id}/users", object: "identity:list_users_in_group", listMembers)
        let member = "/v3/groups/{group_id}/users/{user_id}"
        routes.add(.put, member, object: "identity:add_user_to_group", addMember)
        routes.add(.get, member, object: "identity:check_user_in_group", checkMember)
        routes.add(.delete, member, object: "identity:remove_user_from_group", removeMember)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await groups.list(
            domain: request.queryID("domain_id"), name: request.query("name"), try request.listRange(), for: context)
        return ListPage(request, found, id: \.id.rawValue).response("groups") {
            GroupWire.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try GroupWire.draft(try await request.body("group"), defaultDomain: context.domainForCreate)
        let group = try await groups.create(draft, for: context)
        return IdentityReply.one("group", status: 201) { GroupWire.write(group, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let group = try await groups.show(request.id("group_id"), for: context)
        return IdentityReply.one("group") { GroupWire.write(group, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: GroupID = request.id("group_id")
        let old = try await groups.show(id, for: context)
        let change = try GroupWire.change(try await request.body("group"), of: old)
        let group = try await groups.update(id, change, for: context)
        return IdentityReply.one("group") { GroupWire.write(group, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.delete(request.id("group_id"), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Members

    private func listMembers(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let members = try await groups.members(of: request.id("group_id"), for: context)
            .filter(try PasswordExpiryFilter.all(request))
        return try ListPage(request, members, id: \.id.rawValue, name: \.name).response("users") {
            UserWire.write($0, &$1, request.v3URL)
        }
    }

    private func addMember(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.addMember(request.id("user_id"), to: request.id("group_id"), for: context)
        return IdentityReply.noContent()
    }

    private func checkMember(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.checkMember(request.id("user_id"), of: request.id("group_id"), for: context)
        return IdentityReply.noContent()
    }

    private func removeMember(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.removeMember(request.id("user_id"), from: request.id("group_id"), for: context)
        return IdentityReply.noContent()
    }
}

enum GroupWire {
    static func write(_ group: Group, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", group.id)
        writer.field("name", group.name)
        writer.field("domain_id", group.domainID)
        writer.field("description", group.description)
        writer.extras(group.extras)
        writer.selfLink("\(base)/groups/\(group.id)")
    }

    static func draft(_ body: ObjectReader, defaultDomain: DomainID) throws -> GroupDraft {
        var body = body
        var draft = GroupDraft(
            domainID: try body.optionalID("domain_id") ?? defaultDomain,
            name: try body.requiredName(maximum: Group.maximumNameLength))
        draft.description = (try body.nullableString("description", 0...65_535) ?? nil) ?? ""
        _ = body.value("id")
        draft.extras = try body.extras()
        return draft
    }

    static func change(_ body: ObjectReader, of group: Group) throws -> GroupChange {
        var body = body
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'group': at least one property is required")
        }
        var change = GroupChange()
        change.name = try body.name(maximum: Group.maximumNameLength)
        if let description = try body.nullableString("description", 0...65_535) {
            change.description = description ?? ""
        }
        try body.checkID("id", is: group.id.rawValue, "group ID")
        try body.checkID("domain_id", is: group.domainID.rawValue, "Domain ID")
        change.extras = try body.extras()
        return change
    }
}
