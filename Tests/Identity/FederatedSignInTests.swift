// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityContract
import SecurityKit
import Testing

/// Goal: whom a provider vouches for gets what the mapping gives, no longer than the provider says so, and nobody else
/// gets anything.
/// Method: tokens that were signed beforehand, on the clock of the test.
@Suite("Federated sign-in")
struct FederatedSignInTests {
    private static let provider = "/v3/OS-FEDERATION/identity_providers/acme"
    private static let path = provider + "/protocols/openid/auth"
    private static let rules: JSON = [
        [
            "local": [
                ["user": ["id": "{0}", "name": "{1}"]], ["groups": "{2}", "domain": ["id": "default"]],
            ],
            "remote": [["type": "OIDC-sub"], ["type": "HTTP_OIDC_NAME"], ["type": "OIDC-groups"]],
        ],
        ["local": [["user": ["id": "{0}", "name": "{1}"]]], "remote": [["type": "OIDC-sub"], ["type": "OIDC-name"]]],
    ]

    /// A provider; a group `staff` that is `member` of a project, and a group `admins` that must not be reached.
    private struct Scene {
        let world: IdentityWorld
        let project: String
        let staff: String

        init(ttl: Int? = nil, remoteID: String = OpenIDSamples.issuer) async throws {
            world = try await IdentityWorld(issuers: try OpenIDSamples.issuers())
            project = try await world.makeProject("work")
            staff = try await world.make("groups", "group", ["name": "staff"])
            let admins = try await world.make("groups", "group", ["name": "admins"])
            try await world.grant("member", "groups/\(staff)", on: "projects/\(project)")
            try await world.grant("admin", "groups/\(admins)", on: "projects/\(project)")
            var fields: [String: JSON] = ["enabled": true, "remote_ids": [.string(remoteID)]]
            if let ttl { fields["authorization_ttl"] = .int(Int64(ttl)) }
            try await world.call(
                .put, FederatedSignInTests.provider, world.admin, ["identity_provider": .object(fields)],
                expecting: 201)
            try await world.call(
                .put, "/v3/OS-FEDERATION/mappings/people", world.admin,
                ["mapping": ["rules": FederatedSignInTests.rules]], expecting: 201)
            try await world.call(
                .put, FederatedSignInTests.provider + "/protocols/openid", world.admin,
                ["protocol": ["mapping_id": "people"]], expecting: 201)
        }

        @discardableResult
        func signIn(_ token: String, expecting status: Int = 201) async throws -> IdentityWorld.Answer {
            try await world.call(
                .post, FederatedSignInTests.path, headers: ["Authorization": "Bearer " + token], expecting: status)
        }

        func scoped(_ token: String, by method: String = "token", expecting status: Int = 201) async throws
            -> IdentityWorld.Answer
        {
            try await world.call(
                .post, "/v3/auth/tokens", nil,
                [
                    "auth": [
                        "identity": ["methods": [.string(method)], method: ["id": .string(token)]],
                        "scope": ["project": ["id": .string(project)]],
                    ]
                ], expecting: status)
        }
    }

    @Test("a token of the provider becomes one of the cloud, with the roles of the groups that it names")
    func signIn() async throws {
        let scene = try await Scene()
        let answer = try await scene.signIn(OpenIDSamples.staff)
        #expect(answer["token", "user", "name"] == "ann")
        #expect(answer["token", "methods"] == ["mapped"])
        #expect(answer["token", "user", "OS-FEDERATION", "identity_provider", "id"] == "acme")
        #expect(answer["token", "user", "OS-FEDERATION", "groups"] == [["id": .string(scene.staff)]])
        let token = try #require(answer.headers["X-Subject-Token"])
        for method in ["token", "mapped", "saml2", "openid"] {
            let scoped = try await scene.scoped(token, by: method)
            // `x;admins` is the name of one group, which is not there.
            #expect(scoped["token", "roles"]?.strings("name") == ["member", "reader"])
        }
        for (query, count) in [("idp_id=acme", 1), ("unique_id=7&protocol_id=openid", 1), ("unique_id=8", 0)] {
            let found = try await scene.world.call(.get, "/v3/users?\(query)", scene.world.admin, expecting: 200)
            #expect(found["users"]?.array?.count == count, "\(query)")
        }
        let again = try await scene.signIn(OpenIDSamples.rsa)
        #expect(again["token", "user", "id"] == answer["token", "user", "id"])
    }

