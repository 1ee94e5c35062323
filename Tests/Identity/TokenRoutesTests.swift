// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityCore
import Testing

/// Goal: tokens are issued, shown and taken back as upstream does, and nothing tells a stranger what exists.
/// Method: the API of a new cloud, with a clock that is moved by hand.
@Suite("Tokens")
struct TokenRoutesTests {
    @Test("a password gives a token with roles and catalog")
    func password() async throws {
        let world = try await IdentityWorld()
        let answer = try await world.login(
            "admin", IdentityWorld.adminPassword, scope: ["project": ["name": "admin", "domain": ["name": "Default"]]])
        #expect(answer["token", "methods"] == ["password"])
        #expect(answer["token", "project", "name"]?.string == "admin")
        #expect(answer["token", "project", "domain", "id"]?.string == "default")
        #expect(answer["token", "roles"]?.strings("name") == ["admin", "manager", "member", "reader"])
        #expect(answer["token", "expires_at"]?.string == "2027-01-15T09:00:00.000000Z")
        #expect(answer["token", "audit_ids"]?.array?.count == 1)
        #expect(
            answer["token", "catalog"]?.strings("type") == [
                "block-storage", "compute", "identity", "image", "network", "object-store", "placement", "volumev3",
            ])
        let urls = (answer["token", "catalog"]?.array ?? []).flatMap { $0["endpoints"]?.strings("url") ?? [] }
        #expect(urls.contains("\(IdentityWorld.origin)/compute/v2.1"))
        #expect(answer.headers["Vary"] == "X-Auth-Token")
        #expect((answer.headers["X-Subject-Token"] ?? "").utf8.count < 256)
    }

    @Test("nobody learns why they are refused")
    func refusals() async throws {
        let world = try await IdentityWorld()
        let disabled = try await world.makeUser("disabled")
        try await world.call(.patch, "/v3/users/\(disabled)", world.admin, ["user": ["enabled": false]], expecting: 200)
        _ = try await world.make("users", "user", ["name": "without"])
        let reference = try await world.login("admin", "wrong", expecting: 401)
        #expect(reference["error", "title"]?.string == "Unauthorized")
        #expect(reference.headers["WWW-Authenticate"]?.hasPrefix("Keystone uri=") == true)
        for (user, password, scope, domain) in [
            ("nobody", "wrong", nil, "default"), ("disabled", "pw-disabled", nil, "default"),
            ("without", "", nil, "default"), ("admin", IdentityWorld.adminPassword, nil, "elsewhere"),
            ("admin", IdentityWorld.adminPassword, ["project": ["id": "none"]] as JSON, "default"),
            ("admin", IdentityWorld.adminPassword, ["domain": ["id": "default"]], "default"),
        ] as [(String, String, JSON?, String)] {
            let answer = try await world.login(user, password, scope: scope, domain: domain, expecting: 401)
            #expect(answer.body == reference.body)
        }
    }

    @Test("scopes: none, default project, project, domain, system")
    func scopes() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let user = try await world.make(
            "users", "user", ["name": "eve", "password": "pw", "default_project_id": .string(project)])
        let without = try await world.login("eve", "pw")
        #expect(
            without["token", "project"] == nil && without["token", "catalog"] == nil && without["token", "roles"] == nil
        )
        try await world.grant("member", "users/\(user)", on: "projects/\(project)")
        try await world.grant("reader", "users/\(user)", on: "domains/default")
        try await world.grant("reader", "users/\(user)", on: "system")
        #expect(try await world.login("eve", "pw")["token", "project", "id"]?.string == project)
        #expect(try await world.login("eve", "pw", scope: "unscoped")["token", "project"] == nil)
        let domain = try await world.login("eve", "pw", scope: ["domain": ["name": "Default"]])
        #expect(domain["token", "domain", "id"]?.string == "default")
        #expect(domain["token", "roles"]?.strings("name") == ["reader"])
        let system = try await world.login("eve", "pw", scope: ["system": ["all": true]])
        #expect(system["token", "system", "all"] == true)
    }

    @Test("a token makes a token that ends with it and keeps its chain")
    func rescope() async throws {
        let world = try await IdentityWorld()
        let first = try await world.login("admin", IdentityWorld.adminPassword, scope: "unscoped")
        world.clock.advance(by: .seconds(600))
        let second = try await world.call(
            .post, "/v3/auth/tokens", nil,
            [
                "auth": [
                    "identity": [
                        "methods": ["token"], "token": ["id": .string(try #require(first.headers["X-Subject-Token"]))],
                    ],
                    "scope": ["project": ["name": "admin", "domain": ["id": "default"]]],
                ]
            ], expecting: 201)
        #expect(second["token", "expires_at"] == first["token", "expires_at"])
        #expect(second["token", "methods"] == ["password", "token"])
        #expect(second["token", "audit_ids", "1"] == first["token", "audit_ids", "0"])
        #expect(second["token", "audit_ids"]?.array?.count == 2)
    }

    @Test("a token shows itself, to its user and to who may")
    func show() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let mine = try await world.persona("eve", role: "member", on: "projects/\(project)")
        let other = try await world.persona("mallory", role: "member", on: "projects/\(project)")
        for reader in [mine, world.admin] {
            let answer = try await world.call(
                .get, "/v3/auth/tokens", reader, headers: ["X-Subject-Token": mine], expecting: 200)
            #expect(answer["token", "user", "name"]?.string == "eve")
            #expect(answer["token", "catalog"] != nil)
            #expect(answer.headers["X-Subject-Token"] == mine)
        }
        let short = try await world.call(
            .get, "/v3/auth/tokens?nocatalog", mine, headers: ["X-Subject-Token": mine], expecting: 200)
        #expect(short["token", "catalog"] == nil)
        try await world.call(.head, "/v3/auth/tokens", mine, headers: ["X-Subject-Token": mine], expecting: 200)
        try await world.call(.get, "/v3/auth/tokens", other, headers: ["X-Subject-Token": mine], expecting: 403)
        try await world.call(.get, "/v3/auth/tokens", other, headers: ["X-Subject-Token": "junk"], expecting: 404)
        try await world.call(.get, "/v3/auth/tokens", world.admin, headers: ["X-Subject-Token": "junk"], expecting: 404)
        try await world.call(.get, "/v3/auth/tokens", world.admin, expecting: 404)
        try await world.call(.get, "/v3/auth/tokens", headers: ["X-Subject-Token": mine], expecting: 401)
    }

    @Test("a token ends: by time, by revocation, with its user, project, domain, roles and password")
    func endings() async throws {
        let world = try await IdentityWorld()
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        let project = try await world.makeProject("work", domain: domain)
        let user = try await world.makeUser("eve", domain: domain)
        try await world.grant("member", "users/\(user)", on: "projects/\(project)")
        let role = try await world.roleID("member")
        func fresh() async throws -> String {
            world.clock.advance(by: .milliseconds(1))
            return try await world.token("eve", "pw-eve", scope: ["project": ["id": .string(project)]], domain: domain)
        }
        func toggles(_ path: String, _ key: String) async throws {
            let token = try await fresh()
            #expect(await world.isValid(token))
            world.clock.advance(by: .milliseconds(1))
            try await world.call(.patch, path, world.admin, .object([key: ["enabled": false]]), expecting: 200)
            #expect(await !world.isValid(token), "\(path)")
            try await world.call(.patch, path, world.admin, .object([key: ["enabled": true]]), expecting: 200)
            #expect(await !world.isValid(token), "\(path), enabled again")
            world.clock.advance(by: .milliseconds(1))
        }
        try await toggles("/v3/users/\(user)", "user")
        try await toggles("/v3/projects/\(project)", "project")
        try await toggles("/v3/domains/\(domain)", "domain")

        let revoked = try await fresh()
        let sibling = try await fresh()
        try await world.call(.delete, "/v3/auth/tokens", revoked, headers: ["X-Subject-Token": revoked], expecting: 204)
        #expect(await !world.isValid(revoked))
        #expect(await world.isValid(sibling))

        try await world.call(
            .delete, "/v3/projects/\(project)/users/\(user)/roles/\(role)", world.admin, expecting: 204)
        #expect(await !world.isValid(sibling))
        try await world.call(.put, "/v3/projects/\(project)/users/\(user)/roles/\(role)", world.admin, expecting: 204)
        #expect(await world.isValid(sibling))

        world.clock.advance(by: .milliseconds(1))
        try await world.call(
            .post, "/v3/users/\(user)/password", nil,
            ["user": ["original_password": "pw-eve", "password": "new"]], expecting: 204)
        #expect(await !world.isValid(sibling))
        _ = try await world.login("eve", "pw-eve", domain: domain, expecting: 401)
        world.clock.advance(by: .milliseconds(1))
        let last = try await world.token("eve", "new", domain: domain)
        #expect(await world.isValid(last))
        world.clock.advance(by: .seconds(3600))
        #expect(await !world.isValid(last))
    }

    @Test("an expired token shows itself for a while to who asks for that")
    func graceful() async throws {
        let world = try await IdentityWorld()
        let old = try await world.token("admin", IdentityWorld.adminPassword, scope: "unscoped")
        world.clock.advance(by: .seconds(3601))
        let now = try await world.token(
            "admin", IdentityWorld.adminPassword, scope: ["project": ["name": "admin", "domain": ["id": "default"]]])
        try await world.call(.get, "/v3/auth/tokens", now, headers: ["X-Subject-Token": old], expecting: 404)
        try await world.call(
            .get, "/v3/auth/tokens?allow_expired=1", now, headers: ["X-Subject-Token": old], expecting: 200)
        #expect(await !world.isValid(old))
    }

    @Test("keys turn over and tokens outlive that")
    func keys() async throws {
        let world = try await IdentityWorld { $0.tokenLifetime = .seconds(30 * 86_400) }
        let token = try await world.token("admin", IdentityWorld.adminPassword, scope: "unscoped")
        world.clock.advance(by: .seconds(8 * 86_400))
        try await world.engine.keeper.pass()
        // A generation on: the token is opened anew.
        _ = try await world.makeUser("somebody")
        #expect(await world.isValid(token))
    }

    @Test(
        "malformed requests are the caller's fault",
        arguments: [
            [:], ["auth": [:]], ["auth": ["identity": [:]]], ["auth": ["identity": ["methods": "password"]]],
            ["auth": ["identity": ["methods": ["password"]]]],
            ["auth": ["identity": ["methods": ["token"], "token": [:]]]],
            ["auth": ["identity": ["methods": ["password"], "password": ["user": ["name": "x", "password": "y"]]]]],
            ["auth": ["identity": ["methods": ["password"], "password": ["user": ["id": 7, "password": "y"]]]]],
            ["auth": ["identity": ["methods": ["token"], "token": ["id": "x"]], "scope": ["project": [:]]]],
            [
                "auth": [
                    "identity": ["methods": ["token"], "token": ["id": "x"]],
                    "scope": ["project": ["id": "a"], "system": ["all": true]],
                ]
            ],
        ] as [JSON])
    func malformed(_ body: JSON) async throws {
        let world = try await IdentityWorld()
        try await world.call(.post, "/v3/auth/tokens", nil, body, expecting: 400)
    }

    @Test("a token that is none any more is not found by who signs in with it")
    func oldToken() async throws {
        let world = try await IdentityWorld()
        let body: JSON = ["auth": ["identity": ["methods": ["token"], "token": ["id": .string(world.admin)]]]]
        try await world.call(.post, "/v3/auth/tokens", nil, body, expecting: 201)
        try await world.call(
            .delete, "/v3/auth/tokens", world.admin, headers: ["X-Subject-Token": world.admin], expecting: 204)
        try await world.call(.post, "/v3/auth/tokens", nil, body, expecting: 404)
    }

    @Test("versions are open to all")
    func versions() async throws {
        let world = try await IdentityWorld()
        let all = try await world.call(.get, "/", expecting: 300)
        #expect(all["versions", "values", "0", "id"]?.string == "v3.14")
        let one = try await world.call(.get, "/v3", expecting: 200)
        #expect(one["version", "links", "0", "href"]?.string == "\(IdentityWorld.origin)/identity/v3/")
        try await world.call(.get, "/v3/users", expecting: 401)
    }

    @Test("more than one method: all must hold, for one user")
    func severalMethods() async throws {
        let world = try await IdentityWorld()
        _ = try await world.makeUser("eve")
        let token = try await world.token("eve", "pw-eve")
        for (user, password, status) in [("eve", "pw-eve", 201), ("admin", IdentityWorld.adminPassword, 401)] {
            try await world.call(
                .post, "/v3/auth/tokens", nil,
                [
                    "auth": [
                        "identity": [
                            "methods": ["password", "token"], "token": ["id": .string(token)],
                            "password": [
                                "user": [
                                    "name": .string(user), "domain": ["id": "default"], "password": .string(password),
                                ]
                            ],
                        ]
                    ]
                ], expecting: status)
        }
    }
}
