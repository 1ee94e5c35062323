// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import DatabaseKit
import DatabaseSQLite
import HTTPKit
import IdentityAPI
import IdentityContract
import IdentityCore
import SecurityKit
import TestKit
import Testing

/// Identity on a database in memory, behind the real router, with the accounts of a new cloud.
struct IdentityWorld: Sendable {
    static let origin = "http://cloud.test:8080"
    static let adminPassword = "first secret"

    let clock = TestClock(Timestamp(seconds: 1_800_000_000))
    let database: SQLiteDatabase
    let engine: IdentityEngine
    let router: APIRouter
    /// Of `admin` on the project `admin`.
    let admin: String

    init(
        directory: (any UserDirectory)? = nil, issuers: TokenIssuers = TokenIssuers(),
        config change: (inout IdentityConfig) -> Void = { _ in }
    ) async throws {
        var config = IdentityConfig()
        config.passwordCost = 4
        change(&config)
        database = try SQLiteDatabase.inMemory()
        try await Migrator.apply(IdentityMigrations.all, to: database)
        engine = IdentityEngine(
            database: database, credentialKeys: [FernetKey()], config: config, clock: clock.clock, ids: .random,
            directory: directory, issuers: issuers)
        try await IdentityBootstrap(engine).run(adminPassword: Secret(Self.adminPassword))
        let engine = engine
        router = APIRouter(
            services: [try IdentityAPI(engine: engine)], origin: Self.origin, ids: .random, clock: clock.clock
        ) { try await engine.authenticate(token: $0) }
        let known = try await engine.tokens.issue(
            AuthRequest(
                methods: [.password(.name("admin", .id(.default)), Secret(Self.adminPassword))],
                scope: .project(.name("admin", .id(.default)))))
        admin = known.token
    }

    typealias Answer = TestAnswer

    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, _ token: String? = nil, _ body: JSON? = nil, headers: HTTPHeaders = [:],
        expecting status: Int? = nil, at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        var headers = headers
        if let token { headers.set("X-Auth-Token", token) }
        let answer = try await router.call(method, "/identity" + path, body, headers: headers)
        if let status {
            #expect(answer.status == status, "\(method) \(path): \(answer.body.text())", sourceLocation: location)
        }
        return answer
    }

    // MARK: Shortcuts

    func login(
        _ user: String, _ password: String, scope: JSON? = nil, domain: String = "default", expecting status: Int = 201,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        var auth: [String: JSON] = [
            "identity": [
                "methods": ["password"],
                "password": [
                    "user": ["name": .string(user), "domain": ["id": .string(domain)], "password": .string(password)]
                ],
            ]
        ]
        if let scope { auth["scope"] = scope }
        return try await call(
            .post, "/v3/auth/tokens", nil, ["auth": .object(auth)], expecting: status, at: location)
    }

    func token(_ user: String, _ password: String, scope: JSON? = nil, domain: String = "default") async throws
        -> String
    {
        try #require(try await login(user, password, scope: scope, domain: domain).headers["X-Subject-Token"])
    }

    /// Makes something and returns its id.
    func make(_ collection: String, _ key: String, _ fields: JSON, as token: String? = nil) async throws -> String {
        let answer = try await call(.post, "/v3/\(collection)", token ?? admin, .object([key: fields]), expecting: 201)
        return try #require(answer[key, "id"]?.string)
    }

    func makeUser(_ name: String, domain: String = "default") async throws -> String {
        try await make(
            "users", "user",
            ["name": .string(name), "password": .string("pw-" + name), "domain_id": .string(domain)])
    }

    func makeProject(_ name: String, domain: String = "default", parent: String? = nil) async throws -> String {
        var fields: [String: JSON] = ["name": .string(name), "domain_id": .string(domain)]
        fields["parent_id"] = parent.map { .string($0) }
        return try await make("projects", "project", .object(fields))
    }

    func roleID(_ name: String) async throws -> String {
        try #require(try await call(.get, "/v3/roles?name=\(name)", admin)["roles", "0", "id"]?.string)
    }

    /// `target` as in `projects/ID`, `domains/ID`, `system`; `actor` as in `users/ID`.
    func grant(_ role: String, _ actor: String, on target: String) async throws {
        let id = try await roleID(role)
        try await call(.put, "/v3/\(target)/\(actor)/roles/\(id)", admin, expecting: 204)
    }

    /// A new user with `role` on `target`, and a token for it.
    func persona(_ name: String, role: String, on target: String, domain: String = "default") async throws -> String {
        let user = try await makeUser(name, domain: domain)
        try await grant(role, "users/\(user)", on: target)
        let parts = target.split(separator: "/").map(String.init)
        let scope: JSON =
            switch parts[0] {
            case "projects": ["project": ["id": .string(parts[1])]]
            case "domains": ["domain": ["id": .string(parts[1])]]
            default: ["system": ["all": true]]
            }
        return try await token(name, "pw-" + name, scope: scope, domain: domain)
    }

    func isValid(_ token: String) async -> Bool {
        do {
            _ = try await engine.authenticate(token: token)
            return true
        } catch { return false }
    }
}

extension JSON {
    /// The values of `key` in a list of objects, in order of text.
    func strings(_ key: String) -> [String] { (array ?? []).compactMap { $0[key]?.string }.sorted() }
}
