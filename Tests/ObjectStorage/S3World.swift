// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityContract
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit
import Synchronization
import TestKit
import Testing

@testable import ObjectStorageAPI

/// The S3 API over devices in memory, and somebody who signs.
struct S3World: Sendable {
    static let host = "cloud.test"
    static let accessKey = "KEY"
    static let secret = Secret("SECRET")
    static let projectID = "p1"

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let bytes: [UInt8]
        let document: XMLElement?
        var text: String { String(decoding: bytes, as: UTF8.self) }
        /// Of an error.
        var code: String? { document?.value("Code") }
    }

    struct Holder: IdentityService {
        var roles = ["member"]
        func authenticate(token: String) async throws -> Principal { throw CloudError(.unauthorized, "") }
        func projectExists(_ id: ProjectID) async throws -> Bool { true }
        func ec2Secret(accessKey: String) async throws -> EC2Secret? {
            guard accessKey == S3World.accessKey else { return nil }
            let domain = Principal.Named(id: "default", name: "Default")
            let principal = Principal(
                userID: UserID("u1"), userName: "user", userDomain: domain,
                scope: .project(ProjectID(S3World.projectID), name: "project", domain: domain),
                roles: roles.map { Principal.Named(id: $0, name: $0) })
            return EC2Secret(secret: S3World.secret, principal: principal)
        }
    }

    let storage: StorageWorld
    let handler: S3Handler

    init(roles: [String] = ["member"], config change: (inout S3Config) -> Void = { _ in }) throws {
        storage = try StorageWorld()
        let cluster = storage.cluster
        let gate = AccessGate(cluster: cluster)
        let settings = SwiftSettings { cluster.policies }
        var config = S3Config()
        config.minimumPartBytes = 4
        change(&config)
        handler = S3Handler(
            layers: [
                S3ListingTagLayer(), StaticLargeObjects(), ObjectVersioning(gate: gate), SymlinkLayer(),
                StorageRoutes(gate: gate, settings: settings, clock: storage.clock.clock),
            ], identity: Holder(roles: roles), config: config, origin: "http://\(Self.host)", ids: .random,
            clock: storage.clock.clock)
    }

    /// A body before whose first byte something else happens.
    private final class LateBody: ByteSource {
        private let source: BytesSource
        private let hook: Mutex<(@Sendable () async throws -> Void)?>

        init(_ source: BytesSource, _ hook: (@Sendable () async throws -> Void)?) {
            self.source = source
            self.hook = Mutex(hook)
        }

        func next() async throws -> [UInt8]? {
            let hook = hook.withLock { hook in
                defer { hook = nil }
                return hook
            }
            try await hook?()
            return try await source.next()
        }
    }

    /// `target` is a path with its query, as a client would write it. `hook` runs when the body is first asked for.
    func call(
        _ method: HTTPMethod, _ target: String, _ body: String? = nil, headers extra: HTTPHeaders = [:],
        before hook: (@Sendable () async throws -> Void)? = nil, expecting status: Int? = nil,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let bytes = Array((body ?? "").utf8)
        var headers = extra
        headers.set("Host", Self.host)
        headers.set("X-Amz-Date", SignatureV4.text(storage.clock.clock.now()))
        if headers["x-amz-content-sha256"] == nil {
            headers.set("x-amz-content-sha256", Hex.encode(Digest.of(bytes, .sha256)))
        }
        if method == .put || method == .post { headers.set("Content-Length", String(bytes.count)) }
        var request = HTTPRequest(
            method: method, path: parts[0], query: parts.count > 1 ? Percent.query(parts[1]) ?? [] : [],
            headers: headers, body: LateBody(BytesSource(bytes), hook))
        try Self.sign(&request)
        let response = await handler.handle(request)
        var content: [UInt8] = []
        switch response.body {
        case .bytes(let bytes): content = bytes
        case .stream(let source, _): content = try await source.collect(limit: 1 << 24)
        default: break
        }
        let document = try? XMLReader.read(content)  // An object's own bytes are no document.
        let answer = Answer(status: response.status, headers: response.headers, bytes: content, document: document)
        if let status {
            #expect(answer.status == status, "\(method) \(target): \(answer.text)", sourceLocation: location)
        }
        return answer
    }

    static func sign(_ request: inout HTTPRequest) throws {
        let date = try #require(request.headers["X-Amz-Date"])
        let names = request.headers.fields.map { $0.name.lowercased() }.filter {
            $0 == "host" || $0.hasPrefix("x-amz-")
        }
        .sorted()
        let scope = S3Authorization.Scope(date: String(date.prefix(8)), region: "us-east-1", service: "s3")
        func header(_ signature: String) -> String {
            "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope.text), SignedHeaders=\(names.joined(separator: ";")), "
                + "Signature=\(signature)"
        }
        request.headers.set("Authorization", header("0"))
        let authorization = try #require(try S3Authorization(request))
        let signature = S3Signature(request, authorization)
        let key = SignatureV4.key(secret: secret, date: scope.date, region: scope.region, service: scope.service)
        request.headers.set(
            "Authorization",
            header(SignatureV4.sign(signature.stringToSign4(scope, try signature.canonicalRequest(names)), key: key)))
    }
}
