// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityCore
import TestKit
import Testing

/// Goal: a consumer gets what a user gave it, by signed requests only, and loses it at once.
/// Method: the whole dance, signed by the letter of RFC 5849; then each part of it goes wrong.
@Suite("OAuth 1.0")
struct OAuthTests {
    /// `administrator` is the one that may authorize, by upstream's rule.
    struct Dance {
        let world: IdentityWorld
        let consumer: (id: String, secret: String)
        let project: String

        init(_ world: IdentityWorld) async throws {
            self.world = world
            let made = try await world.call(
                .post, "/v3/OS-OAUTH1/consumers", world.admin, ["consumer": ["description": "robot"]], expecting: 201)
            consumer = (
                try #require(made["consumer", "id"]?.string), try #require(made["consumer", "secret"]?.string)
            )
            project = try #require(
                try await world.call(.get, "/v3/projects?name=admin", world.admin)["projects", "0", "id"]?.string)
        }

        /// The `Authorization` header for a signed POST.
        func header(
            _ path: String, _ secret: String? = nil, token: (key: String, secret: String)? = nil,
            verifier: String? = nil,
            algorithm: String = "HMAC-SHA1"
        ) -> String {
            OAuthSigner(id: consumer.id, secret: secret ?? consumer.secret, origin: IdentityWorld.origin).header(
                "/identity" + path, at: world.clock.clock.now().seconds, token: token, verifier: verifier,
                algorithm: algorithm)
        }

