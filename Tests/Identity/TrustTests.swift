// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Goal: a trust lets its trustee do what its trustor said, for as long as the trustor may, and nothing else.
/// Method: a trustor with two roles makes trusts for a trustee; then roles, users and time change.
@Suite("Trusts")
struct TrustTests {
    struct Scene {
        let world: IdentityWorld
        let project: String
        let trustor: String
        let trustee: String
        let token: String

        init() async throws {
            world = try await IdentityWorld()
            project = try await world.makeProject("work")
            token = try await world.persona("ann", role: "manager", on: "projects/\(project)")
            trustor = try await world.userID("ann")
            trustee = try await world.makeUser("bob")
        }

        func make(
            _ fields: [String: JSON] = [:], to user: String? = nil, expecting status: Int = 201,
            as token: String? = nil, at location: SourceLocation = #_sourceLocation
        ) async throws -> IdentityWorld.Answer {
            var trust: [String: JSON] = [
                "trustor_user_id": .string(trustor), "trustee_user_id": .string(user ?? trustee),
                "project_id": .string(project), "impersonation": true, "roles": [["name": "member"]],
            ]
            trust.merge(fields) { _, new in new }
            return try await world.call(
                .post, "/v3/OS-TRUST/trusts", token ?? self.token, ["trust": .object(trust)], expecting: status,
                at: location)
        }

        func makeID(_ fields: [String: JSON] = [:], as token: String? = nil, to user: String? = nil) async throws
            -> String
        {
            try #require(try await make(fields, to: user, as: token)["trust", "id"]?.string)
        }

        func login(
            _ trust: String, as user: String = "bob", expecting status: Int = 201,
            at location: SourceLocation = #_sourceLocation
        ) async throws -> IdentityWorld.Answer {
            try await world.login(
                user, "pw-" + user, scope: ["OS-TRUST:trust": ["id": .string(trust)]], expecting: status, at: location)
        }

        func token(_ trust: String, as user: String = "bob") async throws -> String {
            try #require(try await login(trust, as: user).headers["X-Subject-Token"])
        }
    }

