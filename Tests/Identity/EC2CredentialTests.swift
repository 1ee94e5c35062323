// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityCore
import SecurityKit
import Testing

/// Goal: an access key never gives more than who made it had then, and its user has now.
/// Method: keys of users, of application credentials and of administrators; then roles and owners change.
@Suite("EC2 credentials")
struct EC2CredentialTests {
    private struct Scene {
        let world: IdentityWorld
        let project: String
        let user: String
        let token: String
        var keys: String { "/v3/users/\(user)/credentials/OS-EC2" }

        init(role: String = "manager") async throws {
            world = try await IdentityWorld()
            project = try await world.makeProject("work")
            token = try await world.persona("eve", role: role, on: "projects/\(project)")
            user = try #require(
                try await world.call(.get, "/v3/users?name=eve", world.admin)["users", "0", "id"]?.string)
        }

        func make(as maker: String? = nil, expecting status: Int = 201) async throws -> IdentityWorld.Answer {
            try await world.call(
                .post, keys, maker ?? token, ["tenant_id": .string(project)], expecting: status)
        }

        func roles(_ key: IdentityWorld.Answer) async throws -> [String]? {
            let access = try #require(key["credential", "access"]?.string)
            return try await world.engine.ec2Secret(accessKey: access)?.principal.roles.map(\.name).sorted()
        }

        /// A token of an application credential with `role`.
        func robot(_ role: String, unrestricted: Bool) async throws -> (id: String, token: String) {
            let made = try await world.call(
                .post, "/v3/users/\(user)/application_credentials", token,
                [
                    "application_credential": [
                        "name": .string("robot-\(role)-\(unrestricted)"), "roles": [["name": .string(role)]],
                        "unrestricted": .bool(unrestricted),
                    ]
                ], expecting: 201)
            let id = try #require(made["application_credential", "id"]?.string)
            let secret = try #require(made["application_credential", "secret"]?.string)
            let login = try await world.call(
                .post, "/v3/auth/tokens", nil,
                [
                    "auth": [
                        "identity": [
                            "methods": ["application_credential"],
                            "application_credential": ["id": .string(id), "secret": .string(secret)],
                        ]
                    ]
                ], expecting: 201)
            return (id, try #require(login.headers["X-Subject-Token"]))
        }
    }

    @Test("a user makes, sees and removes keys; others do not")
    func lifecycle() async throws {
        let scene = try await Scene()
        let world = scene.world
        let made = try await scene.make()
        let access = try #require(made["credential", "access"]?.string)
        #expect(made["credential", "tenant_id"]?.string == scene.project)
        #expect(made["credential", "trust_id"] == .null)
        #expect(made["credential", "links", "self"]?.string?.hasSuffix("\(scene.keys)/\(access)") == true)
        let listed = try await world.call(.get, scene.keys, scene.token, expecting: 200)
        #expect(listed["credentials"]?.strings("access") == [access])
        let generic = try await world.call(.get, "/v3/credentials?type=ec2", scene.token, expecting: 200)
        #expect(generic["credentials"]?.array?.count == 1)
        let mallory = try await world.persona("mallory", role: "member", on: "projects/\(scene.project)")
        for method in [HTTPMethod.get, .delete] {
            try await world.call(method, "\(scene.keys)/\(access)", mallory, expecting: 403)
        }
        try await world.call(.get, scene.keys, mallory, expecting: 403)
        _ = try await scene.make(as: mallory, expecting: 403)
        try await world.call(.get, "\(scene.keys)/unknown", scene.token, expecting: 404)
        try await world.call(.delete, "\(scene.keys)/\(access)", scene.token, expecting: 204)
        #expect(try await scene.roles(made) == nil)
    }

