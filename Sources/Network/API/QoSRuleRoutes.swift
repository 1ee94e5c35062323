// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/qos/policies/{id}/bandwidth_limit_rules and its like for each kind of rule, and
/// /v2.0/qos/alias-bandwidth-limit-rules/{id}: the same rule without its policy.
struct QoSRuleRoutes: Sendable {
    let rules: QoSRuleEngine
    private let kind: QoSRuleKind
    private let collection: Collection
    private let alias: Collection

    init(_ rules: QoSRuleEngine, _ kind: QoSRuleKind, maximumPage: Int?) {
        self.rules = rules
        self.kind = kind
        let dashed = String(kind.rawValue.map { $0 == "_" ? "-" : $0 })
        collection = Collection(
            kind.rawValue + "_rule", kind.pluralKey, path: "/v2.0/qos/policies/{id}/\(kind.rawValue)_rules",
            maximumPage: maximumPage)
        alias = Collection(
            "alias_\(kind.rawValue)_rule", kind.pluralKey, path: "/v2.0/qos/alias-\(dashed)-rules",
            maximumPage: maximumPage)
    }

    /// Those of all kinds.
    static func register(_ rules: QoSRuleEngine, maximumPage: Int?, on routes: inout RouteTable) {
        for kind in QoSRuleKind.allCases {
            QoSRuleRoutes(rules, kind, maximumPage: maximumPage).register(on: &routes)
        }
    }

    private func register(on routes: inout RouteTable) {
        func policy(_ action: String) -> PolicyName { PolicyName("\(action)_policy_\(kind.rawValue)_rule") }
        func aliasPolicy(_ action: String) -> PolicyName { PolicyName("\(action)_alias_\(kind.rawValue)_rule") }
        let item = collection.path + "/{rule}"
        routes.add(.get, collection.path, object: policy("get"), list)
        routes.add(.post, collection.path, object: policy("create"), create)
        routes.add(.get, item, object: policy("get")) { try await show($0, $1, "rule", inPolicy($0), collection) }
        routes.add(.put, item, object: policy("update")) {
            try await update($0, $1, "rule", inPolicy($0), collection)
        }
        routes.add(.delete, item, object: policy("delete")) { try await delete($0, $1, "rule", inPolicy($0)) }
        // neutron has no aliases for limits of packet rates (qos_rules_alias.py, qos_pps_minimum_rule_alias.py).
        guard kind != .packetRateLimit else { return }
        routes.add(.get, alias.item, object: aliasPolicy("get")) { try await show($0, $1, "id", .alias, alias) }
        routes.add(.put, alias.item, object: aliasPolicy("update")) { try await update($0, $1, "id", .alias, alias) }
        routes.add(.delete, alias.item, object: aliasPolicy("delete")) { try await delete($0, $1, "id", .alias) }
    }

    private func inPolicy(_ request: APIRequest) -> QoSRuleEngine.Scope { .policy(request.id("id")) }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await rules.list(kind, in: request.id("id"), query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, QoSRuleWire.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require(kind.amountName)
            let draft = try QoSRuleWire.draft(kind, &reader)
            guard draft.amount != nil else { throw AttributeReader.invalid(kind.amountName, "'null' is not an integer") }
            return draft
        }
        let made = try await rules.create(kind, in: request.id("id"), drafts, for: context)
        return collection.created(made, isBulk: isBulk, QoSRuleWire.write)
    }

    private func show(
        _ request: APIRequest, _ context: CallContext, _ parameter: String, _ scope: QoSRuleEngine.Scope,
        _ collection: Collection
    ) async throws -> HTTPResponse {
        let rule = try await rules.get(kind, request.id(parameter), scope, for: context)
        return collection.one(rule, fields: Collection.fields(request), QoSRuleWire.write)
    }

    private func update(
        _ request: APIRequest, _ context: CallContext, _ parameter: String, _ scope: QoSRuleEngine.Scope,
        _ collection: Collection
    ) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try QoSRuleWire.draft(kind, &$0) }
        let rule = try await rules.update(kind, request.id(parameter), scope, draft, for: context)
        return collection.one(rule, fields: nil, QoSRuleWire.write)
    }

    private func delete(
        _ request: APIRequest, _ context: CallContext, _ parameter: String, _ scope: QoSRuleEngine.Scope
    ) async throws -> HTTPResponse {
        try await rules.delete(kind, request.id(parameter), scope, for: context)
        return .noContent()
    }
}

enum QoSRuleWire {
    /// neutron_lib: VALID_DSCP_MARKS.
    static let marks = [0] + Array(stride(from: 8, through: 40, by: 2)) + [44, 46, 48, 56]

    static func draft(_ kind: QoSRuleKind, _ reader: inout AttributeReader) throws -> QoSRuleDraft {
        _ = try reader.project()
        var draft = QoSRuleDraft()
        draft.amount = try reader.int(kind.amountName, 0...Int(Int32.max))
        if kind == .dscpMarking, let mark = draft.amount, !marks.contains(mark) {
            throw AttributeReader.invalid("dscp_mark", "\(mark) is not in \(marks)")
        }
        if let name = kind.burstName { draft.burst = try reader.int(name, 0...Int(Int32.max)) }
        if kind != .dscpMarking, let text = try reader.string("direction") {
            guard let direction = QoSRule.Direction(rawValue: text), kind.directions.contains(direction) else {
                throw AttributeReader.invalid(
                    "direction", "'\(text.prefix(32))' is not in \(kind.directions.map(\.rawValue))")
            }
            draft.direction = direction
        }
        return draft
    }

    static func write(_ rule: QoSRule, _ out: inout ResourceWriter) {
        out.field("id", rule.id)
        out.field(rule.kind.amountKey, rule.amount)
        if let key = rule.kind.burstKey { out.field(key, rule.burst) }
        if let direction = rule.direction { out.field("direction", direction.rawValue) }
    }
}

extension QoSRuleKind {
    var pluralKey: StaticString {
        switch self {
        case .bandwidthLimit: "bandwidth_limit_rules"
        case .dscpMarking: "dscp_marking_rules"
        case .minimumBandwidth: "minimum_bandwidth_rules"
        case .minimumPacketRate: "minimum_packet_rate_rules"
        case .packetRateLimit: "packet_rate_limit_rules"
        }
    }

    var amountKey: StaticString {
        switch self {
        case .bandwidthLimit: "max_kbps"
        case .dscpMarking: "dscp_mark"
        case .minimumBandwidth: "min_kbps"
        case .minimumPacketRate: "min_kpps"
        case .packetRateLimit: "max_kpps"
        }
    }
    var amountName: String { amountKey.description }

    var burstKey: StaticString? {
        switch self {
        case .bandwidthLimit: "max_burst_kbps"
        case .packetRateLimit: "max_burst_kpps"
        case .dscpMarking, .minimumBandwidth, .minimumPacketRate: nil
        }
    }
    var burstName: String? { burstKey?.description }

    var directions: [QoSRule.Direction] {
        switch self {
        case .dscpMarking: []
        case .bandwidthLimit, .minimumBandwidth: [.egress, .ingress]
        case .minimumPacketRate, .packetRateLimit: [.any, .ingress, .egress]
        }
    }
}
