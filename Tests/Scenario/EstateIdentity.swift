// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

extension Estate {
    /// What upstream calls extensions: trusts, OAuth, filters of the catalog, policies, options, federation.
    mutating func fillIdentityExtensions() async throws {
        let v3 = "/identity/v3"
        own(
            "/identity {trust_id}",
            try await cloud.make(
                "\(v3)/OS-TRUST/trusts", "trust",
                [
                    "trustor_user_id": .string(cloud.a.memberID), "trustee_user_id": .string(cloud.a.readerID),
                    "project_id": .string(cloud.a.project), "impersonation": false, "roles": [["name": "member"]],
                ], cloud.a.member))
        try await fillFilters(v3)
        try await fillOAuth(v3)
        samples["/identity {group}"] = "identity"
        samples["/identity {option}"] = "driver"
        try await cloud.call(
            .put, "\(v3)/domains/\(self["/identity {domain_id}"])/config", cloud.admin,
            ["config": ["identity": ["driver": "sql"]]], expecting: 201)
        try await fillFederation("\(v3)/OS-FEDERATION")
    }

    /// Of a project of their own: A's keeps its catalog.
    private mutating func fillFilters(_ v3: String) async throws {
        let (admin, base) = (cloud.admin, "\(v3)/OS-EP-FILTER")
        let (service, endpoint) = (self["/identity {service_id}"], self["/identity {endpoint_id}"])
        let project = try await cloud.make(
            "\(v3)/projects", "project", ["name": "filtered", "domain_id": "default"], admin)
        let group = try await cloud.make(
            "\(base)/endpoint_groups", "endpoint_group",
            ["name": "public", "filters": ["interface": "public"]], admin)
        samples["/identity {endpoint_group_id}"] = group
        for place in ["projects/{project_id}", "endpoint_groups/{endpoint_group_id}/projects/{project_id}"] {
            samples["\(base)/\(place)"] = project
        }
        try await cloud.call(.put, "\(base)/projects/\(project)/endpoints/\(endpoint)", admin, expecting: 204)
        try await cloud.call(.put, "\(base)/endpoint_groups/\(group)/projects/\(project)", admin, expecting: 204)
        let policy = try await cloud.make(
            "\(v3)/policies", "policy", ["type": "application/json", "blob": "{}"], admin)
        samples["/identity {policy_id}"] = policy
        for tie in ["endpoints/\(endpoint)", "services/\(service)", "services/\(service)/regions/RegionOne"] {
            try await cloud.call(
                .put, "\(v3)/policies/\(policy)/OS-ENDPOINT-POLICY/\(tie)", admin, expecting: 204)
        }
    }

    /// Upstream's rule lets administrators alone say yes, so the access token is the administrator's.
    private mutating func fillOAuth(_ v3: String) async throws {
        let (cloud, admin, base) = (self.cloud, self.cloud.admin, "\(v3)/OS-OAUTH1")
        let project = try await first("\(v3)/projects?name=admin", "projects")
        let made = try await cloud.call(
            .post, "\(base)/consumers", admin, ["consumer": ["description": "robot"]], expecting: 201)
        let consumer = try #require(made["consumer", "id"]?.string)
        let signer = OAuthSigner(
            id: consumer, secret: try #require(made["consumer", "secret"]?.string), origin: TestCloud.origin)
        samples["/identity {consumer_id}"] = consumer

        func dance(_ path: String, _ token: (key: String, secret: String)?, _ verifier: String?) async throws
            -> (key: String, secret: String)
        {
            let seconds = WallClock.system.now().seconds
            let answer = try await cloud.call(
                .post, "\(base)/\(path)", nil, nil,
                headers: [
                    "Authorization": signer.header("\(base)/\(path)", at: seconds, token: token, verifier: verifier),
                    "Requested-Project-Id": project,
                ], expecting: 201)
            let pairs = try #require(Percent.query(answer.text))
            let fields = Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
            return (try #require(fields["oauth_token"]), try #require(fields["oauth_token_secret"]))
        }

        let request = try await dance("request_token", nil, nil)
        let authorized = try await cloud.call(
            .put, "\(base)/authorize/\(request.key)", admin, ["roles": [["name": "member"]]], expecting: 200)
        let verifier = try #require(authorized["token", "oauth_verifier"]?.string)
        samples["/identity {access_token_id}"] = try await dance("access_token", request, verifier).key
        samples["/identity {request_token_id}"] = try await dance("request_token", nil, nil).key
        let tokens = "\(v3)/users/{user_id}/OS-OAUTH1/access_tokens"
        let user = try await first("\(v3)/users?name=admin", "users")
        for path in ["", "/{access_token_id}", "/{access_token_id}/roles", "/{access_token_id}/roles/{role_id}"] {
            samples["\(tokens)\(path) {user_id}"] = user
        }
    }

    private mutating func fillFederation(_ base: String) async throws {
        let admin = cloud.admin
        samples["/identity {mapping_id}"] = "plain"
        samples["/identity {idp_id}"] = "acme"
        samples["/identity {protocol_id}"] = "openid"
        samples["/identity {service_provider_id}"] = "far"
        try await cloud.call(
            .put, "\(base)/mappings/plain", admin, ["mapping": SampleBodies.mapping], expecting: 201)
        try await cloud.call(
            .put, "\(base)/identity_providers/acme", admin,
            ["identity_provider": ["domain_id": .string(self["/identity {domain_id}"])]], expecting: 201)
        try await cloud.call(
            .put, "\(base)/identity_providers/acme/protocols/openid", admin, ["protocol": ["mapping_id": "plain"]],
            expecting: 201)
        try await cloud.call(
            .put, "\(base)/service_providers/far", admin, ["service_provider": SampleBodies.serviceProvider],
            expecting: 201)
    }
}
