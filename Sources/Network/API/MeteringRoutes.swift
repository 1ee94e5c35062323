// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/metering/metering-labels and /v2.0/metering/metering-label-rules
struct MeteringRoutes: Sendable {
    let metering: MeteringEngine
    private let labels: Collection
    private let rules: Collection

    init(_ metering: MeteringEngine, maximumPage: Int?) {
        self.metering = metering
        labels = Collection(
            "metering_label", "metering_labels", path: "/v2.0/metering/metering-labels", maximumPage: maximumPage)
        rules = Collection(
            "metering_label_rule", "metering_label_rules", path: "/v2.0/metering/metering-label-rules",
            maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, labels.path, object: "get_metering_label", listLabels)
        routes.add(.post, labels.path, object: "create_metering_label", createLabels)
        routes.add(.get, labels.item, object: "get_metering_label") { request, context in
            let label = try await metering.get(request.id("id"), for: context)
            return labels.one(label, fields: Collection.fields(request), Self.write)
        }
        routes.add(.delete, labels.item, object: "delete_metering_label") { request, context in
            try await metering.delete(request.id("id"), for: context)
            return .noContent()
        }
        routes.add(.get, rules.path, object: "get_metering_label_rule", listRules)
        routes.add(.post, rules.path, object: "create_metering_label_rule", createRules)
        routes.add(.get, rules.item, object: "get_metering_label_rule") { request, context in
            let rule = try await metering.getRule(request.id("id"), for: context)
            return rules.one(rule, fields: Collection.fields(request), Self.write)
        }
        routes.add(.delete, rules.item, object: "delete_metering_label_rule") { request, context in
            try await metering.deleteRule(request.id("id"), for: context)
            return .noContent()
        }
    }

    // MARK: Labels

    private func listLabels(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try labels.query(request)
        let found = try await metering.list(query, for: context)
        return labels.list(request, query, found, id: { $0.id.rawValue }, Self.write)
    }

    private func createLabels(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await labels.drafts(request) { reader in
            var draft = MeteringLabelDraft()
            draft.project = try reader.project()
            draft.name = try reader.string("name")
            draft.description = try reader.string("description", maximum: 1024)
            draft.isShared = try reader.bool("shared", default: false)
            return draft
        }
        return labels.created(try await metering.create(drafts, for: context), isBulk: isBulk, Self.write)
    }

    private static func write(_ label: MeteringLabel, _ out: inout ResourceWriter) {
        out.field("id", label.id)
        out.field("name", label.name)
        out.field("description", label.description)
        out.owner(label.project)
        out.field("shared", label.isShared)
    }

    // MARK: Rules

    private func listRules(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try rules.query(request)
        let found = try await metering.listRules(query, for: context)
        return rules.list(request, query, found, id: { $0.id.rawValue }, Self.write)
    }

    private func createRules(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await rules.drafts(request, Self.readRule)
        return rules.created(try await metering.createRules(drafts, for: context), isBulk: isBulk, Self.write)
    }

    private static func readRule(_ reader: inout AttributeReader) throws -> MeteringRuleDraft {
        for name in ["metering_label_id", "direction"] { try reader.require(name) }
        _ = try reader.project()
        let direction = try reader.string("direction") ?? ""
        guard direction == "ingress" || direction == "egress" else {
            throw AttributeReader.invalid("direction", "'\(direction.prefix(32))' is not in ['ingress', 'egress']")
        }
        guard let label: MeteringLabelID = try reader.id("metering_label_id") else {
            throw AttributeReader.invalid("metering_label_id", "it is required")
        }
        var draft = MeteringRuleDraft(
            label: label, isIngress: direction == "ingress",
            isExcluded: try reader.bool("excluded", default: false) ?? false)
        draft.remotePrefix = try prefix("remote_ip_prefix", &reader)
        draft.sourcePrefix = try prefix("source_ip_prefix", &reader)
        draft.destinationPrefix = try prefix("destination_ip_prefix", &reader)
        return draft
    }

    private static func prefix(_ name: String, _ reader: inout AttributeReader) throws -> CIDR? {
        guard let text = try reader.nullableString(name).flatMap({ $0 }) else { return nil }
        guard let cidr = CIDR(text) else {
            throw AttributeReader.invalid(name, "'\(text.prefix(64))' is not a valid IP subnet")
        }
        return cidr
    }

    private static func write(_ rule: MeteringRule, _ out: inout ResourceWriter) {
        out.field("id", rule.id)
        out.field("metering_label_id", rule.label)
        out.field("direction", rule.isIngress ? "ingress" : "egress")
        out.field("remote_ip_prefix", rule.remotePrefix)
        out.field("source_ip_prefix", rule.sourcePrefix)
        out.field("destination_ip_prefix", rule.destinationPrefix)
        out.field("excluded", rule.isExcluded)
    }
}
