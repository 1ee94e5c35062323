// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/security-groups and /v2.0/security-group-rules
struct SecurityGroupRoutes: Sendable {
    let groups: SecurityGroupEngine
    private let collection: Collection
    private let rules: Collection

    init(_ groups: SecurityGroupEngine, maximumPage: Int?) {
        self.groups = groups
        collection = Collection("security_group", "security_groups", maximumPage: maximumPage)
        rules = Collection("security_group_rule", "security_group_rules", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_security_group", list)
        routes.add(.post, collection.path, object: "create_security_group", create)
        routes.add(.get, collection.item, object: "get_security_group", show)
        routes.add(.put, collection.item, object: "update_security_group", update)
        routes.add(.delete, collection.item, object: "delete_security_group", delete)
        routes.add(.get, rules.path, object: "get_security_group_rule", listRules)
        routes.add(.post, rules.path, object: "create_security_group_rule", createRules)
        routes.add(.get, rules.item, object: "get_security_group_rule", showRule)
        routes.add(.delete, rules.item, object: "delete_security_group_rule", deleteRule)
    }

    // MARK: Groups

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await groups.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, SecurityGroupWire.write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let group = try await groups.get(request.id("id"), for: context)
        return collection.one(group, fields: Collection.fields(request), SecurityGroupWire.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { try SecurityGroupWire.draft(&$0) }
        let made = try await groups.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, SecurityGroupWire.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try SecurityGroupWire.draft(&$0) }
        let group = try await groups.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(group, fields: nil, SecurityGroupWire.write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    // MARK: Rules

    private func listRules(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try rules.query(request)
        let found = try await groups.listRules(query, for: context)
        return rules.list(request, query, found, id: { $0.id.rawValue }, SecurityGroupRuleWire.write)
    }

    private func showRule(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let rule = try await groups.getRule(request.id("id"), for: context)
        return rules.one(rule, fields: Collection.fields(request), SecurityGroupRuleWire.write)
    }

    private func createRules(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await rules.drafts(request) { try SecurityGroupRuleWire.draft(&$0) }
        let made = try await groups.createRules(drafts, for: context)
        return rules.created(made, isBulk: isBulk, SecurityGroupRuleWire.write)
    }

    private func deleteRule(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.deleteRule(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }
}

enum SecurityGroupWire {
    static func draft(_ reader: inout AttributeReader) throws -> SecurityGroupDraft {
        try reader.refuseReadOnly("security_group_rules", "shared")
        var draft = SecurityGroupDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.isStateful = try reader.bool("stateful", default: true)
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    static func write(_ group: SecurityGroup, _ out: inout ResourceWriter) {
        out.field("id", group.id)
        out.field("name", group.name)
        out.owner(group.project)
        out.field("stateful", group.isStateful)
        out.field("shared", group.isShared)
        if out.wants("security_group_rules") {
            out.nested("security_group_rules") { json in
                json.beginArray()
                for rule in group.rules {
                    json.beginObject()
                    SecurityGroupRuleWire.write(rule, &json)
                    json.endObject()
                }
                json.endArray()
            }
        }
        out.standard(group.standard)
    }
}