        /// The fields of the answer; empty when it is none of 201.
        func post(_ path: String, _ header: String, project: String? = nil) async throws -> (Int, [String: String]) {
            var headers: HTTPHeaders = ["Authorization": header]
            if let project { headers.set("Requested-Project-Id", project) }
            let response = await world.router.handle(
                HTTPRequest(method: .post, path: "/identity" + path, headers: headers, body: EmptySource()))
            guard response.status == 201, case .bytes(let bytes) = response.body else { return (response.status, [:]) }
            let pairs = try #require(Percent.query(String(decoding: bytes, as: UTF8.self)))
            return (201, Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }))
        }

        func request() async throws -> (key: String, secret: String) {
            let path = "/v3/OS-OAUTH1/request_token"
            let (status, fields) = try await post(path, header(path), project: project)
            #expect(status == 201)
            return (try #require(fields["oauth_token"]), try #require(fields["oauth_token_secret"]))
        }

        func authorize(_ key: String, _ roles: [String], as token: String? = nil, expecting status: Int = 200)
            async throws -> String?
        {
            let answer = try await world.call(
                .put, "/v3/OS-OAUTH1/authorize/\(key)", token ?? world.admin,
                ["roles": .array(roles.map { ["name": .string($0)] })], expecting: status)
            return answer["token", "oauth_verifier"]?.string
        }

        func access(_ roles: [String]) async throws -> (key: String, secret: String) {
            let request = try await request()
            let verifier = try #require(try await authorize(request.key, roles))
            let path = "/v3/OS-OAUTH1/access_token"
            let (status, fields) = try await post(path, header(path, token: request, verifier: verifier))
            #expect(status == 201)
            return (try #require(fields["oauth_token"]), try #require(fields["oauth_token_secret"]))
        }

        func login(_ access: (key: String, secret: String), _ header: String? = nil, expecting status: Int = 201)
            async throws -> IdentityWorld.Answer
        {
            try await world.call(
                .post, "/v3/auth/tokens", nil, ["auth": ["identity": ["methods": ["oauth1"], "oauth1": [:]]]],
                headers: ["Authorization": header ?? self.header("/v3/auth/tokens", token: access)], expecting: status)
        }
    }

    @Test("the dance ends with a token of the roles that were named")
    func dance() async throws {
        let dance = try await Dance(try await IdentityWorld())
        let world = dance.world
        let access = try await dance.access(["member"])
        let answer = try await dance.login(access)
        #expect(answer["token", "roles"]?.strings("name") == ["member", "reader"])
        #expect(answer["token", "project", "id"]?.string == dance.project)
        #expect(answer["token", "OS-OAUTH1", "consumer_id"]?.string == dance.consumer.id)
        #expect(answer["token", "methods"] == ["oauth1"])
        let user = try await world.userID("admin")
        let path = "/v3/users/\(user)/OS-OAUTH1/access_tokens"
        let listed = try await world.call(.get, path, world.admin, expecting: 200)
        #expect(listed["access_tokens"]?.strings("id") == [access.key])
        let roles = try await world.call(.get, "\(path)/\(access.key)/roles", world.admin, expecting: 200)
        #expect(roles["roles"]?.strings("name") == ["member"])
        let token = try #require(answer.headers["X-Subject-Token"])
        try await world.call(.delete, "\(path)/\(access.key)", world.admin, expecting: 204)
        #expect(await !world.isValid(token))
        _ = try await dance.login(access, expecting: 401)
    }

    @Test("a wrong signature, an old one and a wrong verifier get nothing")
    func forgeries() async throws {
        let dance = try await Dance(try await IdentityWorld())
        let world = dance.world
        let path = "/v3/OS-OAUTH1/request_token"
        #expect(try await dance.post(path, dance.header(path, "wrong"), project: dance.project).0 == 401)
        #expect(try await dance.post(path, dance.header("/v3/other"), project: dance.project).0 == 401)
        #expect(try await dance.post(path, "Basic x", project: dance.project).0 == 400)
        #expect(try await dance.post(path, dance.header(path)).0 == 400)
        #expect(try await dance.post(path, dance.header(path), project: "nowhere").0 == 404)
        #expect(try await dance.post(path, dance.header(path, "wrong"), project: "nowhere").0 == 401)
        let overheard = dance.header(path)
        #expect(try await dance.post(path, overheard, project: dance.project).0 == 201)
        #expect(try await dance.post(path, overheard, project: dance.project).0 == 401)
        let old = dance.header(path)
        world.clock.advance(by: .seconds(601))
        #expect(try await dance.post(path, old, project: dance.project).0 == 401)
        let sha256 = dance.header(path, algorithm: "HMAC-SHA256")
        #expect(try await dance.post(path, sha256, project: dance.project).0 == 201)

        let request = try await dance.request()
        let access = "/v3/OS-OAUTH1/access_token"
        #expect(try await dance.post(access, dance.header(access, token: request, verifier: "AAAAAAAA")).0 == 401)
        let token = try await world.adminToken()
        _ = try await dance.authorize(request.key, ["member"], as: token)
        #expect(try await dance.post(access, dance.header(access, token: request, verifier: "AAAAAAAA")).0 == 401)
        #expect(
            try await dance.post(access, dance.header(access, token: request, verifier: "AAAAAAAA")).0 == 404,
            "a wrong verifier spends the request")
    }

    @Test("nobody says yes for roles that they lack, or by a delegation")
    func authorizing() async throws {
        let dance = try await Dance(try await IdentityWorld())
        let world = dance.world
        try await world.call(
            .post, "/v3/roles", world.admin, ["role": ["name": "stranger"]], expecting: 201)
        let request = try await dance.request()
        _ = try await dance.authorize(request.key, ["stranger"], expecting: 401)
        _ = try await dance.authorize(request.key, ["nothing"], expecting: 404)
        let access = try await dance.access(["admin"])
        let token = try #require(try await dance.login(access).headers["X-Subject-Token"])
        _ = try await dance.authorize(request.key, ["member"], as: token, expecting: 403)
        let user = try await world.userID("admin")
        try await world.call(.get, "/v3/users/\(user)/OS-OAUTH1/access_tokens", token, expecting: 403)
        try await world.call(
            .post, "/v3/users/\(user)/application_credentials", token, ["application_credential": ["name": "x"]],
            expecting: 403)
        try await world.call(.delete, "/v3/OS-OAUTH1/consumers/\(dance.consumer.id)", world.admin, expecting: 204)
        #expect(await !world.isValid(token))
    }
}
