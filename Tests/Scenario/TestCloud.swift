// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageAgent
import BlockStorageContract
import BlockStorageCore
import ComputeAgent
import ComputeContract
import ComputeCore
import DatabaseSQLite
import Glibc
import HTTPKit
import IdentityCore
import LifecycleKit
import NetworkContract
import NetworkCore
import ObjectStorageContract
import SecurityKit
import Synchronization
import TestKit
import Testing

@testable import haneul

/// A whole cloud in this process, wired as the program wires it, on a database in memory, a hypervisor, storage and a
/// data plane that are fakes, and a directory of its own. Calls go through the router; there is no socket.
struct TestCloud: Sendable {
    static let origin = "http://cloud.test:8088"
    static let hostName = "fake"
    /// Storage, and storage beside it that nothing is made on unless it is asked for.
    static let backend = "fake@fake"
    static let spareBackend = "fake@spare"
    private static let adminPassword = "first secret"

    let cloud: Cloud
    let database: SQLiteDatabase
    let hypervisor: FakeHypervisor
    let network: FakeNetworkDriver
    let storage: FakeVolumeDriver
    let handler: any HTTPHandler
    let imageDirectory: String

    /// Of `admin` on the project `admin`.
    private(set) var admin = ""
    /// Of `admin` on the system.
    private(set) var system = ""
    /// Of another service of the cloud, such as Compute.
    private(set) var service = ""
    /// Two tenants that know nothing of each other.
    private(set) var a = Tenant()
    private(set) var b = Tenant()
    private(set) var expired = ""
    private(set) var external = ""

    struct Tenant: Sendable {
        var project = ""
        var name = ""
        /// Tokens.
        var member = ""
        var reader = ""
        /// Unscoped, of a user without any role.
        var roleless = ""
        /// Of a service's account.
        var service = ""
        /// User ids.
        var memberID = ""
        var readerID = ""
        var rolelessID = ""
    }

    /// What stays when the process goes: files, and what the hosts carry.
    struct Ground: Sendable {
        let directory: String
        /// Nil: in memory.
        var database: String?
        let network = FakeNetworkDriver()
        let hypervisor = FakeHypervisor(
            hostname: TestCloud.hostName, vcpus: 1024, memoryMiB: 4 << 20, diskGiB: 1 << 20)
        let storage = FakeVolumeDriver(pool: TestCloud.backend + "#fake")
        let spareStorage = FakeVolumeDriver(pool: TestCloud.spareBackend + "#fake", totalGiB: 100, folder: "/spare")
        let objects = FakeStorageDevice()
        /// What credentials hold stays readable.
        let credentialKey = FernetKey()
        /// The bytes of encrypted volumes stay readable.
        let volumeKey = FernetKey()
        /// What an operator lets whom do.
        var policies = OperatorPolicies()
    }