    @Test("it loses what its user loses, and gains nothing that its user gains")
    func intersection() async throws {
        let scene = try await Scene(role: "member")
        let world = scene.world
        let made = try await scene.make()
        #expect(try await scene.roles(made) == ["member", "reader"])
        try await world.grant("admin", "users/\(scene.user)", on: "projects/\(scene.project)")
        #expect(try await scene.roles(made) == ["member", "reader"])
        for role in ["admin", "member"] {
            let id = try await world.roleID(role)
            try await world.call(
                .delete, "/v3/projects/\(scene.project)/users/\(scene.user)/roles/\(id)", world.admin, expecting: 204)
        }
        #expect(try await scene.roles(made) == nil)
    }

    @Test("it ends with its user, its project and their domains")
    func disabled() async throws {
        let scene = try await Scene()
        let made = try await scene.make()
        try await scene.world.call(
            .patch, "/v3/users/\(scene.user)", scene.world.admin, ["user": ["enabled": false]], expecting: 200)
        #expect(try await scene.roles(made) == nil)
        try await scene.world.call(
            .patch, "/v3/users/\(scene.user)", scene.world.admin, ["user": ["enabled": true]], expecting: 200)
        #expect(try await scene.roles(made) != nil)
        try await scene.world.call(
            .patch, "/v3/projects/\(scene.project)", scene.world.admin, ["project": ["enabled": false]], expecting: 200)
        #expect(try await scene.roles(made) == nil)
    }

    @Test("a key that an application credential makes has its rights, and ends with it")
    func delegated() async throws {
        let scene = try await Scene()
        let world = scene.world
        let own = try await scene.make()
        let robot = try await scene.robot("member", unrestricted: true)
        let made = try await scene.make(as: robot.token)
        #expect(try await scene.roles(made) == ["member", "reader"])
        #expect(try await scene.roles(own)?.contains("manager") == true)
        // It reads no secret that gives more than itself.
        let listed = try await world.call(.get, scene.keys, robot.token, expecting: 200)
        #expect(listed["credentials"]?.array?.map { $0["access"] } == [made["credential", "access"]])
        let access = try #require(own["credential", "access"]?.string)
        try await world.call(.get, "\(scene.keys)/\(access)", robot.token, expecting: 403)
        let id = EC2Credential.id(accessKey: access).rawValue
        try await world.call(.get, "/v3/credentials/\(id)", robot.token, expecting: 403)
        // Nor one that may make none.
        let restricted = try await scene.robot("member", unrestricted: false)
        _ = try await scene.make(as: restricted.token, expecting: 403)
        try await world.call(
            .delete, "/v3/users/\(scene.user)/application_credentials/\(robot.id)", scene.token, expecting: 204)
        #expect(try await scene.roles(made) == nil)
    }

    @Test("what a key is bound to cannot be taken off")
    func unbinding() async throws {
        let scene = try await Scene()
        let world = scene.world
        let robot = try await scene.robot("member", unrestricted: true)
        let made = try await world.call(
            .post, "/v3/credentials", robot.token,
            [
                "credential": [
                    "type": "ec2", "project_id": .string(scene.project),
                    "blob": "{\"access\": \"mine\", \"secret\": \"s\", \"app_cred_id\": null}",
                ]
            ], expecting: 201)
        let id = try #require(made["credential", "id"]?.string)
        #expect(made["credential", "blob"]?.string?.contains(robot.id) == true)
        let bare: JSON = ["credential": ["blob": "{\"access\": \"mine\", \"secret\": \"s\"}"]]
        try await world.call(.patch, "/v3/credentials/\(id)", scene.token, bare, expecting: 400)
        try await world.call(
            .patch, "/v3/credentials/\(id)", scene.token, ["credential": ["type": "cert"]], expecting: 200)
        try await world.call(.patch, "/v3/credentials/\(id)", scene.token, bare, expecting: 200)
        try await world.call(
            .patch, "/v3/credentials/\(id)", scene.token, ["credential": ["type": "ec2"]], expecting: 200)
        #expect(try await world.engine.ec2Secret(accessKey: "mine") == nil)
    }

