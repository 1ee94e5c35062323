// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import HTTPKit
import ObjectStorageContract
import SecurityKit

/// How requests to the other host are made, and its answers are trusted.
extension RemoteDevice {
    func call<Call: StorageCall>(_ call: Call, within limit: Duration = Self.answerTime) async throws -> Call.Answer {
        let path = StorageWire.path(path, Call.name)
        let answer = try await exchange(path, JSONValueEncoder.bytes(call), within: limit)
        do {
            return try JSONValueDecoder.decode(Call.Answer.self, from: answer)
        } catch {
            throw away("its answer to \(Call.name) is not understood: \(error)")
        }
    }

    /// Sends JSON, and gives the body of an answer that is none of a failure.
    func exchange(_ path: String, _ body: [UInt8], within limit: Duration) async throws -> [UInt8] {
        var (request, signature) = signed(.post, path, content: body)
        request.body = .bytes(body)
        request.headers.set("Content-Type", "application/json")
        request.idleTime = limit
        let response = try await reach { [request] in try await client.send(request) }
        return try await answer(response, signature)
    }

    /// A request of which `content` is proven: its body, or what its `Call` header says.
    func signed(
        _ method: HTTPMethod, _ path: String, content: [UInt8] = [], isInHeader: Bool = false
    ) -> (HTTPClientRequest, RequestSignature) {
        let signature = RequestSignature(
            key, endpoint: endpoint, method: method, path: path, content: content, now: clock.now())
        var request = HTTPClientRequest(method, "http://\(endpoint)\(path)")
        request.headers = ["Authorization": signature.header]
        if isInHeader { request.headers.set(RequestSignature.callHeader, Base64.encode(content, .urlSafe)) }
        request.connectTime = Self.connectTime
        request.idleTime = Self.answerTime
        return (request, signature)
    }

    /// The body of an answer that is none of a failure and is signed; throws the failure that it tells of.
    func answer(_ response: HTTPClientResponse, _ signature: RequestSignature) async throws -> [UInt8] {
        let body = try await reach { try await response.body.collect(limit: StorageWire.answerBytes) }
        try check(response, signature, body)
        return body
    }

    /// Of a response whose body is an object's bytes, which are read later.
    func checkHead(_ response: HTTPClientResponse, _ signature: RequestSignature) async throws {
        guard response.status < 400 else {
            _ = try await answer(response, signature)
            return
        }
        try check(response, signature, [])
    }

    private func check(_ response: HTTPClientResponse, _ signature: RequestSignature, _ body: [UInt8]) throws {
        let expected = signature.answerSignature(key, status: response.status, body)
        let found = response.headers[RequestSignature.answerHeader] ?? ""
        guard isEqualInConstantTime(Array(expected.utf8), Array(found.utf8)) else {
            // Who has another key does not believe what is asked, and what it answers is not believed.
            let text = String(decoding: body.prefix(300), as: UTF8.self)
            throw away("its answer is not signed with the cluster's key: \(response.status) \(text)")
        }
        guard response.status >= 400 else { return }
        let error: CloudError
        do {
            error = try JSONValueDecoder.decode(CloudError.self, from: body)
        } catch {
            throw away("it answered \(response.status) without an error: \(error)")
        }
        let cause = "\(endpoint) \(path)" + (error.cause.map { ": \($0)" } ?? "")
        throw CloudError(error.code, error.message, kind: error.kind, cause: cause)
    }

    /// What goes wrong on the way means that the device is not there.
    func reach<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let error as CloudError {
            throw away(error.cause ?? error.message)
        }
    }

    func away(_ cause: String) -> CloudError {
        CloudError(.unavailable, "The storage device is not available.", cause: "\(endpoint) \(path): \(cause)")
    }
}
