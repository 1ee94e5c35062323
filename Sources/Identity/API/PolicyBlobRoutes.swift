// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/policies and what OS-ENDPOINT-POLICY ties them to
struct PolicyBlobRoutes: Sendable {
    let policies: PolicyBlobEngine

    func register(on routes: inout RouteTable) {
        let one = "/v3/policies/{policy_id}"
        routes.add(.get, "/v3/policies", object: "identity:list_policies", list)
        routes.add(.post, "/v3/policies", object: "identity:create_policy", create)
        routes.add(.get, one, object: "identity:get_policy", show)
        routes.add(.patch, one, object: "identity:update_policy", update)
        routes.add(.delete, one, object: "identity:delete_policy", delete)
        let ties = one + "/OS-ENDPOINT-POLICY"
        routes.add(.get, ties + "/endpoints", object: "identity:list_endpoints_for_policy", listEndpoints)
        register(ties + "/endpoints/{endpoint_id}", "endpoint", on: &routes) { .endpoint($0.id("endpoint_id")) }
        register(ties + "/services/{service_id}", "service", on: &routes) { .service($0.id("service_id")) }
        register(ties + "/services/{service_id}/regions/{region_id}", "region_and_service", on: &routes) {
            .region($0.id("region_id"), of: $0.id("service_id"))
        }
        routes.add(
            .get, "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy", object: "identity:get_policy_for_endpoint",
            showOfEndpoint)
    }

    private func register(
        _ path: String, _ noun: String, on routes: inout RouteTable,
        _ subject: @escaping @Sendable (APIRequest) -> PolicySubject
    ) {
        let policies = policies
        func name(_ verb: String) -> PolicyName { PolicyName("identity:\(verb)_policy_association_for_\(noun)") }
        routes.add(.put, path, object: name("create")) { request, context in
            try await policies.associate(request.id("policy_id"), subject(request), for: context)
            return IdentityReply.noContent()
        }
        routes.add(.get, path, object: name("check")) { request, context in
            try await policies.check(request.id("policy_id"), subject(request), for: context)
            return IdentityReply.noContent()
        }
        routes.add(.delete, path, object: name("delete")) { request, context in
            try await policies.dissociate(request.id("policy_id"), subject(request), for: context)
            return IdentityReply.noContent()
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await policies.list(type: request.query("type"), for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("policies") {
            Self.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try await request.body("policy")
        let type = try body.requiredString("type", 0...255)
        guard let blob = try Self.blob(&body) else { throw body.missing("blob") }
        _ = body.value("id")
        let policy = try await policies.create(type: type, blob: blob, extras: try body.extras(), for: context)
        return IdentityReply.one("policy", status: 201) { Self.write(policy, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let policy = try await policies.show(request.id("policy_id"), for: context)
        return IdentityReply.one("policy") { Self.write(policy, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: PolicyBlobID = request.id("policy_id")
        var body = try await request.body("policy")
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'policy': at least one property is required")
        }
        var change = PolicyBlobChange()
        change.type = try body.string("type", 0...255)
        change.blob = try Self.blob(&body)
        try body.checkID("id", is: id.rawValue, "policy ID")
        change.extras = try body.extras()
        let policy = try await policies.update(id, change, for: context)
        return IdentityReply.one("policy") { Self.write(policy, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await policies.delete(request.id("policy_id", PolicyBlobTag.self), for: context)
        return IdentityReply.noContent()
    }

    private func listEndpoints(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await policies.endpoints(of: request.id("policy_id"), for: context)
        return try EndpointFilterRoutes.response(found, request)
    }

    private func showOfEndpoint(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let policy = try await policies.policy(of: request.id("endpoint_id", EndpointTag.self), for: context)
        return IdentityReply.one("policy") { Self.write(policy, &$0, request.v3URL) }
    }

    /// Text; upstream also takes any other value and keeps it as one.
    private static func blob(_ body: inout ObjectReader) throws -> String? {
        guard let value = body.value("blob"), !value.isNull else { return nil }
        let text = value.string ?? value.text()
        guard text.utf8.count <= PolicyBlob.maximumLength else { throw body.invalid("blob", "…", "is too long") }
        return text
    }

    private static func write(_ policy: PolicyBlob, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", policy.id)
        writer.field("type", policy.type)
        writer.field("blob", policy.blob)
        writer.extras(policy.extras)
        writer.selfLink("\(base)/policies/\(policy.id)")
    }
}
