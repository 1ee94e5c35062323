// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import Synchronization

/// An answer of a router, with its body read as JSON.
package struct TestAnswer: Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    package let body: JSON

    /// `answer["servers", "0", "id"]`.
    package subscript(path: String...) -> JSON? {
        path.reduce(Optional(body)) { json, key in
            if let index = Int(key), let elements = json?.array {
                return elements.indices.contains(index) ? elements[index] : nil
            }
            return json?[key]
        }
    }
}

extension APIRouter {
    /// Asks as a client does, without a network between. `target` is a path with its query.
    package func call(
        _ method: HTTPMethod, _ target: String, _ body: JSON? = nil, headers: HTTPHeaders = [:]
    ) async throws -> TestAnswer {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        guard let query = parts.count > 1 ? Percent.query(parts[1]) : [] else {
            throw CloudError.badRequest("'\(target)' has no proper query.")
        }
        let source: any ByteSource = body.map { OnePiece(Array($0.text().utf8)) } ?? EmptySource()
        let response = await handle(
            HTTPRequest(method: method, path: parts[0], query: query, headers: headers, body: source))
        var json = JSON.null
        if case .bytes(let bytes) = response.body, !bytes.isEmpty { json = try JSONReader.read(bytes) }
        return TestAnswer(status: response.status, headers: response.headers, body: json)
    }
}

/// A body that comes at once.
package final class OnePiece: ByteSource {
    private let bytes: Mutex<[UInt8]?>
    package init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes.isEmpty ? nil : bytes) }
    package func next() async throws -> [UInt8]? { bytes.withLock { $0.take() } }
}
