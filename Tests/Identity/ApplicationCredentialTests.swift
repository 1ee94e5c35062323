// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Goal: an application credential does what its user lets it do, for as long as the user may, and nothing else.
/// Method: a user with two roles makes credentials; then roles, projects and users change.
@Suite("Application credentials")
struct ApplicationCredentialTests {
    private struct Scene {
        let world: IdentityWorld
        let project: String
        let user: String
        let token: String

        init() async throws {
            world = try await IdentityWorld()
            project = try await world.makeProject("work")
            token = try await world.persona("eve", role: "manager", on: "projects/\(project)")
            user = try #require(
                try await world.call(.get, "/v3/users?name=eve", world.admin)["users", "0", "id"]?.string)
        }

        func make(_ fields: [String: JSON], expecting status: Int = 201, as token: String? = nil) async throws
            -> IdentityWorld.Answer
        {
            var fields = fields
            fields["name"] = fields["name"] ?? "robot"
            return try await world.call(
                .post, "/v3/users/\(user)/application_credentials", token ?? self.token,
                ["application_credential": .object(fields)], expecting: status)
        }

        func login(_ made: IdentityWorld.Answer, expecting status: Int = 201) async throws -> IdentityWorld.Answer {
            try await world.call(
                .post, "/v3/auth/tokens", nil,
                [
                    "auth": [
                        "identity": [
                            "methods": ["application_credential"],
                            "application_credential": [
                                "id": made["application_credential", "id"] ?? nil,
                                "secret": made["application_credential", "secret"] ?? nil,
                            ],
                        ]
                    ]
                ], expecting: status)
        }
    }

    @Test("its token has the roles that were given, on its project")
    func roles() async throws {
        let scene = try await Scene()
        let made = try await scene.make(["roles": [["name": "member"]]])
        let answer = try await scene.login(made)
        #expect(answer["token", "roles"]?.strings("name") == ["member", "reader"])
        #expect(answer["token", "project", "id"]?.string == scene.project)
        #expect(answer["token", "application_credential", "restricted"] == true)
        #expect(answer["token", "methods"] == ["application_credential"])
        let shown = try await scene.world.call(
            .get, "/v3/users/\(scene.user)/application_credentials", scene.token, expecting: 200)
        #expect(shown["application_credentials", "0", "secret"] == nil)
    }

    @Test("no role that the maker's token lacks")
    func escalation() async throws {
        let scene = try await Scene()
        _ = try await scene.make(["roles": [["name": "admin"]]], expecting: 400)
        _ = try await scene.make(["roles": [["name": "nothing"]]], expecting: 404)
        _ = try await scene.make(["unrestricted": "yes"], expecting: 400)
        _ = try await scene.make(["surprise": 1], expecting: 400)
        _ = try await scene.make(["expires_at": "2020-01-01T00:00:00"], expecting: 400)
        _ = try await scene.make([:])
        _ = try await scene.make([:], expecting: 409)
    }

    @Test("it loses what its user loses, and gains nothing that its user gains")
    func intersection() async throws {
        let scene = try await Scene()
        let world = scene.world
        let made = try await scene.make(["roles": [["name": "member"]]])
        let token = try #require(try await scene.login(made).headers["X-Subject-Token"])
        try await world.grant("admin", "users/\(scene.user)", on: "projects/\(scene.project)")
        #expect(try await scene.login(made)["token", "roles"]?.strings("name") == ["member", "reader"])
        let grants = "/v3/projects/\(scene.project)/users/\(scene.user)/roles"
        for role in ["admin", "manager"] {
            let id = try await world.roleID(role)
            try await world.call(.delete, "\(grants)/\(id)", world.admin, expecting: 204)
        }
        #expect(await !world.isValid(token))
        _ = try await scene.login(made, expecting: 401)
        // Given again, the roles do not bring it back.
        try await world.grant("member", "users/\(scene.user)", on: "projects/\(scene.project)")
        _ = try await scene.login(made, expecting: 401)
    }

    @Test("its token leads to no other scope, and a restricted one to no other credential")
    func bounds() async throws {
        let scene = try await Scene()
        let world = scene.world
        let second = try await world.makeProject("second")
        try await world.grant("member", "users/\(scene.user)", on: "projects/\(second)")
        let made = try await scene.make([:])
        let token = try #require(try await scene.login(made).headers["X-Subject-Token"])
        for (scope, status) in [
            (["project": ["id": .string(second)]], 401), ("unscoped", 401),
            (["project": ["id": .string(scene.project)]], 201),
        ] as [(JSON, Int)] {
            let answer = try await world.call(
                .post, "/v3/auth/tokens", nil,
                ["auth": ["identity": ["methods": ["token"], "token": ["id": .string(token)]], "scope": scope]],
                expecting: status)
            if status == 201 { #expect(answer["token", "application_credential", "name"]?.string == "robot") }
        }
        _ = try await scene.make(["name": "second"], expecting: 403, as: token)
        let id = try #require(made["application_credential", "id"]?.string)
        let path = "/v3/users/\(scene.user)/application_credentials/\(id)"
        try await world.call(.delete, path, token, expecting: 403)
        let credential: JSON = [
            "credential": ["type": "totp", "blob": "x", "project_id": .string(scene.project)]
        ]
        try await world.call(.post, "/v3/credentials", token, credential, expecting: 403)
        let free = try await scene.make(["name": "free", "unrestricted": true])
        let freeToken = try #require(try await scene.login(free).headers["X-Subject-Token"])
        _ = try await scene.make(["name": "third"], as: freeToken)
        // A passcode would sign in as the user, with all the rights there are.
        try await world.call(.post, "/v3/credentials", freeToken, credential, expecting: 403)
        let key = try await world.call(
            .post, "/v3/credentials", freeToken,
            [
                "credential": [
                    "type": "ec2", "blob": "{\"access\": \"a\", \"secret\": \"s\"}",
                    "project_id": .string(scene.project),
                ]
            ], expecting: 201)
        let keyPath = "/v3/credentials/\(key["credential", "id"]?.string ?? "")"
        try await world.call(.patch, keyPath, freeToken, ["credential": ["type": "TOTP"]], expecting: 403)
        let own = try await world.make(
            "credentials", "credential",
            ["type": "totp", "blob": "x", "project_id": .string(scene.project), "user_id": .string(scene.user)])
        try await world.call(.get, "/v3/credentials/\(own)", freeToken, expecting: 403)
        try await world.call(.delete, path, freeToken, expecting: 204)
        #expect(await !world.isValid(token))
        _ = try await scene.login(made, expecting: 401)
    }

    @Test("nobody else reaches it, whatever the path says")
    func foreign() async throws {
        let scene = try await Scene()
        let world = scene.world
        let made = try await scene.make([:])
        let id = try #require(made["application_credential", "id"]?.string)
        let mallory = try await world.persona("mallory", role: "member", on: "projects/\(scene.project)")
        let own = try #require(
            try await world.call(.get, "/v3/users?name=mallory", world.admin)["users", "0", "id"]?.string)
        for owner in [own, scene.user] {
            let path = "/v3/users/\(owner)/application_credentials/\(id)"
            try await world.call(.get, path, mallory, expecting: 403)
            try await world.call(.delete, path, mallory, expecting: 403)
        }
        _ = try await scene.make(["name": "x"], expecting: 403, as: mallory)
    }

    @Test("access rules bound its calls")
    func accessRules() async throws {
        let scene = try await Scene()
        let world = scene.world
        let rule: JSON = ["service": "identity", "method": "GET", "path": "/v3/auth/projects"]
        let made = try await scene.make(["access_rules": [rule]])
        let token = try #require(try await scene.login(made).headers["X-Subject-Token"])
        try await world.call(.get, "/v3/auth/projects", token, expecting: 200)
        try await world.call(.get, "/v3/auth/domains", token, expecting: 401)
        let rules = try await world.call(.get, "/v3/users/\(scene.user)/access_rules", scene.token, expecting: 200)
        let id = try #require(rules["access_rules", "0", "id"]?.string)
        try await world.call(.delete, "/v3/users/\(scene.user)/access_rules/\(id)", scene.token, expecting: 403)
        _ = try await scene.make(
            ["name": "b", "access_rules": [["service": "x", "method": "BREW", "path": "/"]]], expecting: 400)
    }

    @Test("it ends with its time and with its user")
    func endings() async throws {
        let scene = try await Scene()
        let made = try await scene.make(["expires_at": "2027-01-15T08:30:00"])
        #expect(made["application_credential", "expires_at"]?.string == "2027-01-15T08:30:00.000000")
        let answer = try await scene.login(made)
        #expect(answer["token", "expires_at"]?.string == "2027-01-15T08:30:00.000000Z")
        scene.world.clock.advance(by: .seconds(1801))
        _ = try await scene.login(made, expecting: 401)
        let second = try await scene.make(["name": "second"])
        _ = try await scene.login(second)
        try await scene.world.call(
            .patch, "/v3/users/\(scene.user)", scene.world.adminToken(), ["user": ["enabled": false]], expecting: 200)
        _ = try await scene.login(second, expecting: 401)
    }
}

extension IdentityWorld {
    /// A new token of the administrator's.
    func adminToken() async throws -> String {
        try await token(
            "admin", Self.adminPassword, scope: ["project": ["name": "admin", "domain": ["id": "default"]]])
    }
}
