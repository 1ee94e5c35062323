// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Carries bytes between the controllers and the agents on hosts: in process, or through a broker.
///
/// The bus carries requests and hints, never truth: any of them may be lost. Engines use the typed layer
/// (`BusMessage`, `BusEvent`).
package protocol MessageBus: Sendable {
    /// Asks the server of `topic` on `host` and waits for its answer. Throws what the server threw;
    /// `.unavailable` when it does not answer, and then the work may have been done all the same.
    func call(
        topic: String, host: String, method: String, body: [UInt8], timeout: Duration
    ) async throws -> [UInt8]

    /// Asks without an answer. Casts may overtake each other.
    func cast(topic: String, host: String, method: String, body: [UInt8]) async throws

    /// Tells all subscribers. Each sees the events of one publisher in order.
    func publish(event: String, body: [UInt8]) async throws

    /// Answers calls and casts until the registration is cancelled. One server per topic and host.
    func serve(topic: String, host: String, _ handler: @escaping BusHandler) async throws -> BusRegistration

    /// Hears events of one name until the registration is cancelled.
    func subscribe(event: String, _ handler: @escaping BusEventHandler) async throws -> BusRegistration
}

/// Method and body of a call; returns the reply's body.
package typealias BusHandler = @Sendable (_ method: String, _ body: [UInt8]) async throws -> [UInt8]

package typealias BusEventHandler = @Sendable (_ body: [UInt8]) async -> Void

/// Ends a `serve` or `subscribe`.
package struct BusRegistration: Sendable {
    private let end: @Sendable () -> Void

    package init(_ end: @escaping @Sendable () -> Void) { self.end = end }

    /// May be repeated.
    package func cancel() { end() }
}

/// How an answer looks on the wire: `R` and the reply's body, or `E` and the error as JSON.
package enum BusReply {
    private static let replyMark = UInt8(ascii: "R")
    private static let errorMark = UInt8(ascii: "E")

    package static func encode(_ result: Result<[UInt8], any Error>) -> [UInt8] {
        switch result {
        case .success(let body): return [replyMark] + body
        case .failure(let error):
            let fault = CloudError(describing: error)
            return [errorMark]
                + JSONWriter.object { writer in
                    writer.field("code", fault.code.rawValue)
                    writer.field("message", fault.message)
                    writer.field("kind", fault.kind)
                    writer.field("cause", fault.cause)
                }
        }
    }

    /// The body of the reply. Throws the server's error.
    package static func decode(_ bytes: [UInt8]) throws -> [UInt8] {
        switch bytes.first {
        case replyMark: return Array(bytes.dropFirst())
        case errorMark: throw try JSONValueDecoder.decode(CloudError.self, from: Array(bytes.dropFirst()))
        default: throw CloudError(.bug, "The server could not complete the request.", cause: "not a reply of the bus")
        }
    }
}
