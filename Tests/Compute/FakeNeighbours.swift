// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityContract
import Synchronization
import TestKit

/// Every project is one but those whose names begin with `missing`.
struct FakeProjects: IdentityService {
    func authenticate(token: String) async throws -> Principal { try TestCallers.authenticate(token) }
    func projectExists(_ id: ProjectID) async throws -> Bool { !id.rawValue.hasPrefix("missing") }
    func ec2Secret(accessKey: String) async throws -> EC2Secret? { nil }
}

/// The other APIs of the cloud: what they were asked, and what a test lets them answer.
final class FakeNeighbours: HTTPHandler {
    struct Call: Sendable, Equatable {
        var method: HTTPMethod
        var path: String
        var query: [String: String]
        var token: String?
        var contentType: String?
        var body: JSON
    }

    private struct State {
        var calls: [Call] = []
        var answers: [String: (status: Int, body: JSON)] = [:]
    }
    private let state = Mutex(State())

    var calls: [Call] { state.withLock { $0.calls } }

    /// To `GET /image/v2/images`, until told otherwise. What no test has spoken of is 404.
    func answer(_ request: String, _ status: Int = 200, _ body: JSON) {
        state.withLock { $0.answers[request] = (status, body) }
    }

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        // A test's body is small; one that cannot be read is empty.
        let bytes = (try? await request.body.collect(limit: 1 << 20)) ?? []  // as said
        let body = (try? JSONReader.read(bytes)) ?? .null  // as said
        let call = Call(
            method: request.method, path: request.path,
            query: Dictionary(request.query.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first }),
            token: request.headers["X-Auth-Token"], contentType: request.headers["Content-Type"], body: body)
        let answer = state.withLock { state in
            state.calls.append(call)
            return state.answers["\(request.method.rawValue) \(request.path)"]
        }
        guard let answer else {
            return .json(404, Array(#"{"NeutronError":{"type":"NotFound","message":"none","detail":""}}"#.utf8))
        }
        if answer.body.isNull { return HTTPResponse(status: answer.status) }
        return .json(answer.status, Array(answer.body.text().utf8))
    }
}
