// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/qos/policies and /v2.0/qos/rule-types
struct QoSPolicyRoutes: Sendable {
    let policies: QoSEngine
    private let collection: Collection
    private let types: Collection

    init(_ policies: QoSEngine, maximumPage: Int?) {
        self.policies = policies
        collection = Collection("policy", "policies", path: "/v2.0/qos/policies", maximumPage: maximumPage)
        types = Collection("rule_type", "rule_types", path: "/v2.0/qos/rule-types", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_policy", list)
        routes.add(.post, collection.path, object: "create_policy", create)
        routes.add(.get, collection.item, object: "get_policy", show)
        routes.add(.put, collection.item, object: "update_policy", update)
        routes.add(.delete, collection.item, object: "delete_policy", delete)
        routes.add(.get, types.path, object: "get_rule_type", listTypes)
        routes.add(.get, types.path + "/{type}", object: "get_rule_type", showType)
    }

    // MARK: Policies

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await policies.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let policy = try await policies.get(request.id("id"), for: context)
        return collection.one(policy, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request, read)
        return collection.created(try await policies.create(drafts, for: context), isBulk: isBulk, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request, read)
        let policy = try await policies.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(policy, fields: nil, write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await policies.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    private func read(_ reader: inout AttributeReader) throws -> QoSPolicyDraft {
        try reader.refuseReadOnly("rules")
        var draft = QoSPolicyDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.isShared = try reader.bool("shared", default: false)
        draft.isDefault = try reader.bool("is_default", default: false)
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    private func write(_ policy: QoSPolicy, _ out: inout ResourceWriter) {
        out.field("id", policy.id)
        out.field("name", policy.name)
        out.owner(policy.project)
        out.field("shared", policy.isShared)
        out.field("is_default", policy.isDefault)
        out.nested("rules") { json in
            json.beginArray()
            for rule in policy.rules {
                json.beginObject()
                json.field("id", rule.id)
                json.field("qos_policy_id", rule.policy)
                json.field("type", rule.kind.rawValue)
                json.field(rule.kind.amountKey, rule.amount)
                if let key = rule.kind.burstKey { json.field(key, rule.burst) }
                if let direction = rule.direction { json.field("direction", direction.rawValue) }
                json.endObject()
            }
            json.endArray()
        }
        out.standard(policy.standard)
    }

    // MARK: Types of rules

    private func listTypes(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try context.authorize([:])
        let query = try types.query(request)
        // neutron: `all_rules` shows those that nothing enforces, too.
        let filters = Dictionary(query.filters.map { ($0.name, $0.values) }, uniquingKeysWith: +)
        let showsAll = filters["all_rules"]?.contains { $0.lowercased() == "true" } ?? false
        let names = filters["type"]
        let supported = policies.supportedRules
        let kinds = QoSRuleKind.allCases.filter { kind in
            (showsAll || supported.contains(kind)) && names?.contains(kind.rawValue) ?? true
        }
        return types.list(request, query, query.page(of: kinds, id: \.rawValue), id: \.rawValue) { kind, out in
            out.field("type", kind.rawValue)
        }
    }

    // neutron: a plugin's matter, so only administrators see it (qos_plugin.py: get_rule_type).
    private func showType(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try context.authorize([:])
        guard context.allows("context_is_admin", [:]) else {
            throw CloudError(.forbidden, "Not authorized.", kind: "NotAuthorized")
        }
        let name = request.parameter("type")
        guard let kind = QoSRuleKind(rawValue: name) else {
            throw CloudError.notFound("The resource could not be found.", kind: "HTTPNotFound")
        }
        let isSupported = policies.supportedRules.contains(kind)
        return types.one(kind, fields: Collection.fields(request)) { kind, out in
            out.field("type", kind.rawValue)
            out.nested("drivers") { json in
                json.beginArray()
                if isSupported { Self.writeDriver(of: kind, &json) }
                json.endArray()
            }
        }
    }

    private static func writeDriver(of kind: QoSRuleKind, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("name", "ovn")
        json.array("supported_parameters") { json in
            writeParameter(kind.amountName, marks: kind == .dscpMarking ? QoSRuleWire.marks : nil, &json)
            if let burst = kind.burstName { writeParameter(burst, marks: nil, &json) }
            guard kind != .dscpMarking else { return }
            json.beginObject()
            json.field("parameter_name", "direction")
            json.field("parameter_type", "choices")
            json.field("parameter_values", kind.directions.map(\.rawValue))
            json.endObject()
        }
        json.endObject()
    }

    private static func writeParameter(_ name: String, marks: [Int]?, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("parameter_name", name)
        json.field("parameter_type", marks == nil ? "range" : "choices")
        json.key("parameter_values")
        if let marks {
            json.beginArray()
            for mark in marks { json.value(mark) }
            json.endArray()
        } else {
            json.beginObject()
            json.field("start", 0)
            json.field("end", Int(Int32.max))
            json.endObject()
        }
        json.endObject()
    }
}
