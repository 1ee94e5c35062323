// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Goal: users, groups, projects, domains, roles and the catalog behave as upstream's.
/// Method: the API of a new cloud as its administrator.
@Suite("Identity's resources")
struct IdentityResourceTests {
    @Test("a user: made, shown, changed, deleted")
    func user() async throws {
        let world = try await IdentityWorld()
        let made = try await world.call(
            .post, "/v3/users", world.admin,
            [
                "user": [
                    "name": "Eve", "password": "pw", "email": "eve@example.org", "options": ["lock_password": true],
                ]
            ],
            expecting: 201)
        let id = try #require(made["user", "id"]?.string)
        #expect(made["user", "email"]?.string == "eve@example.org")
        #expect(made["user", "password"] == nil && made["user", "default_project_id"] == nil)
        #expect(made["user", "links", "self"]?.string == "\(IdentityWorld.origin)/identity/v3/users/\(id)")
        try await world.call(.post, "/v3/users", world.admin, ["user": ["name": "eve"]], expecting: 409)
        let changed = try await world.call(
            .patch, "/v3/users/\(id)", world.admin,
            ["user": ["name": "eve2", "description": "d", "options": ["lock_password": nil]]], expecting: 200)
        #expect(changed["user", "name"]?.string == "eve2")
        #expect(changed["user", "options"] == [:])
        #expect(changed["user", "email"]?.string == "eve@example.org")
        let found = try await world.call(.get, "/v3/users?name=EVE2&enabled=true", world.admin, expecting: 200)
        #expect(found["users"]?.strings("id") == [id])
        try await world.call(.delete, "/v3/users/\(id)", world.admin, expecting: 204)
        try await world.call(.get, "/v3/users/\(id)", world.admin, expecting: 404)
    }

    @Test("lists have filters, pages and links")
    func pages() async throws {
        let world = try await IdentityWorld()
        for name in ["a1", "a2", "a3", "b1"] { _ = try await world.make("groups", "group", ["name": .string(name)]) }
        let first = try await world.call(.get, "/v3/groups?name__startswith=a&limit=2", world.admin, expecting: 200)
        #expect(first["groups"]?.strings("name") == ["a1", "a2"])
        let next = try #require(first["links", "next"]?.string)
        let path = String(next.dropFirst("\(IdentityWorld.origin)/identity".count))
        let second = try await world.call(.get, path, world.admin, expecting: 200)
        #expect(second["groups"]?.strings("name") == ["a3"])
        #expect(second["links", "next"]?.isNull == true)
        try await world.call(.get, "/v3/groups?marker=none", world.admin, expecting: 404)
        try await world.call(.get, "/v3/groups?limit=-1", world.admin, expecting: 400)
        let sorted = try await world.call(.get, "/v3/groups?sort_key=name&sort_dir=desc", world.admin, expecting: 200)
        #expect(sorted["groups", "0", "name"]?.string == "b1")
    }

