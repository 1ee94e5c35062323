// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityContract
import ObjectStorageAPI
import ObjectStorageContract
import ObjectStorageCore
import TestKit
import Testing

/// The object storage API over devices in memory, with a few users who are known by their tokens.
struct SwiftWorld: Sendable {
    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let bytes: [UInt8]
        var text: String { String(decoding: bytes, as: UTF8.self) }
        var json: JSON { (try? JSONReader.read(bytes)) ?? .null }  // a test that expects JSON sees null instead
    }

    /// A token is `user:project:role`.
    struct Users: IdentityService {
        func authenticate(token: String) async throws -> Principal {
            let parts = token.split(separator: ":").map(String.init)
            guard parts.count == 3 else { throw CloudError(.unauthorized, "") }
            let domain = Principal.Named(id: "default", name: "Default")
            return Principal(
                userID: UserID(parts[0] + "-id"), userName: parts[0], userDomain: domain,
                scope: .project(ProjectID(parts[1]), name: parts[1] + "-name", domain: domain),
                roles: [Principal.Named(id: parts[2], name: parts[2])])
        }
        func projectExists(_ id: ProjectID) async throws -> Bool { true }
        func ec2Secret(accessKey: String) async throws -> EC2Secret? { nil }
    }

    static let owner = "ann:test:member"
    static let guest = "bob:other:member"
    static let reseller = "root:admin:ResellerAdmin"

    let storage: StorageWorld
    let handler: SwiftHandler

    init() throws {
        storage = try StorageWorld()
        let cluster = storage.cluster
        handler = SwiftAPI.handler(
            cluster: cluster, identity: Users(), settings: SwiftSettings { cluster.policies },
            origin: "http://cloud.test", ids: .random, clock: storage.clock.clock)
    }

    /// `target` is what follows `/v1/AUTH_test`, with its query, as a client would write it; or a whole path.
    @discardableResult
    func call(
        _ method: HTTPMethod, _ target: String, _ body: String? = nil, headers extra: HTTPHeaders = [:],
        as token: String? = SwiftWorld.owner, expecting status: Int? = nil,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        try await call(
            method, target, bytes: body.map { Array($0.utf8) }, headers: extra, as: token, expecting: status,
            at: location)
    }

    @discardableResult
    func call(
        _ method: HTTPMethod, _ target: String, bytes: [UInt8]?, headers extra: HTTPHeaders = [:],
        as token: String? = SwiftWorld.owner, expecting status: Int? = nil,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let isWhole = ["/v1/", "/info", "/healthcheck", "/object-store", "/auth"].contains { target.hasPrefix($0) }
        var headers = extra
        if let token { headers.set("X-Auth-Token", token) }
        if method == .put || method == .post, headers["Transfer-Encoding"] == nil, headers["Content-Length"] == nil {
            headers.set("Content-Length", String(bytes?.count ?? 0))
        }
        let request = HTTPRequest(
            method: method, path: isWhole ? parts[0] : "/v1/AUTH_test" + parts[0],
            query: parts.count > 1 ? Percent.query(parts[1]) : [], headers: headers,
            body: BytesSource(bytes ?? []))
        let response = await handler.handle(request)
        var content: [UInt8] = []
        switch response.body {
        case .bytes(let bytes): content = bytes
        case .stream(let source, _): content = try await source.collect(limit: 1 << 24)
        default: break
        }
        let answer = Answer(status: response.status, headers: response.headers, bytes: content)
        if let status {
            #expect(answer.status == status, "\(method) \(target): \(answer.text)", sourceLocation: location)
        }
        return answer
    }
}
