// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A question to the agent of one host. Lives in the Contract of the service whose agent answers it.
package protocol BusMessage: Codable, Sendable {
    associatedtype Reply: Codable, Sendable
    /// Topic, a dot, and a verb: `compute.build-server`. Never changed.
    static var name: StaticString { get }
    /// Raised when a field is added or its meaning changes. Fields are only ever added, as optionals, so that a newer
    /// server understands an older caller; a server refuses a message newer than itself.
    static var version: Int { get }
}

/// Something that happened on a host. Lives in the Contract of the service whose agent says it.
package protocol BusEvent: Codable, Sendable {
    /// `compute.guest-changed`.
    static var name: StaticString { get }
    static var version: Int { get }
}

/// The reply of a message that has nothing to say.
package struct BusDone: Codable, Sendable, Equatable {
    package init() {}
}

/// The body of each message and event: who wrote it, and what.
private struct Envelope<Content: Codable>: Codable {
    let version: Int
    let content: Content
}

enum BusCodec {
    static func encode<Content: Codable>(_ content: Content, version: Int) throws -> [UInt8] {
        try JSONValueEncoder.bytes(Envelope(version: version, content: content))
    }

    static func decode<Content: Codable>(
        _: Content.Type, _ name: String, version: Int, from bytes: [UInt8]
    ) throws -> Content {
        let json = try JSONReader.read(bytes)
        // Before the content, which a newer program may have changed.
        if let sent = json["version"]?.int, sent > version {
            throw CloudError(
                .unavailable, "A part of the cloud is being upgraded. Please retry later.",
                cause: "\(name) has version \(sent), this program knows \(version)")
        }
        return try JSONValueDecoder.decode(Envelope<Content>.self, from: json).content
    }

    /// `compute` of `compute.build-server`.
    static func topic(of name: String) -> String {
        let parts = name.split(separator: ".", maxSplits: 1)
        precondition(parts.count == 2, "\(name) has no topic")
        return String(parts[0])
    }
}

extension MessageBus {
    /// Asks the agent on `host`. Throws what the agent threw; `.unavailable` when it does not answer in time.
    package func call<M: BusMessage>(_ host: String, _ message: M, timeout: Duration) async throws -> M.Reply {
        let name = M.name.description
        let body = try BusCodec.encode(message, version: M.version)
        let reply = try await call(
            topic: BusCodec.topic(of: name), host: host, method: name, body: body, timeout: timeout)
        return try JSONValueDecoder.decode(M.Reply.self, from: reply)
    }

    /// Asks the agent on `host` without an answer.
    package func cast<M: BusMessage>(_ host: String, _ message: M) async throws {
        let name = M.name.description
        let body = try BusCodec.encode(message, version: M.version)
        try await cast(topic: BusCodec.topic(of: name), host: host, method: name, body: body)
    }

    package func publish<E: BusEvent>(_ event: E) async throws {
        try await publish(event: E.name.description, body: BusCodec.encode(event, version: E.version))
    }
}
