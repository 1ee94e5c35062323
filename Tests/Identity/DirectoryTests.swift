// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import Synchronization
import Testing

/// A directory in memory.
final class FakeDirectory: UserDirectory {
    struct Content: Sendable {
        var users: [DirectoryUser] = []
        var groups: [DirectoryGroup] = []
        var passwords: [String: String] = [:]
        var isAway = false
    }

    private let content = Mutex(Content())

    func change(_ body: (inout Content) -> Void) { content.withLock { body(&$0) } }

    private func read<T>(_ body: (Content) -> T) throws -> T {
        try content.withLock { content in
            guard !content.isAway else { throw CloudError(.unavailable, "away") }
            return body(content)
        }
    }

    func users(_ settings: DirectorySettings) async throws -> [DirectoryUser] { try read(\.users) }

    func groups(_ settings: DirectorySettings) async throws -> [DirectoryGroup] { try read(\.groups) }

    func user(named name: String, _ settings: DirectorySettings) async throws -> DirectoryUser? {
        try read { content in content.users.first { $0.name.lowercased() == name.lowercased() } }
    }

    func isPassword(_ password: Secret, of user: DirectoryUser, _ settings: DirectorySettings) async throws -> Bool {
        try read { content in content.passwords[user.id] == password.reveal() && !password.reveal().isEmpty }
    }
}

/// Goal: users of a directory sign in by it, have roles here, and lose all with their place there.
/// Method: a domain over a directory in memory, which changes.
@Suite("Users of a directory")
struct DirectoryTests {
    private struct Scene {
        let directory = FakeDirectory()
        let world: IdentityWorld
        let domain: String
        let project: String

        init() async throws {
            world = try await IdentityWorld(directory: directory)
            domain = try await world.make("domains", "domain", ["name": "acme"])
            project = try await world.makeProject("work", domain: domain)
            try await world.call(
                .put, "/v3/domains/\(domain)/config", world.admin,
                ["config": ["identity": ["driver": "ldap"], "ldap": ["url": "ldap://ldap.test"]]], expecting: 201)
            directory.change { content in
                content.users = [
                    DirectoryUser(
                        id: "u1", dn: "cn=u1,ou=Users", name: "ann", email: "ann@acme", description: nil,
                        isEnabled: true)
                ]
                content.groups = [
                    DirectoryGroup(id: "g1", name: "staff", description: nil, members: ["CN=u1,ou=Users"])
                ]
                content.passwords = ["u1": "in the directory"]
            }
        }

        func login(_ password: String = "in the directory", scope: JSON? = nil, expecting status: Int = 201)
            async throws
            -> IdentityWorld.Answer
        {
            try await world.login("ann", password, scope: scope, domain: domain, expecting: status)
        }
    }

    @Test("the directory says whose password it is")
    func signIn() async throws {
        let scene = try await Scene()
        let world = scene.world
        _ = try await scene.login("wrong", expecting: 401)
        _ = try await scene.login("", expecting: 401)
        let answer = try await scene.login()
        let user = try #require(answer["token", "user", "id"]?.string)
        #expect(user.utf8.count == 64)
        let shown = try await world.call(.get, "/v3/users/\(user)", world.admin, expecting: 200)
        #expect(shown["user", "email"] == "ann@acme")
        try await world.grant("member", "users/\(user)", on: "projects/\(scene.project)")
        let scope: JSON = ["project": ["id": .string(scene.project)]]
        #expect(try await scene.login(scope: scope)["token", "roles"]?.strings("name") == ["member", "reader"])
        let generation = world.engine.catalog.generation
        _ = try await scene.login()
        #expect(world.engine.catalog.generation == generation, "a sign-in that changes nothing keeps what is known")
        scene.directory.change { $0.isAway = true }
        _ = try await scene.login(expecting: 503)
    }

    @Test("nothing of it is changed here")
    func readOnly() async throws {
        let scene = try await Scene()
        let world = scene.world
        let user = try #require(try await scene.login()["token", "user", "id"]?.string)
        try await world.call(
            .post, "/v3/users", world.admin, ["user": ["name": "bob", "domain_id": .string(scene.domain)]],
            expecting: 403)
        try await world.call(.patch, "/v3/users/\(user)", world.admin, ["user": ["name": "x"]], expecting: 403)
        try await world.call(.delete, "/v3/users/\(user)", world.admin, expecting: 403)
        try await world.call(
            .post, "/v3/users/\(user)/password", nil,
            ["user": ["original_password": "in the directory", "password": "x"]], expecting: 403)
        try await world.engine.keeper.pass()
        let group = try #require(
            try await world.call(.get, "/v3/groups?domain_id=\(scene.domain)", world.admin)["groups", "0", "id"]?
                .string)
        let member = "/v3/groups/\(group)/users/\(user)"
        try await world.call(.get, member, world.admin, expecting: 204)
        try await world.call(.delete, member, world.admin, expecting: 403)
        try await world.call(.put, member, world.admin, expecting: 403)
        try await world.call(.delete, "/v3/groups/\(group)", world.admin, expecting: 403)
    }

    @Test("who leaves a group or the directory loses what that gave, with the next round")
    func following() async throws {
        let scene = try await Scene()
        let world = scene.world
        try await world.engine.keeper.pass()
        let group = try #require(
            try await world.call(.get, "/v3/groups?domain_id=\(scene.domain)", world.admin)["groups", "0", "id"]?
                .string)
        try await world.grant("member", "groups/\(group)", on: "projects/\(scene.project)")
        let scope: JSON = ["project": ["id": .string(scene.project)]]
        let token = try #require(try await scene.login(scope: scope).headers["X-Subject-Token"])
        scene.directory.change { $0.isAway = true }
        try await world.engine.keeper.pass()
        #expect(await world.isValid(token), "a directory that is away takes nothing")
        scene.directory.change { content in
            content.isAway = false
            content.groups[0].members = []
        }
        try await world.engine.keeper.pass()
        #expect(await !world.isValid(token))
        let plain = try #require(try await scene.login().headers["X-Subject-Token"])
        scene.directory.change { $0.users = [] }
        world.clock.advance(by: .seconds(1))
        try await world.engine.keeper.pass()
        #expect(await !world.isValid(plain))
        _ = try await scene.login(expecting: 401)
    }
}