    @Test("a group gives its members its roles")
    func groups() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let (user, group) = (try await world.makeUser("eve"), try await world.make("groups", "group", ["name": "team"]))
        let member = "/v3/groups/\(group)/users/\(user)"
        try await world.grant("member", "groups/\(group)", on: "projects/\(project)")
        try await world.call(.head, member, world.admin, expecting: 404)
        try await world.call(.put, member, world.admin, expecting: 204)
        try await world.call(.head, member, world.admin, expecting: 204)
        let token = try await world.token("eve", "pw-eve", scope: ["project": ["id": .string(project)]])
        #expect(try await world.call(.get, "/v3/auth/projects", token)["projects"]?.strings("name") == ["work"])
        #expect(try await world.call(.get, "/v3/users/\(user)/groups", token)["groups"]?.strings("name") == ["team"])
        try await world.call(.delete, member, world.admin, expecting: 204)
        #expect(await !world.isValid(token))
        try await world.call(.delete, member, world.admin, expecting: 404)
    }

    @Test("projects stand in a tree")
    func tree() async throws {
        let world = try await IdentityWorld()
        let top = try await world.makeProject("top")
        let sub = try await world.makeProject("sub", parent: top)
        let leaf = try await world.makeProject("leaf", parent: sub)
        try await world.call(
            .post, "/v3/projects", world.admin, ["project": ["name": "TOP"]], expecting: 409)
        try await world.call(
            .post, "/v3/projects", world.admin, ["project": ["name": "x", "parent_id": "none"]], expecting: 400)
        let shown = try await world.call(
            .get, "/v3/projects/\(sub)?parents_as_ids&subtree_as_ids", world.admin, expecting: 200)
        #expect(shown["project", "parents"] == .object([top: ["default": nil]]))
        #expect(shown["project", "subtree"] == .object([leaf: nil]))
        try await world.call(.delete, "/v3/projects/\(top)", world.admin, expecting: 403)
        try await world.call(
            .patch, "/v3/projects/\(top)", world.admin, ["project": ["enabled": false]], expecting: 403)
        try await world.call(
            .patch, "/v3/projects/\(leaf)", world.admin, ["project": ["parent_id": .string(top)]], expecting: 403)
        for id in [leaf, sub, top] { try await world.call(.delete, "/v3/projects/\(id)", world.admin, expecting: 204) }
    }

    @Test("an inherited role counts below")
    func inheritance() async throws {
        let world = try await IdentityWorld()
        let top = try await world.makeProject("top")
        let sub = try await world.makeProject("sub", parent: top)
        let user = try await world.makeUser("eve")
        let role = try await world.roleID("member")
        let path = "/v3/OS-INHERIT/projects/\(top)/users/\(user)/roles/\(role)/inherited_to_projects"
        try await world.call(.put, path, world.admin, expecting: 204)
        try await world.call(.head, path, world.admin, expecting: 204)
        _ = try await world.login("eve", "pw-eve", scope: ["project": ["id": .string(sub)]])
        _ = try await world.login("eve", "pw-eve", scope: ["project": ["id": .string(top)]], expecting: 401)
        let rows = try await world.call(
            .get, "/v3/role_assignments?user.id=\(user)&effective&include_names", world.admin, expecting: 200)
        let assignments = rows["role_assignments"]?.array ?? []
        #expect(Set(assignments.compactMap { $0["role"]?["name"]?.string }) == ["member", "reader"])
        #expect(assignments.allSatisfy { $0["scope"]?["project"]?["name"]?.string == "sub" })
        #expect(assignments.allSatisfy { $0["scope"]?["OS-INHERIT:inherited_to"]?.string == "projects" })
        #expect(assignments.allSatisfy { $0["user"]?["domain"]?["name"]?.string == "Default" })
        #expect(assignments[0]["links"]?["assignment"]?.string == "\(IdentityWorld.origin)/identity\(path)")
        try await world.call(.delete, path, world.admin, expecting: 204)
        _ = try await world.login("eve", "pw-eve", scope: ["project": ["id": .string(sub)]], expecting: 401)
    }

    @Test("assignments are listed by what is asked")
    func assignments() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let user = try await world.makeUser("eve")
        try await world.grant("member", "users/\(user)", on: "projects/\(project)")
        try await world.grant("reader", "users/\(user)", on: "system")
        func count(_ query: String) async throws -> Int? {
            try await world.call(.get, "/v3/role_assignments?\(query)", world.admin, expecting: 200)[
                "role_assignments"]?
                .array?.count
        }
        #expect(try await count("user.id=\(user)") == 2)
        #expect(try await count("user.id=\(user)&effective") == 3)
        #expect(try await count("scope.project.id=\(project)") == 1)
        #expect(try await count("user.id=\(user)&scope.system=all") == 1)
        let reader = try await world.roleID("reader")
        #expect(try await count("user.id=\(user)&role.id=\(reader)&effective") == 2)
        for bad in [
            "scope.project.id=a&scope.domain.id=b", "user.id=a&group.id=b", "effective&group.id=a", "include_subtree",
        ] {
            try await world.call(.get, "/v3/role_assignments?\(bad)", world.admin, expecting: 400)
        }
    }

    @Test("tags of a project")
    func tags() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let path = "/v3/projects/\(project)/tags"
        try await world.call(.put, path, world.admin, ["tags": ["b", "a"]], expecting: 200)
        try await world.call(.put, path + "/c", world.admin, expecting: 201)
        #expect(try await world.call(.get, path, world.admin)["tags"] == ["a", "b", "c"])
        try await world.call(.get, path + "/a", world.admin, expecting: 204)
        try await world.call(.get, path + "/z", world.admin, expecting: 404)
        #expect(
            try await world.call(.get, "/v3/projects?tags=a,b", world.admin)["projects"]?.strings("name") == ["work"])
        #expect(try await world.call(.get, "/v3/projects?tags=a,z", world.admin)["projects"] == [])
        try await world.call(.put, path, world.admin, ["tags": ["x/y"]], expecting: 400)
        try await world.call(.delete, path + "/a", world.admin, expecting: 204)
        try await world.call(.delete, path, world.admin, expecting: 204)
    }

    @Test("filters take as many values as a caller names")
    func manyValues() async throws {
        let world = try await IdentityWorld()
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        let project = try await world.makeProject("work", domain: domain)
        _ = try await world.makeProject("play", domain: domain)
        let tags = (0..<2000).map { "t\($0)" }
        try await world.database.write { tx in
            for tag in tags {
                try tx.execute("INSERT INTO identity_project_tags (project_id, tag) VALUES (\(project), \(tag))")
            }
        }
        let (all, more) = (tags.joined(separator: ","), (tags + ["other"]).joined(separator: ","))
        let names = [String](repeating: "name__contains=or", count: 2000).joined(separator: "&")
        let cases: [(String, [String])] = [
            ("tags=\(all)", ["work"]), ("tags=\(more)", []), ("tags-any=\(more)", ["work"]),
            ("not-tags=\(all)", ["play"]), ("not-tags=\(more)", ["play", "work"]), ("not-tags-any=\(more)", ["play"]),
            (names, ["work"]),
        ]
        for (query, names) in cases {
            let list = try await world.call(
                .get, "/v3/projects?domain_id=\(domain)&\(query)", world.admin, expecting: 200)
            #expect(list["projects"]?.strings("name") == names, "\(query.prefix(16))")
        }
    }

    @Test("a domain goes with all that is in it, once it is disabled")
    func domains() async throws {
        let world = try await IdentityWorld()
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        let (project, user) = (
            try await world.makeProject("work", domain: domain), try await world.makeUser("eve", domain: domain)
        )
        try await world.call(.delete, "/v3/domains/\(domain)", world.admin, expecting: 403)
        try await world.call(
            .patch, "/v3/domains/\(domain)", world.admin, ["domain": ["enabled": false]], expecting: 200)
        try await world.call(.delete, "/v3/domains/\(domain)", world.admin, expecting: 204)
        for path in ["/v3/domains/\(domain)", "/v3/projects/\(project)", "/v3/users/\(user)"] {
            try await world.call(.get, path, world.admin, expecting: 404)
        }
        #expect(
            try await world.call(.get, "/v3/projects?is_domain=true", world.admin)["projects"]?.strings("id") == [
                "default"
            ])
    }

    @Test("roles and what they imply")
    func roles() async throws {
        let world = try await IdentityWorld()
        let (admin, reader) = (try await world.roleID("admin"), try await world.roleID("reader"))
        let role = try await world.make("roles", "role", ["name": "auditor"])
        let path = "/v3/roles/\(role)/implies/\(reader)"
        try await world.call(.get, path, world.admin, expecting: 404)
        let made = try await world.call(.put, path, world.admin, expecting: 201)
        #expect(made["role_inference", "implies", "name"]?.string == "reader")
        try await world.call(.head, path, world.admin, expecting: 204)
        try await world.call(.put, path, world.admin, expecting: 409)
        try await world.call(.put, "/v3/roles/\(role)/implies/\(admin)", world.admin, expecting: 403)
        let all = try await world.call(.get, "/v3/role_inferences", world.admin, expecting: 200)
        #expect(all["role_inferences"]?.array?.count == 4)
        let local = try await world.make("roles", "role", ["name": "local", "domain_id": "default"])
        try await world.call(.put, "/v3/roles/\(role)/implies/\(local)", world.admin, expecting: 403)
        try await world.call(.put, "/v3/roles/\(local)/implies/\(role)", world.admin, expecting: 201)
        try await world.call(.delete, path, world.admin, expecting: 204)
        try await world.call(.delete, "/v3/roles/\(admin)", world.admin, expecting: 403)
        try await world.call(.delete, "/v3/roles/\(role)", world.admin, expecting: 204)
    }

    @Test("services, endpoints and regions make the catalog")
    func catalog() async throws {
        let world = try await IdentityWorld()
        let service = try await world.make("services", "service", ["type": "archive", "name": "vault"])
        let endpoint = try await world.make(
            "endpoints", "endpoint",
            [
                "service_id": .string(service), "interface": "public", "region_id": "RegionOne",
                "url": .string("\(IdentityWorld.origin)/v1/AUTH_$(project_id)s"),
            ])
        let shown = try await world.call(.get, "/v3/auth/catalog", world.admin, expecting: 200)
        let entry = shown["catalog"]?.array?.first { $0["type"]?.string == "archive" }
        let url = entry?["endpoints"]?.array?.first?["url"]?.string
        #expect(url?.hasPrefix("\(IdentityWorld.origin)/v1/AUTH_") == true && url?.contains("$") == false)
        let listed = try await world.call(.get, "/v3/endpoints/\(endpoint)", world.admin, expecting: 200)
        #expect(listed["endpoint", "url"]?.string == "\(IdentityWorld.origin)/v1/AUTH_$(project_id)s")
        for (key, status) in [("region_id", 400), ("region", 201)] {
            let fields: JSON = [
                "service_id": .string(service), "interface": "admin", "url": "http://x/", key: "elsewhere",
            ]
            try await world.call(.post, "/v3/endpoints", world.admin, ["endpoint": fields], expecting: status)
        }
        try await world.call(.get, "/v3/regions/elsewhere", world.admin, expecting: 200)
        try await world.call(.delete, "/v3/regions/RegionOne", world.admin, expecting: 403)
        try await world.call(
            .patch, "/v3/endpoints/\(endpoint)", world.admin, ["endpoint": ["enabled": false]], expecting: 200)
        let after = try await world.call(.get, "/v3/auth/catalog", world.admin, expecting: 200)
        #expect(
            after["catalog"]?.array?.first { $0["type"]?.string == "archive" }?["endpoints"]?.strings("url") == [
                "http://x/"
            ])
        try await world.call(.delete, "/v3/services/\(service)", world.admin, expecting: 204)
        try await world.call(.get, "/v3/endpoints/\(endpoint)", world.admin, expecting: 404)
    }

    @Test("a start repeats without making anything twice")
    func bootstrap() async throws {
        let world = try await IdentityWorld()
        let before = try await world.call(.get, "/v3/endpoints", world.admin, expecting: 200)
        try await IdentityBootstrapRepeat.run(world)
        let after = try await world.call(.get, "/v3/endpoints", world.admin, expecting: 200)
        #expect(before.body == after.body)
        #expect(await world.isValid(world.admin))
        _ = try await world.login("admin", IdentityWorld.adminPassword)
    }

    @Test("limits: registered, set, seen by who they are for")
    func limits() async throws {
        let world = try await IdentityWorld()
        let service = try #require(
            try await world.call(.get, "/v3/services?type=compute", world.admin)["services", "0", "id"]?.string)
        let (mine, other) = (try await world.makeProject("mine"), try await world.makeProject("other"))
        let fields: JSON = ["service_id": .string(service), "resource_name": "vcpu", "default_limit": 10]
        let registered = try await world.call(
            .post, "/v3/registered_limits", world.admin, ["registered_limits": [fields]], expecting: 201)
        let id = try #require(registered["registered_limits", "0", "id"]?.string)
        try await world.call(
            .post, "/v3/registered_limits", world.admin, ["registered_limits": [fields]], expecting: 409)
        func limit(_ project: String, _ resource: String) -> JSON {
            [
                "limits": [
                    [
                        "service_id": .string(service), "resource_name": .string(resource), "resource_limit": 5,
                        "project_id": .string(project),
                    ]
                ]
            ]
        }
        try await world.call(.post, "/v3/limits", world.admin, limit(mine, "ram"), expecting: 403)
        try await world.call(.post, "/v3/limits", world.admin, limit(mine, "vcpu"), expecting: 201)
        try await world.call(.post, "/v3/limits", world.admin, limit(other, "vcpu"), expecting: 201)
        let member = try await world.persona("eve", role: "member", on: "projects/\(mine)")
        let seen = try await world.call(.get, "/v3/limits", member, expecting: 200)
        #expect(seen["limits"]?.strings("project_id") == [mine])
        try await world.call(.get, "/v3/limits/model", member, expecting: 200)
        try await world.call(.delete, "/v3/registered_limits/\(id)", world.admin, expecting: 403)
    }

    @Test("credentials belong to their users")
    func credentials() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let eve = try await world.persona("eve", role: "member", on: "projects/\(project)")
        let mallory = try await world.persona("mallory", role: "member", on: "projects/\(project)")
        let id = try await world.make("credentials", "credential", ["type": "totp", "blob": "secret"], as: eve)
        try await world.call(.get, "/v3/credentials/\(id)", eve, expecting: 200)
        try await world.call(.get, "/v3/credentials/\(id)", mallory, expecting: 403)
        try await world.call(.delete, "/v3/credentials/\(id)", mallory, expecting: 403)
        #expect(try await world.call(.get, "/v3/credentials", mallory)["credentials"] == [])
        #expect(try await world.call(.get, "/v3/credentials", eve)["credentials"]?.strings("id") == [id])
        try await world.call(
            .post, "/v3/credentials", eve,
            ["credential": ["type": "ec2", "blob": "{}", "project_id": .string(project)]],
            expecting: 400)
        try await world.call(.delete, "/v3/credentials/\(id)", eve, expecting: 204)
    }
}
