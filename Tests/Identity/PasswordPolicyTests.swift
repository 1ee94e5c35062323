// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityCore
import Testing

/// Goal: passwords are as an operator wants them, and guessing at them locks the account.
/// Method: clouds with one rule each; a user changes passwords and signs in while time goes on.
@Suite("Rules for passwords")
struct PasswordPolicyTests {
    private func change(
        _ world: IdentityWorld, _ user: String, _ old: String, _ new: String, expecting status: Int,
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        try await world.call(
            .post, "/v3/users/\(user)/password", nil,
            ["user": ["original_password": .string(old), "password": .string(new)]], expecting: status, at: location)
    }

    @Test("a password must match, whoever sets it")
    func requirements() async throws {
        let world = try await IdentityWorld { config in
            config.passwordRegex = "^(?=.*\\d)(?=.*[a-z]).{7,}$"
            config.passwordRegexDescription = "seven characters, a digit and a letter"
        }
        let answer = try await world.call(
            .post, "/v3/users", world.admin, ["user": ["name": "ann", "password": "short1"]], expecting: 400)
        #expect(answer["error", "message"]?.string?.contains("seven characters") == true)
        let user = try await world.make("users", "user", ["name": "ann", "password": "longer17"])
        try await world.call(
            .patch, "/v3/users/\(user)", world.admin, ["user": ["password": "nodigits"]], expecting: 400)
        try await change(world, user, "longer17", "NODIGITS", expecting: 400)
        try await change(world, user, "longer17", "another17", expecting: 204)
        let shown = try await world.call(
            .get, "/v3/domains/default/config/security_compliance/password_regex", world.admin, expecting: 200)
        #expect(shown["config", "password_regex"]?.string == "^(?=.*\\d)(?=.*[a-z]).{7,}$")
    }

    @Test("the newest passwords do not come back")
    func history() async throws {
        let world = try await IdentityWorld { $0.passwordHistory = 2 }
        let user = try await world.makeUser("ann")
        try await change(world, user, "pw-ann", "pw-ann", expecting: 400)
        try await change(world, user, "pw-ann", "second", expecting: 204)
        try await change(world, user, "second", "pw-ann", expecting: 400)
        try await change(world, user, "second", "third", expecting: 204)
        try await change(world, user, "third", "pw-ann", expecting: 204)
        _ = try await world.login("ann", "pw-ann")
    }

    @Test("a password that its user chose stays for a while")
    func minimumAge() async throws {
        let world = try await IdentityWorld { $0.passwordMinimumAge = .seconds(86_400) }
        let user = try await world.makeUser("ann")
        try await change(world, user, "pw-ann", "second", expecting: 204)
        try await change(world, user, "second", "third", expecting: 400)
        world.clock.advance(by: .seconds(86_401))
        try await change(world, user, "second", "third", expecting: 204)
    }

    @Test("a password comes to its end, and is then good for being changed")
    func expiry() async throws {
        let world = try await IdentityWorld { $0.passwordLifetime = .seconds(600) }
        let user = try await world.makeUser("ann")
        let answer = try await world.login("ann", "pw-ann")
        #expect(answer["token", "user", "password_expires_at"]?.string == "2027-01-15T08:10:00.000000")
        let path = "/v3/users?password_expires_at="
        let before = try await world.call(.get, path + "lt:2027-01-15T08:11:00Z", world.admin, expecting: 200)
        #expect(before["users"]?.strings("name").contains("ann") == true)
        let after = try await world.call(.get, path + "gt:2027-01-15T08:11:00Z", world.admin, expecting: 200)
        #expect(after["users"] == [])
        try await world.call(.get, path + "then:2027-01-15T08:11:00Z", world.admin, expecting: 400)
        let robot = try await world.make(
            "users", "user", ["name": "robot", "password": "pw", "options": ["ignore_password_expiry": true]])
        let shown = try await world.call(.get, "/v3/users/\(robot)", world.admin)
        #expect(shown["user", "password_expires_at"]?.isNull == true)
        world.clock.advance(by: .seconds(600))
        _ = try await world.login("robot", "pw")
        let refused = try await world.login("ann", "pw-ann", expecting: 401)
        #expect(refused["error", "message"]?.string?.hasPrefix("The password is expired") == true)
        try await change(world, user, "pw-ann", "second", expecting: 204)
        _ = try await world.login("ann", "second")
    }