    @Test("memberships follow each sign-in, end by themselves, and leave those that were given by hand")
    func memberships() async throws {
        let scene = try await Scene(ttl: 10)
        let answer = try await scene.signIn(OpenIDSamples.staff)
        let user = try #require(answer["token", "user", "id"]?.string)
        let token = try #require(answer.headers["X-Subject-Token"])
        let kept = try await scene.world.make("groups", "group", ["name": "kept"])
        try await scene.world.call(.put, "/v3/groups/\(kept)/users/\(user)", scene.world.admin, expecting: 204)
        scene.world.clock.advance(by: .seconds(601))
        #expect(await !scene.world.isValid(token))
        try await scene.world.engine.keeper.pass()
        let left = try await scene.world.call(.get, "/v3/users/\(user)/groups", scene.world.admin, expecting: 200)
        #expect(left["groups"]?.strings("name") == ["kept"])
        let second = try #require(try await scene.signIn(OpenIDSamples.staff).headers["X-Subject-Token"])
        _ = try await scene.scoped(second)
        let third = try #require(try await scene.signIn(OpenIDSamples.none).headers["X-Subject-Token"])
        _ = try await scene.scoped(third, expecting: 401)
        _ = try await scene.scoped(second, expecting: 401)
    }

    @Test(
        "a token that is not of this provider, for this cloud and for now says nothing",
        arguments: [
            OpenIDSamples.other, OpenIDSamples.late, OpenIDSamples.foreign, OpenIDSamples.early,
            OpenIDSamples.endless, "x", "a.b.c", "",
        ])
    func refused(token: String) async throws {
        try await Scene().signIn(token, expecting: 401)
    }

    @Test("a token that was changed, or signed by nobody, is none")
    func forged() async throws {
        let scene = try await Scene()
        var parts = OpenIDSamples.none.split(separator: ".").map(String.init)
        let rich = OpenIDSamples.staff.split(separator: ".").map(String.init)
        parts[1] = rich[1]
        try await scene.signIn(parts.joined(separator: "."), expecting: 401)
        for header in [#"{"alg":"none"}"#, #"{"alg":"HS256","kid":"e"}"#, #"{"alg":"RS256","kid":"e"}"#] {
            parts[0] = Base64.encode(Array(header.utf8), .urlSafe, padded: false)
            try await scene.signIn(parts.joined(separator: "."), expecting: 401)
            try await scene.signIn("\(parts[0]).\(parts[1]).", expecting: 401)
        }
        try await Scene(remoteID: "https://another.test").signIn(OpenIDSamples.staff, expecting: 401)
        try await scene.world.call(.get, Self.path, expecting: 401)
    }

    @Test("a provider takes over nobody, and takes its users along")
    func provider() async throws {
        let scene = try await Scene()
        let world = scene.world
        let shown = try await world.call(.get, Self.provider, world.admin, expecting: 200)
        let domain = try #require(shown["identity_provider", "domain_id"]?.string)
        let local = try await world.makeUser("ann", domain: domain)
        let answer = try await scene.signIn(OpenIDSamples.staff)
        let user = try #require(answer["token", "user", "id"]?.string)
        #expect(user != local)
        #expect(answer["token", "user", "name"] == "7@acme")
        let token = try #require(answer.headers["X-Subject-Token"])
        world.clock.advance(by: .seconds(1))
        try await world.call(
            .patch, Self.provider, world.admin, ["identity_provider": ["enabled": false]], expecting: 200)
        #expect(await !world.isValid(token))
        try await scene.signIn(OpenIDSamples.staff, expecting: 403)
        try await world.call(.delete, Self.provider, world.admin, expecting: 204)
        try await world.call(.get, "/v3/users/\(user)", world.admin, expecting: 404)
        try await scene.signIn(OpenIDSamples.staff, expecting: 404)
    }
}
