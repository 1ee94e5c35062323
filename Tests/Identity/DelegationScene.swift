// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import SecurityKit
import TestKit
import Testing

/// A user, `ann`, of a domain and two projects of her own; `bob` and `carol`, whom she may trust; and all that a token
/// can be made into.
struct DelegationScene: Sendable {
    enum Kind: CaseIterable, Sendable { case applicationCredential, accessKey, trust, accessToken }

    /// Something that was handed on.
    struct Holder: Sendable, CustomStringConvertible {
        let description: String
        let kind: Kind
        let project: String
        /// The roles of the token that made it.
        let limit: Set<String>
        /// A new token's answer; nil: it gives none.
        let login: @Sendable () async throws -> IdentityWorld.Answer?
        let remove: @Sendable () async throws -> Void
        var mustHaveRules = false
        /// Nil: ann herself.
        var maker: Int?
        /// Those that it ends with.
        var ties: [Int] = []
        var isGone = false
        /// The last ones.
        var tokens: [String] = []
    }

    /// What the next delegation is to be.
    struct Wish: Sendable {
        let name: String
        let role: String
        /// Of a trust, which may be of another project than the token.
        let project: String
        /// Unrestricted, or with impersonation.
        let flag: Bool
        /// With access rules, or to be handed on.
        let isNarrow: Bool
        let trustee: String
    }

    static let plainRoles = ["r0", "r1", "r2"]
    static let roles = plainRoles + ["reader", "member", "manager", "admin"]
    private static let rules: JSON = .array(
        [
            ("POST", "/v3/users/*/application_credentials"), ("POST", "/v3/users/*/credentials/OS-EC2"),
            ("GET", "/v3/credentials"), ("GET", "/v3/users/*/credentials/OS-EC2"), ("POST", "/v3/OS-TRUST/trusts"),
        ].map { ["service": "identity", "method": .string($0.0), "path": .string($0.1)] })

    let world: IdentityWorld
    let projects: [String]
    /// What can be disabled.
    let places: [(path: String, key: String)]
    private let annID: String
    private let trustees: [String: String]
    private let dance: OAuthTests.Dance

    init() async throws {
        world = try await IdentityWorld()
        dance = try await OAuthTests.Dance(world)
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        annID = try await world.makeUser("ann", domain: domain)
        projects = [
            try await world.makeProject("work", domain: domain), try await world.makeProject("other", domain: domain),
        ]
        trustees = ["bob": try await world.makeUser("bob"), "carol": try await world.makeUser("carol")]
        places = [("users/\(annID)", "user"), ("projects/\(projects[0])", "project"), ("domains/\(domain)", "domain")]
        for name in Self.plainRoles { _ = try await world.make("roles", "role", ["name": .string(name)]) }
        for role in ["member", "r0", "r1"] {
            for project in projects { try await grant(role, on: project, .put) }
        }
    }

    // MARK: Ann and what happens to her

    func ann(_ project: String) async throws -> IdentityWorld.Answer? {
        try await login(user: annID, "pw-ann", scope: ["project": ["id": .string(project)]])
    }

    func grant(_ role: String, on project: String, _ method: HTTPMethod) async throws {
        let id = try await world.roleID(role)
        try await world.call(method, "/v3/projects/\(project)/users/\(annID)/roles/\(id)", world.admin)
    }

    func imply(_ role: String, _ other: String, _ method: HTTPMethod) async throws {
        let (prior, implied) = (try await world.roleID(role), try await world.roleID(other))
        try await world.call(method, "/v3/roles/\(prior)/implies/\(implied)", world.admin)
    }

    func enable(_ place: (path: String, key: String), _ enabled: Bool) async throws {
        try await world.call(
            .patch, "/v3/\(place.path)", world.admin, .object([place.key: ["enabled": .bool(enabled)]]), expecting: 200)
    }

    /// What a token says now; nil when it is none any more.
    func validate(_ token: String) async throws -> IdentityWorld.Answer? {
        let answer = try await world.call(
            .get, "/v3/auth/tokens", world.admin,
            headers: ["X-Subject-Token": token, "OpenStack-Identity-Access-Rules": "1.0"])
        return answer.status == 200 ? answer : nil
    }

    private func login(user: String, _ password: String, scope: JSON) async throws -> IdentityWorld.Answer? {
        try await issue(
            ["methods": ["password"], "password": ["user": ["id": .string(user), "password": .string(password)]]],
            scope: scope)
    }

    private func issue(_ identity: JSON, scope: JSON? = nil, headers: HTTPHeaders = [:]) async throws
        -> IdentityWorld.Answer?
    {
        var auth: [String: JSON] = ["identity": identity]
        auth["scope"] = scope
        let answer = try await world.call(
            .post, "/v3/auth/tokens", nil, ["auth": .object(auth)], headers: headers)
        return answer.status == 201 ? answer : nil
    }

    // MARK: Making