    @Test("an administrator's password is changed before it is used")
    func firstUse() async throws {
        let world = try await IdentityWorld { $0.passwordChangeAtFirstUse = true }
        let user = try await world.makeUser("ann")
        _ = try await world.login("ann", "pw-ann", expecting: 401)
        try await change(world, user, "pw-ann", "own", expecting: 204)
        _ = try await world.login("ann", "own")
        try await world.call(
            .patch, "/v3/users/\(user)", world.admin,
            ["user": ["password": "reset", "options": ["ignore_change_password_upon_first_use": true]]],
            expecting: 200)
        _ = try await world.login("ann", "reset")
    }

    @Test("wrong passwords lock the account for a while, in every door")
    func lockout() async throws {
        let world = try await IdentityWorld { config in
            config.lockoutFailures = 3
            config.lockoutDuration = .seconds(300)
        }
        let user = try await world.makeUser("ann")
        let token = try await world.token("ann", "pw-ann")
        for _ in 0..<2 { _ = try await world.login("ann", "wrong", expecting: 401) }
        _ = try await world.login("ann", "pw-ann")
        for _ in 0..<2 { _ = try await world.login("ann", "wrong", expecting: 401) }
        try await change(world, user, "wrong", "own", expecting: 401)
        _ = try await world.login("ann", "pw-ann", expecting: 401)
        try await change(world, user, "pw-ann", "own", expecting: 401)
        #expect(await world.isValid(token), "a lock ends no token")
        world.clock.advance(by: .seconds(301))
        _ = try await world.login("ann", "pw-ann")

        for _ in 0..<3 { _ = try await world.login("ann", "wrong", expecting: 401) }
        try await world.call(.patch, "/v3/users/\(user)", world.admin, ["user": ["enabled": true]], expecting: 200)
        _ = try await world.login("ann", "pw-ann")
        _ = try await world.make(
            "users", "user",
            ["name": "robot", "password": "pw", "options": ["ignore_lockout_failure_attempts": true]])
        for _ in 0..<4 { _ = try await world.login("robot", "wrong", expecting: 401) }
        _ = try await world.login("robot", "pw")
    }

    @Test("an account that nobody signs in to is disabled, unless it says otherwise, until it is enabled again")
    func inactivity() async throws {
        let day: Duration = .seconds(86_400)
        let world = try await IdentityWorld { $0.accountInactivity = .seconds(30 * 86_400) }
        let project = try await world.makeProject("work")
        let ann = try await world.makeUser("ann")
        let robot = try await world.make(
            "users", "user",
            ["name": "robot", "password": "pw-robot", "options": ["ignore_user_inactivity": true]])
        try await world.grant("admin", "users/\(robot)", on: "projects/\(project)")
        for _ in 0..<2 {
            world.clock.advance(by: day * 20)
            _ = try await world.login("ann", "pw-ann")
        }
        world.clock.advance(by: day * 31)
        _ = try await world.login("ann", "pw-ann", expecting: 401)
        try await world.engine.keeper.pass()
        let token = try await world.token("robot", "pw-robot", scope: ["project": ["id": .string(project)]])
        let disabled = try await world.call(.get, "/v3/users?enabled=false", token, expecting: 200)
        #expect(disabled["users"]?.strings("name") == ["admin", "ann"])
        try await world.call(.patch, "/v3/users/\(ann)", token, ["user": ["enabled": true]], expecting: 200)
        _ = try await world.login("ann", "pw-ann")
    }
}
