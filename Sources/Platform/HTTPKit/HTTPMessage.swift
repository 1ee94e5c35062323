// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum HTTPMethod: String, Sendable, Hashable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
    case copy = "COPY"
}

/// Header fields in order. Names compare without regard to case. Bytes that are not UTF-8 are kept as `WireText` says.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var fields: [(name: String, value: String)] = []

    package init() {}
    package init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { (name: $0.0, value: $0.1) }
    }

    /// The first value of `name`.
    package subscript(name: String) -> String? {
        fields.first { Self.isSame($0.name, name) }?.value
    }

    /// Replaces every value of `name`.
    package mutating func set(_ name: String, _ value: String) {
        fields.removeAll { Self.isSame($0.name, name) }
        fields.append((name: name, value: value))
    }

    package mutating func add(_ name: String, _ value: String) { fields.append((name: name, value: value)) }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        let (left, right) = (left.utf8, right.utf8)
        return left.count == right.count && zip(left, right).allSatisfy { $0 == $1 || lower($0) == lower($1) }
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// A body that arrives or leaves piece by piece, so that no image is ever whole in memory.
package protocol ByteSource: Sendable {
    /// The next piece, never empty; nil at the end. Throws when the other side went away.
    func next() async throws -> [UInt8]?
}

package struct EmptySource: ByteSource {
    package init() {}
    package func next() async throws -> [UInt8]? { nil }
}

extension ByteSource {
    /// The whole body. Throws `.tooLarge` past `limit` bytes.
    package func collect(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await next() {
            guard bytes.count + piece.count <= limit else {
                throw CloudError(.tooLarge, "The request body is larger than \(limit) bytes.")
            }
            if bytes.isEmpty { bytes = piece } else { bytes.append(contentsOf: piece) }
        }
        return bytes
    }
}

package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// As sent, without the query: `/compute/v2.1/servers`. Slashes and dots stand as they came. Still percent-encoded,
    /// as is now what the client did not encode, so all of it is ASCII. It need not be decodable.
    package var path: String
    /// Decoded, in order; a name may repeat. A name without `=` has an empty value.
    package var query: [(name: String, value: String)]
    /// False: an escape in the query is cut short, or the query is not UTF-8. `query` is empty then.
    package var isQueryReadable: Bool
    package var headers: HTTPHeaders
    package var body: any ByteSource
    /// Of the socket, not of any header.
    package var remoteAddress: String
    /// What the listener was tagged with: the network id on a metadata listener, empty elsewhere.
    package var listenerTag: String

    package init(
        method: HTTPMethod, path: String, query: [(name: String, value: String)]? = [], headers: HTTPHeaders = [:],
        body: any ByteSource = EmptySource(), remoteAddress: String = "127.0.0.1", listenerTag: String = ""
    ) {
        self.method = method
        self.path = path
        self.query = query ?? []
        isQueryReadable = query != nil
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        self.listenerTag = listenerTag
    }

    package func queryValue(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case empty
        case bytes([UInt8])
        /// `length` nil means chunked.
        case stream(any ByteSource, length: Int64?)
        /// Bytes `offset..<offset+length` of an open file; the server closes `descriptor`. Sent by sendfile where it can be.
        case file(descriptor: Int32, offset: Int64, length: Int64)
        /// Answers 101 and hands the connection over. Status is ignored.
        case webSocket(subprotocol: String?, @Sendable (any WebSocketConnection) async -> Void)
    }

    package var status: Int
    package var headers: HTTPHeaders
    package var body: Body

    package init(status: Int, headers: HTTPHeaders = [:], body: Body = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static func json(_ bytes: [UInt8]) -> HTTPResponse { json(200, bytes) }

    package static func json(_ status: Int, headers: HTTPHeaders = [:], _ bytes: [UInt8]) -> HTTPResponse {
        var headers = headers
        headers.set("Content-Type", "application/json")
        return HTTPResponse(status: status, headers: headers, body: .bytes(bytes))
    }

    package static func noContent(_ status: Int = 204) -> HTTPResponse { HTTPResponse(status: status) }
}

/// One end of an upgraded connection. Frames are whole messages, bounded by the server's limit.
package protocol WebSocketConnection: Sendable {
    /// The next binary or text message; nil when the peer closed.
    func receive() async throws -> [UInt8]?
    func send(_ message: [UInt8]) async throws
    func close() async
}

/// Answers requests. Never throws: a failure is a response.
package protocol HTTPHandler: Sendable {
    func handle(_ request: HTTPRequest) async -> HTTPResponse
}