    /// Starts a cloud, gives it to `body`, and stops it.
    static func run(
        limit: Duration = .seconds(900), _ body: @escaping @Sendable (TestCloud) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try await run(on: Ground(directory: directory), limit: limit, body)
        }
    }

    /// The same on ground that may carry a cloud already. Whatever runs when `body` ends is cut off.
    static func run(
        on ground: Ground, limit: Duration = .seconds(900),
        _ body: @escaping @Sendable (TestCloud) async throws -> Void
    ) async throws {
        let made = try await TestCloud(ground)
        let agent = ComputeAgent(host: hostName, bus: made.cloud.bus, driver: made.hypervisor)
        let volumeAgent = VolumeAgent(
            bus: made.cloud.bus,
            backends: [
                .init(address: backend, driver: ground.storage),
                .init(address: spareBackend, driver: ground.spareStorage),
            ])
        try await withServices(made.cloud.services + [agent, volumeAgent], limit: limit) {
            try await eventually("A compute host") {
                try await made.cloud.hosts.hosts().contains { made.cloud.hosts.isUp($0) }
            }
            try await eventually("Storage") {
                try await VolumeBackendEngine(made.cloud.volumes).backends().count == 2
            }
            var ready = made
            try await ready.openAccounts()
            try await body(ready)
        }
        await made.database.close()
    }

    private init(_ ground: Ground) async throws {
        imageDirectory = ground.directory + "/images"
        database = try ground.database.map { try SQLiteDatabase(path: $0) } ?? SQLiteDatabase.inMemory()
        network = ground.network
        hypervisor = ground.hypervisor
        storage = ground.storage
        var foundation = Cloud.Foundation(
            database: UndoingDatabase(database), credentialKeys: [ground.credentialKey], network: network,
            objectDevices: .inMemory(ground.objects), imageDirectory: imageDirectory, origin: Self.origin)
        foundation.identity.passwordCost = 4
        foundation.imageFetcher = SampleImages()
        foundation.blockStorage.stateDirectory = ground.directory
        foundation.volumeKeys = [ground.volumeKey]
        foundation.policies = ground.policies
        cloud = try await Cloud(foundation)
        handler = cloud.handler()
        let owner = try await IdentityBootstrap(cloud.identity).run(adminPassword: Secret(Self.adminPassword))
        try await FlavorEngine(cloud.compute).bootstrap()
        try await VolumeTypeEngine(cloud.volumes).bootstrap()
        try await GroupTypeEngine(cloud.volumes).bootstrap()
        external = try await NetworkBootstrap(cloud.network).ensureExternal(owner: owner).rawValue
    }

    // MARK: Accounts

    private mutating func openAccounts() async throws {
        admin = try await login("admin", Self.adminPassword, project: "admin")
        system = try await login("admin", Self.adminPassword, scope: ["system": ["all": true]])
        let services = try await ensure("project", "service", [:])
        _ = try await user("nova", role: "service", on: services)
        service = try await login("nova", "pw", project: "service")
        a = try await tenant("alpha")
        b = try await tenant("beta")
        expired = try await pastToken("alpha-member", project: "alpha")
    }

    private func tenant(_ name: String) async throws -> Tenant {
        var tenant = Tenant()
        tenant.name = name
        tenant.project = try await ensure("project", name, [:])
        tenant.memberID = try await user("\(name)-member", role: "member", on: tenant.project)
        tenant.readerID = try await user("\(name)-reader", role: "reader", on: tenant.project)
        tenant.rolelessID = try await user("\(name)-roleless", role: nil, on: tenant.project)
        tenant.member = try await login("\(name)-member", "pw", project: name)
        tenant.reader = try await login("\(name)-reader", "pw", project: name)
        tenant.roleless = try await login("\(name)-roleless", "pw", scope: nil)
        _ = try await user("\(name)-service", role: "service", on: tenant.project)
        tenant.service = try await login("\(name)-service", "pw", project: name)
        return tenant
    }

    /// By its name, in the default domain; made when it is not there.
    private func ensure(_ key: String, _ name: String, _ fields: [String: JSON]) async throws -> String {
        let path = "/identity/v3/\(key)s"
        let found = try await call(.get, "\(path)?name=\(name)&domain_id=default", admin, expecting: 200)
        if let id = found["\(key)s", "0", "id"]?.string { return id }
        let own: [String: JSON] = ["name": .string(name), "domain_id": "default"]
        return try await make(path, key, .object(own.merging(fields) { $1 }), admin)
    }

    func user(_ name: String, role: String?, on project: String) async throws -> String {
        let id = try await ensure("user", name, ["password": "pw"])
        guard let role else { return id }
        try await call(
            .put, "/identity/v3/projects/\(project)/users/\(id)/roles/\(try await self.role(named: role))", admin,
            expecting: 204)
        return id
    }

    func role(named name: String) async throws -> String {
        let roles = try await call(.get, "/identity/v3/roles?name=\(name)", admin, expecting: 200)
        return try #require(roles["roles", "0", "id"]?.string)
    }

    func login(_ user: String, _ password: String, project: String) async throws -> String {
        try await login(
            user, password, scope: ["project": ["name": .string(project), "domain": ["id": "default"]]])
    }

    func login(_ user: String, _ password: String, scope: JSON?) async throws -> String {
        let answer = try await call(
            .post, "/identity/v3/auth/tokens", nil, Self.passwordRequest(user, password, scope: scope), expecting: 201)
        return try #require(answer.headers["X-Subject-Token"])
    }

    static func passwordRequest(_ user: String, _ password: String, scope: JSON?) -> JSON {
        var auth: [String: JSON] = [
            "identity": [
                "methods": ["password"],
                "password": [
                    "user": ["name": .string(user), "domain": ["id": "default"], "password": .string(password)]
                ],
            ]
        ]
        auth["scope"] = scope
        return ["auth": .object(auth)]
    }

    /// A token of the same keys that was issued two hours ago, when tokens lived for one.
    private func pastToken(_ user: String, project: String) async throws -> String {
        let past = WallClock { WallClock.system.now() + .seconds(-7200) }
        var config = IdentityConfig()
        config.passwordCost = 4
        let engine = IdentityEngine(
            database: database, credentialKeys: [FernetKey()], config: config, clock: past, ids: .random)
        let request = AuthRequest(
            methods: [.password(.name(user, .id(.default)), Secret("pw"))],
            scope: .project(.name(project, .id(.default))))
        return try await engine.tokens.issue(request).token
    }

    // MARK: Calls

    struct Answer: Sendable, CustomStringConvertible {
        let status: Int
        let headers: HTTPHeaders
        let bytes: [UInt8]
        /// Nil when the body is none.
        let json: JSON?

        var text: String { String(decoding: bytes, as: UTF8.self) }
        var description: String { "\(status) \(text.prefix(400))" }

        subscript(path: String...) -> JSON? {
            path.reduce(json) { json, key in
                if let index = Int(key), let elements = json?.array {
                    return elements.indices.contains(index) ? elements[index] : nil
                }
                return json?[key]
            }
        }
    }

    /// One request through the router. `path` may carry a query.
    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, _ token: String?, _ body: JSON? = nil, headers: HTTPHeaders = [:],
        expecting status: Int? = nil, at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        var headers = headers
        if body != nil, headers["Content-Type"] == nil { headers.set("Content-Type", "application/json") }
        return try await send(
            method, path, token, body.map { Array($0.text().utf8) } ?? [], headers: headers, expecting: status,
            at: location)
    }

    @discardableResult
    func send(
        _ method: HTTPMethod, _ path: String, _ token: String?, _ body: [UInt8], headers: HTTPHeaders = [:],
        expecting status: Int? = nil, at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        let parts = path.split(separator: "?", maxSplits: 1).map(String.init)
        var headers = headers
        if let token { headers.set("X-Auth-Token", token) }
        let response = await handler.handle(
            HTTPRequest(
                method: method, path: parts.first ?? "/",
                query: parts.count > 1 ? try #require(Percent.query(parts[1])) : [], headers: headers,
                body: PieceSource(body)))
        let bytes = try await Self.bytes(of: response.body)
        let answer = Answer(
            status: response.status, headers: response.headers, bytes: bytes,
            json: bytes.isEmpty ? nil : try? JSONReader.read(bytes))  // a body that is no JSON is nil
        if let status {
            #expect(answer.status == status, "\(method.rawValue) \(path): \(answer)", sourceLocation: location)
        }
        return answer
    }

    /// Makes one thing and returns its id.
    func make(
        _ path: String, _ key: String, _ fields: JSON, _ token: String, headers: HTTPHeaders = [:],
        at location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let answer = try await call(
            .post, path, token, key.isEmpty ? fields : .object([key: fields]), headers: headers, at: location)
        #expect((200..<300).contains(answer.status), "POST \(path): \(answer)", sourceLocation: location)
        let id = key.isEmpty ? answer["id"] : answer[key, "id"]
        return try #require(id?.string ?? id?.int.map { "\($0)" }, "\(path): \(answer)", sourceLocation: location)
    }

    private static func bytes(of body: HTTPResponse.Body) async throws -> [UInt8] {
        switch body {
        case .empty, .webSocket: return []
        case .bytes(let bytes): return bytes
        case .stream(let source, _): return try await source.collect(limit: 64 << 20)
        case .file(let descriptor, let offset, let length):
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: Int(length))
            let count = pread(descriptor, &bytes, bytes.count, off_t(offset))
            return Array(bytes.prefix(max(0, count)))
        }
    }
}

/// A body in pieces of a size as sockets give them.
final class PieceSource: ByteSource {
    private static let pieceSize = 64 << 10
    private let rest: Mutex<ArraySlice<UInt8>>

    init(_ bytes: [UInt8]) { rest = Mutex(bytes[...]) }

    func next() async throws -> [UInt8]? {
        rest.withLock { rest in
            guard !rest.isEmpty else { return nil }
            let piece = Array(rest.prefix(Self.pieceSize))
            rest = rest.dropFirst(Self.pieceSize)
            return piece
        }
    }
}

extension ObjectStore.Devices {
    static func inMemory(_ device: FakeStorageDevice = FakeStorageDevice()) -> ObjectStore.Devices {
        // What is added is another disk, and empty.
        ObjectStore.Devices(host: TestCloud.hostName, directories: ["/objects"]) {
            $0.path == "/objects" ? device : FakeStorageDevice()
        }
    }
}