    private static func sign(_ text: String, _ secret: String) -> String {
        let key = SignatureV4.key(secret: Secret(secret), date: "20270115", region: "us-east-1", service: "s3")
        return SignatureV4.sign(text, key: key)
    }

    @Test("services take a signed text for a token")
    func tokens() async throws {
        let scene = try await Scene(role: "member")
        let world = scene.world
        let made = try await scene.make()
        let (access, secret) = (
            try #require(made["credential", "access"]?.string), try #require(made["credential", "secret"]?.string)
        )
        let text =
            "AWS4-HMAC-SHA256\n20270115T080000Z\n20270115/us-east-1/s3/aws4_request\n"
            + String(repeating: "0", count: 64)
        func body(_ signature: String, _ access: String) -> JSON {
            [
                "credentials": [
                    "access": .string(access), "signature": .string(signature),
                    "token": .string(Base64.encode(Array(text.utf8), .urlSafe)),
                ]
            ]
        }
        let right = body(Self.sign(text, secret), access)
        let answer = try await world.call(.post, "/v3/s3tokens", world.admin, right, expecting: 200)
        #expect(answer["token", "project", "id"]?.string == scene.project)
        #expect(answer["token", "methods"] == ["ec2credential"])
        #expect(answer["token", "roles"]?.strings("name") == ["member", "reader"])
        #expect(answer.headers["X-Subject-Token"] == nil)
        try await world.call(.post, "/v3/s3tokens", world.admin, body(Self.sign(text, "x"), access), expecting: 401)
        try await world.call(.post, "/v3/s3tokens", world.admin, body(Self.sign(text, secret), "none"), expecting: 404)
        try await world.call(.post, "/v3/s3tokens", scene.token, right, expecting: 403)
        try await world.call(.post, "/v3/s3tokens", nil, right, expecting: 401)
    }

    @Test("a token of a key has the key's rights, reaches no other project, and ends with it")
    func tokenOfKey() async throws {
        let scene = try await Scene(role: "member")
        let world = scene.world
        let made = try await scene.make()
        let (access, secret) = (
            try #require(made["credential", "access"]?.string), try #require(made["credential", "secret"]?.string)
        )
        let query = "Action=Test&SignatureMethod=HmacSHA256&SignatureVersion=2"
        let signature = Base64.encode(
            HMAC.sha256(key: Array(secret.utf8), Array("GET\nlocalhost:80\n/\n\(query)".utf8)))
        let answer = try await world.call(
            .post, "/v3/ec2tokens", world.admin,
            [
                "ec2Credentials": [
                    "access": .string(access), "signature": .string(signature), "verb": "GET", "host": "localhost:80",
                    "path": "/", "params": ["Action": "Test", "SignatureVersion": "2"],
                ]
            ], expecting: 200)
        let token = try #require(answer.headers["X-Subject-Token"])
        try await world.grant("admin", "users/\(scene.user)", on: "projects/\(scene.project)")
        #expect(try await world.engine.authenticate(token: token).roles.map(\.name).sorted() == ["member", "reader"])
        let other = try await world.makeProject("other")
        try await world.grant("member", "users/\(scene.user)", on: "projects/\(other)")
        for (scope, status) in [(other, 401), (scene.project, 201)] {
            try await world.call(
                .post, "/v3/auth/tokens", nil,
                [
                    "auth": [
                        "identity": ["methods": ["token"], "token": ["id": .string(token)]],
                        "scope": ["project": ["id": .string(scope)]],
                    ]
                ], expecting: status)
        }
        // Nothing is made with it, or read, that would outlast the key.
        _ = try await scene.make(as: token, expecting: 403)
        try await world.call(
            .post, "/v3/users/\(scene.user)/application_credentials", token,
            ["application_credential": ["name": "robot"]], expecting: 403)
        try await world.call(.get, "\(scene.keys)/\(access)", token, expecting: 403)
        try await world.call(.delete, "\(scene.keys)/\(access)", scene.token, expecting: 204)
        #expect(await !world.isValid(token))
    }
}
