// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import Synchronization

/// The other APIs of this cloud, for what Compute once offered in their stead. A call carries the caller's own token,
/// so policies, quotas and the access rules of a delegation hold as if the caller had gone there itself.
struct Neighbours: Sendable {
    private static let maximumAnswerBytes = 64 << 20
    let apis: any HTTPHandler

    /// The body of a success; null when there is none. A failure is thrown in Compute's terms.
    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = [], _ body: JSON? = nil,
        contentType: String = "application/json", for request: APIRequest
    ) async throws -> JSON {
        var headers: HTTPHeaders = ["Accept": "application/json"]
        if let token = request.http.headers["X-Auth-Token"] { headers.set("X-Auth-Token", token) }
        var source: any ByteSource = EmptySource()
        if let body {
            let bytes = Array(body.text().utf8)
            headers.set("Content-Type", contentType)
            headers.set("Content-Length", String(bytes.count))
            source = Piece(bytes)
        }
        let response = await apis.handle(
            HTTPRequest(
                method: method, path: path, query: query, headers: headers, body: source,
                remoteAddress: request.http.remoteAddress))
        let answer = try await Self.json(response)
        guard response.status < 400 else { throw Self.failure(response.status, answer, "\(method.rawValue) \(path)") }
        return answer
    }

    /// Nil when the neighbour says that there is no such thing, or that this caller may not see it.
    func find(_ path: String, for request: APIRequest) async throws -> JSON? {
        do {
            return try await call(.get, path, for: request)
        } catch let error as CloudError where error.code == .notFound {
            return nil
        }
    }

    /// `id` as a segment of a path.
    static func segment(_ id: String) -> String { Percent.encode(id) }

    // MARK: Answers

    private static func json(_ response: HTTPResponse) async throws -> JSON {
        let bytes: [UInt8]
        switch response.body {
        case .empty: return .null
        case .bytes(let all): bytes = all
        case .stream(let source, _): bytes = try await source.collect(limit: maximumAnswerBytes)
        case .file, .webSocket:
            throw CloudError(.bug, "The request could not be answered.", cause: "a neighbour answered with no text")
        }
        if bytes.isEmpty { return .null }
        do {
            return try JSONReader.read(bytes)
        } catch {
            // Image answers some failures with a page.
            guard response.status >= 400 else { throw error }
            return .null
        }
    }

    private static func failure(_ status: Int, _ body: JSON, _ call: String) -> CloudError {
        let fault = body.object?.values.first { $0["message"] != nil }
        let message = fault?["message"]?.string ?? body["message"]?.string
        let kind = fault?["type"]?.string
        switch status {
        case 400: return .badRequest(message ?? "The request is malformed.", kind: kind)
        // The token is good: Compute has taken it. It is its access rules that the neighbour does not find enough.
        case 401, 403: return .forbidden(message ?? "Policy doesn't allow this to be performed.", kind: kind)
        case 404: return .notFound(message ?? "The resource could not be found.", kind: kind)
        case 409: return .conflict(message ?? "The resource is in use.", kind: kind)
        case 413: return CloudError(.overQuota, message ?? "Quota exceeded.", kind: kind)
        default:
            return CloudError(
                .unavailable, "Another service of this cloud did not answer. Please retry later.", kind: kind,
                cause: "\(call): \(status) \(message ?? "")")
        }
    }
}

/// A body that is there already.
private final class Piece: ByteSource {
    private let bytes: Mutex<[UInt8]?>

    init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes.isEmpty ? nil : bytes) }

    func next() async throws -> [UInt8]? { bytes.withLock { $0.take() } }
}

extension JSON {
    /// Null for nothing, as a neighbour's field is shown.
    subscript(shown key: String) -> JSON { self[key] ?? .null }
}
