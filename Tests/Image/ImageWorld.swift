// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import DatabaseSQLite
import HTTPKit
import ImageAPI
import ImageContract
import ImageCore
import PolicyKit
import Synchronization
import TaskKit
import TestKit

/// The image service on a database in memory and a directory of its own, called through the router.
struct ImageWorld: Sendable {
    let database: SQLiteDatabase
    let engine: ImageEngine
    let directory: String
    let clock = TestClock()
    let registry = SagaRegistry()
    let enforcer: PolicyEnforcer
    private let sagas: SagaRunner
    private let router: APIRouter

    init(
        directory: String, fetcher: (any ImageFetcher)? = nil, quotas: (any ImageQuotaSource)? = nil,
        config change: (inout ImageConfig) -> Void = { _ in }
    ) async throws {
        self.directory = directory
        database = try await TestDatabase.make(SagaMigrations.all, ImageMigrations.all)
        var config = ImageConfig(directory: directory)
        change(&config)
        engine = ImageEngine(
            config: config, database: database, files: FileImageStore(directory: directory), fetcher: fetcher,
            quotas: quotas, clock: clock.clock, ids: .random)
        try await engine.prepare()
        ImageSagas.register(on: registry, engine)
        sagas = SagaRunner(
            database: database, registry: registry, holder: "test", clock: clock.clock, limits: .test)
        let api = try ImageAPI(engine: engine, sagas: sagas)
        enforcer = api.enforcer
        router = APIRouter(
            services: [api], origin: "http://cloud", ids: .random, clock: clock.clock,
            authenticate: { try Self.principal($0) })
    }

    var reconciler: ImageDataReconciler { ImageDataReconciler(engine, sagas: sagas) }

    /// Runs what was begun to its end.
    func finishImports() async throws {
        try await withServices([sagas]) { await sagas.idle() }
    }

    /// For calls of engines, without the API.
    func context(_ token: String = "member@one") throws -> CallContext {
        CallContext(
            principal: try Self.principal(token), requestID: "req-test", policy: "modify_image", enforcer: enforcer)
    }

    /// A token is `role@project`.
    static func principal(_ token: String) throws -> Principal {
        let parts = token.split(separator: "@").map(String.init)
        let implied = [
            "admin": ["admin", "member", "reader"], "service": ["service", "member", "reader"], "member": ["member", "reader"], "reader": ["reader"], "none": [],
        ]
        guard parts.count == 2, let roles = implied[parts[0]] else { throw APIRouter.unauthenticated }
        return .test(parts[0], roles: roles, project: ProjectID(parts[1]))
    }

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var json: JSON
        var bytes: [UInt8]
        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    func call(
        _ method: HTTPMethod, _ target: String, as token: String = "member@one", _ body: JSON? = nil,
        bytes: (any ByteSource)? = nil, headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        var headers = headers
        headers.set("X-Auth-Token", token)
        if body != nil, headers["Content-Type"] == nil { headers.set("Content-Type", "application/json") }
        if bytes != nil, headers["Content-Type"] == nil { headers.set("Content-Type", "application/octet-stream") }
        let source: any ByteSource = bytes ?? body.map { Pieces([Array($0.text().utf8)]) } ?? EmptySource()
        let response = await router.handle(
            HTTPRequest(
                method: method, path: "/image" + parts[0], query: parts.count > 1 ? Percent.query(parts[1]) : [],
                headers: headers, body: source))
        let content = try Self.content(response.body)
        let json = [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(content.first) ? try JSONReader.read(content) : .null
        return Answer(status: response.status, headers: response.headers, json: json, bytes: content)
    }

    private static func content(_ body: HTTPResponse.Body) throws -> [UInt8] {
        switch body {
        case .bytes(let bytes): return bytes
        case .file(let descriptor, let offset, let length): return try read(descriptor, offset, length)
        case .empty, .stream, .webSocket: return []
        }
    }

    /// Creates an image; gives its id.
    func create(_ fields: [String: JSON] = [:], as token: String = "member@one") async throws -> String {
        let defaults: [String: JSON] = ["name": "image", "disk_format": "raw", "container_format": "bare"]
        let answer = try await call(.post, "/v2/images", as: token, .object(defaults.merging(fields) { $1 }))
        guard answer.status == 201, let id = answer.json["id"]?.string else {
            throw CloudError(.bug, "create answered \(answer.status): \(answer.text)")
        }
        return id
    }

    func status(_ id: String) async throws -> String? {
        try await call(.get, "/v2/images/\(id)", as: "admin@root").json["status"]?.string
    }
}

/// Other servers, by their URLs.
struct FakeServers: ImageFetcher {
    enum Answer: Sendable {
        case image([UInt8])
        case redirect(String)
        case status(Int)
        case closed
        /// Ends before all has come.
        case broken([UInt8])
    }

    let answers: [String: Answer]

    func fetch(_ url: String) async throws -> ImageFetch {
        guard let answer = answers[url] else {
            throw CloudError(.unavailable, "The other server is not available.", cause: url)
        }
        func fetch(_ status: Int, _ source: Pieces = Pieces([]), location: String? = nil) -> ImageFetch {
            ImageFetch(status: status, location: location, sizeBytes: nil, body: { try await source.next() })
        }
        switch answer {
        case .image(let bytes): return fetch(200, Pieces([bytes]))
        case .redirect(let location): return fetch(302, location: location)
        case .status(let status): return fetch(status)
        case .closed: throw CloudError.forbidden("The address may not be connected to.")
        case .broken(let bytes): return fetch(200, Pieces([bytes], isBroken: true))
        }
    }
}

/// A body in pieces. After them it ends, or breaks when `isBroken`.
final class Pieces: ByteSource {
    private let rest: Mutex<[[UInt8]]>
    private let isBroken: Bool

    init(_ pieces: [[UInt8]], isBroken: Bool = false) {
        rest = Mutex(pieces.filter { !$0.isEmpty })
        self.isBroken = isBroken
    }

    func next() async throws -> [UInt8]? {
        let piece = rest.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if piece == nil, isBroken { throw CancellationError() }
        return piece
    }
}