    /// Nil when it is refused. `holder` is what `token` says of itself.
    func make(_ kind: Kind, _ wish: Wish, as holder: IdentityWorld.Answer, _ token: String) async throws -> Holder? {
        let user = try #require(holder["token", "user", "id"]?.string)
        let project = try #require(holder["token", "project", "id"]?.string)
        let limit = Set(holder["token", "roles"]?.strings("name") ?? [])
        // Who has shown who they are may hand on what they have elsewhere, too; a delegation is for its project.
        let isOwnWord = holder["token", "methods"] == ["password"] && holder["token", "OS-TRUST:trust"] == nil
        let place = isOwnWord ? wish.project : project
        let bound = isOwnWord ? try await roles(on: place) : limit
        func made(
            _ kind: Kind, in project: String, limit: Set<String>, mustHaveRules: Bool = false, at path: String,
            _ login: @escaping @Sendable () async throws -> IdentityWorld.Answer?
        ) -> Holder {
            Holder(
                description: "\(kind) \(wish.name)", kind: kind, project: project, limit: limit, login: login,
                remove: {
                    let answer = try await world.call(.delete, path, world.admin)
                    #expect([204, 404].contains(answer.status), "\(kind) \(wish.name): \(answer.body.text())")
                }, mustHaveRules: mustHaveRules)
        }
        switch kind {
        case .applicationCredential:
            guard let credential = try await applicationCredential(wish, of: user, token) else { return nil }
            return made(
                kind, in: project, limit: limit, mustHaveRules: wish.isNarrow,
                at: "/v3/users/\(user)/application_credentials/\(credential["id"]?.string ?? "")"
            ) {
                try await issue([
                    "methods": ["application_credential"],
                    "application_credential": ["id": credential["id"] ?? nil, "secret": credential["secret"] ?? nil],
                ])
            }
        case .accessKey:
            let answer = try await world.call(
                .post, "/v3/users/\(user)/credentials/OS-EC2", token, ["tenant_id": .string(wish.project)])
            guard answer.status == 201, let access = answer["credential", "access"]?.string,
                let secret = answer["credential", "secret"]?.string
            else { return nil }
            return made(kind, in: place, limit: bound, at: "/v3/users/\(user)/credentials/OS-EC2/\(access)") {
                try await signIn(access, secret)
            }
        case .trust:
            guard let id = try await trust(wish, of: user, token) else { return nil }
            let trustee = try #require(trustees[wish.trustee])
            return made(kind, in: place, limit: bound, at: "/v3/OS-TRUST/trusts/\(id)") {
                try await login(user: trustee, "pw-" + wish.trustee, scope: ["OS-TRUST:trust": ["id": .string(id)]])
            }
        case .accessToken:
            guard let access = try await accessToken(wish, project, token) else { return nil }
            return made(kind, in: project, limit: limit, at: "/v3/users/\(user)/OS-OAUTH1/access_tokens/\(access.key)")
            {
                try await issue(
                    ["methods": ["oauth1"], "oauth1": [:]],
                    headers: ["Authorization": dance.header("/v3/auth/tokens", token: access)])
            }
        }
    }

    private func roles(on project: String) async throws -> Set<String> {
        Set(try await ann(project)?["token", "roles"]?.strings("name") ?? [])
    }

    private func applicationCredential(_ wish: Wish, of user: String, _ token: String) async throws -> JSON? {
        var fields: [String: JSON] = [
            "name": .string(wish.name), "roles": [["name": .string(wish.role)]], "unrestricted": .bool(wish.flag),
        ]
        if wish.isNarrow { fields["access_rules"] = Self.rules }
        let answer = try await world.call(
            .post, "/v3/users/\(user)/application_credentials", token, ["application_credential": .object(fields)])
        return answer.status == 201 ? answer["application_credential"] : nil
    }

    private func trust(_ wish: Wish, of user: String, _ token: String) async throws -> String? {
        let answer = try await world.call(
            .post, "/v3/OS-TRUST/trusts", token,
            [
                "trust": [
                    "trustor_user_id": .string(user), "trustee_user_id": .string(trustees[wish.trustee] ?? ""),
                    "project_id": .string(wish.project), "impersonation": .bool(wish.flag),
                    "allow_redelegation": .bool(wish.isNarrow), "roles": [["name": .string(wish.role)]],
                ]
            ])
        return answer.status == 201 ? answer["trust", "id"]?.string : nil
    }

    private func accessToken(_ wish: Wish, _ project: String, _ token: String) async throws
        -> (key: String, secret: String)?
    {
        func pair(_ fields: [String: String]) throws -> (key: String, secret: String) {
            (try #require(fields["oauth_token"]), try #require(fields["oauth_token_secret"]))
        }
        let base = "/v3/OS-OAUTH1"
        let (_, asked) = try await dance.post(
            base + "/request_token", dance.header(base + "/request_token"), project: project)
        // Its project may be disabled, or the consumer may have asked too often.
        guard !asked.isEmpty else { return nil }
        let request = try pair(asked)
        let authorized = try await world.call(
            .put, "\(base)/authorize/\(request.key)", token, ["roles": [["name": .string(wish.role)]]])
        guard authorized.status == 200, let verifier = authorized["token", "oauth_verifier"]?.string else { return nil }
        let path = base + "/access_token"
        let (status, fields) = try await dance.post(path, dance.header(path, token: request, verifier: verifier))
        #expect(status == 201)
        return try pair(fields)
    }

    /// A token for a signed request.
    private func signIn(_ access: String, _ secret: String) async throws -> IdentityWorld.Answer? {
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
            ])
        return answer.status == 200 ? answer : nil
    }
}

/// SplitMix64: the same history for the same seed.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
