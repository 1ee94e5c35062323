// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-server-external-events: what other services tell of servers. Here they tell it in process, so events are
/// taken, checked and need nothing done.
struct ExternalEventRoutes: Sendable {
    private static let maximumEvents = 1000
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        routes.add(
            .post, "/v2.1/os-server-external-events", policy: "os_compute_api:os-server-external-events:create", create)
    }

    private struct Event {
        var name: String
        var server: String
        var tag: String?
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let list = try reader.array("events", 0...Self.maximumEvents) else { throw reader.missing("events") }
        try reader.finish()
        let events = try list.map { try event($0, context) }
        let places = try await servers.places(of: Set(events.map(\.server)))
        let codes = events.map { Self.code($0, places) }
        return .object(codes.allSatisfy { $0 == 200 } ? 200 : 207) { writer in
            writer.array("events") { writer in
                for (event, code) in zip(events, codes) {
                    writer.beginObject()
                    writer.field("name", event.name)
                    writer.field("server_uuid", event.server)
                    writer.field("status", code == 200 ? "completed" : "failed")
                    if let tag = event.tag { writer.field("tag", tag) }
                    writer.field("code", code)
                    writer.endObject()
                }
            }
        }
    }

    /// Events that say nothing without a tag.
    private static let tagged: Set<String> = [
        "volume-extended", "power-update", "accelerator-request-bound",
    ]

    /// Told for each event (nova: server_external_events.py).
    private static func code(_ event: Event, _ places: [String: String?]) -> Int {
        guard let host = places[event.server] else { return 404 }
        guard event.tag != nil || !tagged.contains(event.name) else { return 400 }
        return host == nil ? 422 : 200
    }

    private func event(_ json: JSON, _ context: CallContext) throws -> Event {
        var reader = try ObjectReader(json, path: "events")
        let name = try reader.requiredString("name")
        var names = ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"]
        if context.has(51) { names.append("volume-extended") }
        if context.has(76) { names.append("power-update") }
        if context.has(82) { names.append("accelerator-request-bound") }
        if context.has(93) { names.append("volume-reimaged") }
        guard names.contains(name) else { throw reader.invalid("name", .string(name), "is not one of \(names)") }
        let server = try ComputeWire.uuid(try reader.requiredString("server_uuid"), "server_uuid")
        let status = try reader.string("status") ?? "completed"
        guard ["failed", "completed", "in-progress"].contains(status) else {
            throw reader.invalid("status", .string(status), "is not one of ['failed', 'completed', 'in-progress']")
        }
        let tag = try reader.string("tag")
        try reader.finish()
        return Event(name: name, server: server, tag: tag)
    }
}
