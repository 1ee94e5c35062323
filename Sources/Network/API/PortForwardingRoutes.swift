// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/floatingips/{id}/port_forwardings
struct PortForwardingRoutes: Sendable {
    let forwardings: PortForwardingEngine
    private let collection: Collection

    init(_ forwardings: PortForwardingEngine, maximumPage: Int?) {
        self.forwardings = forwardings
        collection = Collection(
            "port_forwarding", "port_forwardings", path: "/v2.0/floatingips/{id}/port_forwardings",
            maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        let item = collection.path + "/{forwarding}"
        routes.add(.get, collection.path, object: "get_floatingip_port_forwarding", list)
        routes.add(.post, collection.path, object: "create_floatingip_port_forwarding", create)
        routes.add(.get, item, object: "get_floatingip_port_forwarding", show)
        routes.add(.put, item, object: "update_floatingip_port_forwarding", update)
        routes.add(.delete, item, object: "delete_floatingip_port_forwarding") { request, context in
            try await forwardings.delete(request.id("forwarding"), of: request.id("id"), for: context)
            return .noContent()
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await forwardings.list(query, of: request.id("id"), for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, PortForwardingWire.write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await forwardings.get(request.id("forwarding"), of: request.id("id"), for: context)
        return collection.one(found, fields: Collection.fields(request), PortForwardingWire.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            for name in ["internal_port_id", "protocol"] { try reader.require(name) }
            return try PortForwardingWire.draft(&reader)
        }
        let made = try await forwardings.create(drafts, of: request.id("id"), for: context)
        return collection.created(made, isBulk: isBulk, PortForwardingWire.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try PortForwardingWire.draft(&$0) }
        let changed = try await forwardings.update(
            request.id("forwarding"), draft, of: request.id("id"), for: context)
        return collection.one(changed, fields: nil, PortForwardingWire.write)
    }
}

enum PortForwardingWire {
    static func draft(_ reader: inout AttributeReader) throws -> PortForwardingDraft {
        _ = try reader.project()
        var draft = PortForwardingDraft()
        draft.protocolName = try reader.string("protocol").map { text in
            guard PortForwarding.protocols.contains(text.lowercased()) else {
                throw AttributeReader.invalid(
                    "protocol", "'\(text.prefix(32))' is not in \(PortForwarding.protocols)")
            }
            return text.lowercased()
        }
        draft.external = try ports("external_port", &reader)
        draft.inside = try ports("internal_port", &reader)
        draft.internalAddress = try reader.address("internal_ip_address")
        draft.internalPort = try reader.id("internal_port_id")
        draft.description = try reader.string("description")
        return draft
    }

    /// `external_port`, or `external_port_range` as `80:90`.
    private static func ports(_ name: String, _ reader: inout AttributeReader) throws -> ClosedRange<Int>? {
        let one = try reader.int(name, PortForwarding.ports)
        let many = try reader.value(name + "_range").flatMap { try range($0, name + "_range") }
        if let one, let many, many != one...one {
            throw AttributeReader.invalid(name, "'\(one)' and the range do not match")
        }
        return many ?? one.map { $0...$0 }
    }

    private static func range(_ value: JSON, _ name: String) throws -> ClosedRange<Int>? {
        if value.isNull { return nil }
        let text = value.string ?? value.text()
        let ends = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else {
            throw AttributeReader.invalid(name, "Port range must be two integers separated by a colon")
        }
        for port in [first, last] where !PortForwarding.ports.contains(port) {
            throw AttributeReader.invalid(name, "Invalid port: \(port), the port must be in the range [1, 65535]")
        }
        guard first <= last else {
            throw AttributeReader.invalid(name, "First port in a port range must be lower than the second port")
        }
        return first...last
    }

    static func write(_ forwarding: PortForwarding, _ out: inout ResourceWriter) {
        out.field("id", forwarding.id)
        out.field("protocol", forwarding.protocolName)
        out.field("internal_ip_address", forwarding.internalAddress.description)
        out.field("internal_port_id", forwarding.internalPort)
        out.field("internal_port", single(forwarding.inside))
        out.field("external_port", single(forwarding.external))
        out.field("internal_port_range", text(forwarding.inside))
        out.field("external_port_range", text(forwarding.external))
        out.field("description", forwarding.description)
    }

    /// As a floating IP shows it.
    static func writeShort(_ forwarding: PortForwarding, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("id", forwarding.id)
        json.field("protocol", forwarding.protocolName)
        json.field("internal_ip_address", forwarding.internalAddress.description)
        json.field("internal_port_id", forwarding.internalPort)
        json.field("internal_port", single(forwarding.inside))
        json.field("external_port", single(forwarding.external))
        json.endObject()
    }

    private static func single(_ range: ClosedRange<Int>) -> Int? { range.count == 1 ? range.lowerBound : nil }
    private static func text(_ range: ClosedRange<Int>) -> String { "\(range.lowerBound):\(range.upperBound)" }
}
