// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityCore
import Testing

/// Goal: a one-time passcode signs in once, and several methods count together when rules ask for that.
/// Method: the vectors of RFC 6238; then a user with a secret, a rule, and receipts.
@Suite("One-time passcodes and several methods")
struct MultiFactorTests {
    /// `12345678901234567890`, the secret of the vectors.
    private static let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

    @Test(
        "RFC 6238, appendix B",
        arguments: [
            (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
            (2_000_000_000, "279037"), (20_000_000_000, "353130"),
        ] as [(Int64, String)])
    func vectors(seconds: Int64, code: String) {
        #expect(TOTP.passcode(secret: Self.secret, at: Timestamp(seconds: seconds)) == code)
    }

    @Test("a secret that is no Base32 makes no passcode")
    func malformed() {
        for secret in ["", "not base32", "====="] {
            #expect(TOTP.passcode(secret: secret, at: Timestamp(seconds: 0)) == nil)
        }
    }

    private struct Scene {
        let world: IdentityWorld
        let user: String

        init() async throws {
            world = try await IdentityWorld()
            user = try await world.makeUser("ann")
            try await world.call(
                .post, "/v3/credentials", world.admin,
                ["credential": ["type": "totp", "blob": .string(secret), "user_id": .string(user)]], expecting: 201)
        }

        var passcode: String {
            TOTP.passcode(secret: secret, at: world.clock.clock.now()) ?? ""
        }

        func login(
            _ methods: [String], passcode: String? = nil, receipt: String? = nil, expecting status: Int,
            at location: SourceLocation = #_sourceLocation
        ) async throws -> IdentityWorld.Answer {
            let user: JSON = .string(self.user)
            var identity: [String: JSON] = ["methods": .array(methods.map { .string($0) })]
            identity["password"] = ["user": ["id": user, "password": "pw-ann"]]
            identity["totp"] = ["user": ["id": user, "passcode": .string(passcode ?? self.passcode)]]
            return try await world.call(
                .post, "/v3/auth/tokens", nil, ["auth": ["identity": .object(identity)]],
                headers: receipt.map { ["Openstack-Auth-Receipt": $0] } ?? [:], expecting: status, at: location)
        }
    }

    @Test("a passcode signs in, once, and soon")
    func passcodes() async throws {
        let scene = try await Scene()
        let first = scene.passcode
        #expect(try await scene.login(["totp"], expecting: 201)["token", "methods"] == ["totp"])
        _ = try await scene.login(["totp"], passcode: first, expecting: 401)
        scene.world.clock.advance(by: .seconds(30))
        let second = scene.passcode
        scene.world.clock.advance(by: .seconds(30))
        _ = try await scene.login(["totp"], passcode: second, expecting: 201)
        scene.world.clock.advance(by: .seconds(90))
        _ = try await scene.login(["totp"], passcode: second, expecting: 401)
    }

    @Test("guesses are few")
    func guesses() async throws {
        let scene = try await Scene()
        for _ in 0..<10 { _ = try await scene.login(["totp"], passcode: "000000", expecting: 401) }
        _ = try await scene.login(["totp"], expecting: 401)
        // Who knows the password is not kept out by somebody who knows a name, and has few guesses, too.
        _ = try await scene.login(["totp", "password"], expecting: 201)
        for _ in 0..<10 { _ = try await scene.login(["password", "totp"], passcode: "000000", expecting: 401) }
        scene.world.clock.advance(by: .seconds(30))
        _ = try await scene.login(["password", "totp"], expecting: 401)
        scene.world.clock.advance(by: .seconds(301))
        _ = try await scene.login(["totp"], expecting: 201)
    }

    @Test("a receipt carries what was shown to the next request")
    func receipts() async throws {
        let scene = try await Scene()
        let world = scene.world
        try await world.call(
            .patch, "/v3/users/\(scene.user)", world.admin,
            ["user": ["options": ["multi_factor_auth_rules": [["password", "totp"], ["password", "voice"]]]]],
            expecting: 200)
        // `voice` is no method here, so that rule asks for the password alone.
        _ = try await scene.login(["password"], expecting: 201)
        try await world.call(
            .patch, "/v3/users/\(scene.user)", world.admin,
            ["user": ["options": ["multi_factor_auth_rules": [["password", "totp"]]]]], expecting: 200)
        let half = try await scene.login(["password"], expecting: 401)
        #expect(half["required_auth_methods"] == [["password", "totp"]])
        #expect(half["receipt", "methods"] == ["password"])
        #expect(half["receipt", "user", "id"]?.string == scene.user)
        let receipt = try #require(half.headers["Openstack-Auth-Receipt"])
        let whole = try await scene.login(["totp"], receipt: receipt, expecting: 201)
        #expect(Set((whole["token", "methods"]?.array ?? []).compactMap(\.string)) == ["password", "totp"])
        scene.world.clock.advance(by: .seconds(60))
        _ = try await scene.login(["password", "totp"], expecting: 201)

        scene.world.clock.advance(by: .seconds(301))
        _ = try await scene.login(["totp"], receipt: receipt, expecting: 401)
        _ = try await scene.login(["password"], receipt: "forged", expecting: 401)
        let other = try await world.makeUser("eve")
        try await world.call(
            .patch, "/v3/users/\(other)", world.admin,
            ["user": ["options": ["multi_factor_auth_rules": [["password", "totp"]]]]], expecting: 200)
        let foreign = try await world.login("eve", "pw-eve", expecting: 401)
        let theirs = try #require(foreign.headers["Openstack-Auth-Receipt"])
        scene.world.clock.advance(by: .seconds(60))
        _ = try await scene.login(["totp"], receipt: theirs, expecting: 401)
        #expect(await !world.isValid(theirs), "a receipt is no token")
    }

    @Test("a receipt ends with the password that it speaks of, and going on from it makes no later end")
    func receiptEnds() async throws {
        let scene = try await Scene()
        let world = scene.world
        try await world.call(
            .patch, "/v3/users/\(scene.user)", world.admin,
            ["user": ["options": ["multi_factor_auth_rules": [["password", "totp"]]]]], expecting: 200)
        let first = try #require(
            try await scene.login(["password"], expecting: 401).headers["Openstack-Auth-Receipt"])
        world.clock.advance(by: .seconds(200))
        let second = try #require(
            try await scene.login(["password"], receipt: first, expecting: 401).headers["Openstack-Auth-Receipt"])
        world.clock.advance(by: .seconds(101))
        _ = try await scene.login(["totp"], receipt: second, expecting: 401)