    @Test("its tokens show the trustor or the trustee, with the roles that were named")
    func tokens() async throws {
        let scene = try await Scene()
        let made = try await scene.make()
        #expect(made["trust", "roles"]?.strings("name") == ["member"])
        #expect(made["trust", "expires_at"]?.isNull == true)
        let answer = try await scene.login(try #require(made["trust", "id"]?.string))
        #expect(answer["token", "user", "id"]?.string == scene.trustor)
        #expect(answer["token", "roles"]?.strings("name") == ["member", "reader"])
        #expect(answer["token", "OS-TRUST:trust", "trustee_user", "id"]?.string == scene.trustee)
        #expect(answer["token", "project", "id"]?.string == scene.project)
        let plain = try await scene.login(try await scene.makeID(["impersonation": false]))
        #expect(plain["token", "user", "id"]?.string == scene.trustee)
        #expect(plain["token", "roles"]?.strings("name") == ["member", "reader"])
        _ = try await scene.login(try await scene.makeID(), as: "ann", expecting: 403)
    }

    @Test("it is seen by its two users and by administrators")
    func visibility() async throws {
        let scene = try await Scene()
        let (world, id) = (scene.world, try await scene.makeID())
        let path = "/v3/OS-TRUST/trusts/\(id)"
        _ = try await world.makeUser("eve")
        let bob = try await world.token("bob", "pw-bob")
        let eve = try await world.token("eve", "pw-eve")
        for (token, status) in [(scene.token, 200), (bob, 200), (world.admin, 200), (eve, 403)] {
            try await world.call(.get, path, token, expecting: status)
            try await world.call(.get, path + "/roles", token, expecting: status)
        }
        let member = try await world.roleID("member")
        let manager = try await world.roleID("manager")
        try await world.call(.head, path + "/roles/\(member)", scene.token, expecting: 200)
        try await world.call(.get, path + "/roles/\(manager)", scene.token, expecting: 404)
        try await world.call(.get, "/v3/OS-TRUST/trusts", scene.token, expecting: 403)
        let own = try await world.call(
            .get, "/v3/OS-TRUST/trusts?trustor_user_id=\(scene.trustor)", scene.token, expecting: 200)
        #expect(own["trusts"]?.strings("id") == [id])
        #expect(own["trusts", "0", "roles"] == nil)
        try await world.call(
            .get, "/v3/OS-TRUST/trusts?trustor_user_id=\(scene.trustor)", bob, expecting: 403)
        try await world.call(.delete, path, bob, expecting: 403)
        try await world.call(.delete, path, scene.token, expecting: 204)
        try await world.call(.get, path, world.admin, expecting: 404)
    }

    @Test("it is made by the trustor, of roles that the trustor has")
    func making() async throws {
        let scene = try await Scene()
        _ = try await scene.make(["roles": [["name": "admin"]]], expecting: 404)
        _ = try await scene.make(["roles": []], expecting: 403)
        _ = try await scene.make(["trustor_user_id": .string(scene.trustee)], expecting: 403)
        _ = try await scene.make(["trustee_user_id": "nobody"], expecting: 404)
        _ = try await scene.make(["expires_at": "bad.123Z"], expecting: 400)
        _ = try await scene.make(["expires_at": "2020-01-01T00:00:00Z"], expecting: 400)
        _ = try await scene.make(["remaining_uses": 0], expecting: 400)
        let robot = try await scene.world.call(
            .post, "/v3/users/\(scene.trustor)/application_credentials", scene.token,
            ["application_credential": ["name": "robot", "unrestricted": true]], expecting: 201)
        let answer = try await scene.world.call(
            .post, "/v3/auth/tokens", nil,
            [
                "auth": [
                    "identity": [
                        "methods": ["application_credential"],
                        "application_credential": [
                            "id": robot["application_credential", "id"] ?? nil,
                            "secret": robot["application_credential", "secret"] ?? nil,
                        ],
                    ]
                ]
            ], expecting: 201)
        let token: String = try #require(answer.headers["X-Subject-Token"])
        _ = try await scene.make(expecting: 403, as: token)
    }

    @Test("what has expired is removed, and takes no place")
    func expiry() async throws {
        let scene = try await Scene()
        let world = scene.world
        let parent = try await scene.makeID(["allow_redelegation": true, "expires_at": "2027-01-15T08:30:00Z"])
        let carol = try await world.makeUser("carol")
        _ = try await scene.make(to: carol, as: try await scene.token(parent))
        let lasting = try await scene.makeID()
        try await world.engine.keeper.pass()
        let all = "/v3/OS-TRUST/trusts"
        #expect(try await world.call(.get, all, world.admin, expecting: 200)["trusts"]?.array?.count == 3)
        world.clock.advance(by: .seconds(1801))
        try await world.engine.keeper.pass()
        #expect(try await world.call(.get, all, world.admin, expecting: 200)["trusts"]?.strings("id") == [lasting])
    }

    @Test("it ends with its time, its uses and its users, at once")
    func endings() async throws {
        let scene = try await Scene()
        let world = scene.world
        let once = try await scene.makeID(["remaining_uses": 1])
        let token = try await scene.token(once)
        #expect(await world.isValid(token))
        _ = try await scene.login(once, expecting: 401)
        try await world.call(.get, "/v3/OS-TRUST/trusts/\(once)", scene.token, expecting: 404)
        // What it gave while it had uses ends with it.
        try await world.call(.delete, "/v3/OS-TRUST/trusts/\(once)", scene.token, expecting: 204)
        #expect(await !world.isValid(token))
        try await world.call(.delete, "/v3/OS-TRUST/trusts/\(once)", scene.token, expecting: 404)

        let brief = try await scene.makeID(["expires_at": "2027-01-15T08:30:00Z"])
        #expect(try await scene.login(brief)["token", "expires_at"]?.string == "2027-01-15T08:30:00.000000Z")

        let lasting = try await scene.makeID()
        let held = try await scene.token(lasting)
        try await world.call(.delete, "/v3/OS-TRUST/trusts/\(lasting)", scene.token, expecting: 204)
        #expect(await !world.isValid(held))

        let last = try await scene.token(try await scene.makeID())
        try await world.call(
            .patch, "/v3/users/\(scene.trustor)", world.admin, ["user": ["enabled": false]], expecting: 200)
        #expect(await !world.isValid(last))
        world.clock.advance(by: .seconds(1801))
        _ = try await scene.login(brief, expecting: 401)
        try await world.call(.delete, "/v3/users/\(scene.trustor)", world.adminToken(), expecting: 204)
    }

    @Test("it is suspended while the trustor lacks a role of it")
    func roleLost() async throws {
        let scene = try await Scene()
        let world = scene.world
        let id = try await scene.makeID(["roles": [["name": "member"], ["name": "manager"]]])
        let token = try await scene.token(id)
        try await world.grant("member", "users/\(scene.trustor)", on: "projects/\(scene.project)")
        let manager = try await world.roleID("manager")
        let grant = "/v3/projects/\(scene.project)/users/\(scene.trustor)/roles/\(manager)"
        try await world.call(.delete, grant, world.admin, expecting: 204)
        #expect(await !world.isValid(token))
        let refused = try await scene.login(id, expecting: 403)
        #expect(refused["error", "message"] == "Trustee has no delegated roles.")
    }

    @Test("with its token nobody makes what would outlast it")
    func containment() async throws {
        let scene = try await Scene()
        let world = scene.world
        let token = try await scene.token(try await scene.makeID())
        let user = "/v3/users/\(scene.trustor)"
        try await world.call(
            .post, user + "/application_credentials", token, ["application_credential": ["name": "robot"]],
            expecting: 403)
        try await world.call(
            .post, "/v3/credentials", token,
            ["credential": ["type": "totp", "blob": "x", "user_id": .string(scene.trustor)]], expecting: 403)
        try await world.call(
            .post, "/v3/credentials", scene.token,
            ["credential": ["type": "totp", "blob": "x", "user_id": .string(scene.trustor)]], expecting: 201)
        #expect(try await world.call(.get, "/v3/credentials", token, expecting: 200)["credentials"] == [])
        _ = try await scene.make(expecting: 403, as: token)
        for scope in [["project": ["id": .string(scene.project)]], "unscoped"] as [JSON] {
            try await world.call(
                .post, "/v3/auth/tokens", nil,
                ["auth": ["identity": ["methods": ["token"], "token": ["id": .string(token)]], "scope": scope]],
                expecting: 403)
        }
    }

    @Test("it is handed on as often as it says, and never with more")
    func redelegation() async throws {
        let scene = try await Scene()
        let world = scene.world
        let carol = try await world.makeUser("carol")
        let first = try await scene.makeID(["allow_redelegation": true, "expires_at": "2027-01-15T09:00:00Z"])
        let token = try await scene.token(first)
        _ = try await scene.make(["roles": [["name": "manager"]]], to: carol, expecting: 403, as: token)
        _ = try await scene.make(["expires_at": "2027-01-15T10:00:00Z"], to: carol, expecting: 403, as: token)
        _ = try await scene.make(["remaining_uses": 2], to: carol, expecting: 403, as: token)
        let second = try await scene.make(["allow_redelegation": true], to: carol, as: token)
        #expect(second["trust", "redelegation_count"] == 2)
        #expect(second["trust", "redelegated_trust_id"]?.string == first)
        #expect(second["trust", "expires_at"]?.string == "2027-01-15T09:00:00.000000Z")
        let id = try #require(second["trust", "id"]?.string)
        let held = try await scene.token(id, as: "carol")
        #expect(try await scene.login(id, as: "carol")["token", "roles"]?.strings("name") == ["member", "reader"])
        try await world.call(
            .patch, "/v3/users/\(scene.trustee)", world.admin, ["user": ["enabled": false]], expecting: 200)
        #expect(await !world.isValid(held))
        try await world.call(.delete, "/v3/OS-TRUST/trusts/\(first)", scene.token, expecting: 204)
        try await world.call(.get, "/v3/OS-TRUST/trusts/\(id)", world.admin, expecting: 404)
    }
}

extension IdentityWorld {
    func userID(_ name: String) async throws -> String {
        try #require(try await call(.get, "/v3/users?name=\(name)", admin)["users", "0", "id"]?.string)
    }
}
