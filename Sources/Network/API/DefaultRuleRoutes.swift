// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/default-security-group-rules
struct DefaultRuleRoutes: Sendable {
    let rules: DefaultRuleEngine
    private let collection: Collection

    init(_ rules: DefaultRuleEngine, maximumPage: Int?) {
        self.rules = rules
        collection = Collection(
            "default_security_group_rule", "default_security_group_rules", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_default_security_group_rule", list)
        routes.add(.post, collection.path, object: "create_default_security_group_rule", create)
        routes.add(.get, collection.item, object: "get_default_security_group_rule", show)
        routes.add(.delete, collection.item, object: "delete_default_security_group_rule") { request, context in
            try await rules.delete(request.id("id"), for: context)
            return .noContent()
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await rules.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let rule = try await rules.get(request.id("id"), for: context)
        return collection.one(rule, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            let rule = try SecurityGroupRuleWire.pattern(&reader, of: SecurityGroupRulePattern.parent)
            // api-ref: custom groups alone, when the request does not say.
            return DefaultRuleDraft(
                rule, isForDefault: try reader.bool("used_in_default_sg", default: false) ?? false,
                isForOthers: try reader.bool("used_in_non_default_sg", default: true) ?? true)
        }
        return collection.created(try await rules.create(drafts, for: context), isBulk: isBulk, write)
    }

    private func write(_ rule: DefaultSecurityGroupRule, _ out: inout ResourceWriter) {
        let pattern = rule.pattern
        out.field("id", rule.id)
        out.field("direction", pattern.isIngress ? "ingress" : "egress")
        out.field("ethertype", pattern.isIPv6 ? "IPv6" : "IPv4")
        out.field("protocol", pattern.protocolName)
        out.field("port_range_min", pattern.portMinimum)
        out.field("port_range_max", pattern.portMaximum)
        out.field("remote_ip_prefix", pattern.remotePrefix)
        out.field("remote_group_id", pattern.remoteGroup)
        out.field("remote_address_group_id", pattern.remoteAddressGroup)
        out.field("description", pattern.description)
        out.field("used_in_default_sg", rule.isForDefault)
        out.field("used_in_non_default_sg", rule.isForOthers)
    }
}