        world.clock.advance(by: .seconds(60))
        let third = try #require(
            try await scene.login(["password"], expecting: 401).headers["Openstack-Auth-Receipt"])
        world.clock.advance(by: .seconds(60))
        try await world.call(
            .patch, "/v3/users/\(scene.user)", world.admin, ["user": ["password": "another"]], expecting: 200)
        _ = try await scene.login(["totp"], receipt: third, expecting: 401)
    }

    @Test("a delegation gets no receipt, which would lose what bounds it")
    func delegations() async throws {
        let scene = try await Scene()
        let world = scene.world
        let project = try await world.makeProject("work")
        try await world.grant("member", "users/\(scene.user)", on: "projects/\(project)")
        let token = try await world.token("ann", "pw-ann", scope: ["project": ["id": .string(project)]])
        let made = try await world.call(
            .post, "/v3/users/\(scene.user)/application_credentials", token,
            ["application_credential": ["name": "robot"]], expecting: 201)
        let (id, secret) = (
            try #require(made["application_credential", "id"]?.string),
            try #require(made["application_credential", "secret"]?.string)
        )
        try await world.call(
            .patch, "/v3/users/\(scene.user)", world.admin,
            [
                "user": [
                    "options": ["multi_factor_auth_rules": [["application_credential", "totp"], ["token", "totp"]]]
                ]
            ], expecting: 200)
        for identity in [
            [
                "methods": ["application_credential"],
                "application_credential": ["id": .string(id), "secret": .string(secret)],
            ],
            ["methods": ["token"], "token": ["id": .string(token)]],
        ] as [JSON] {
            let answer = try await world.call(
                .post, "/v3/auth/tokens", nil, ["auth": ["identity": identity]], expecting: 401)
            #expect(answer.headers["Openstack-Auth-Receipt"] == nil)
        }
    }
}
