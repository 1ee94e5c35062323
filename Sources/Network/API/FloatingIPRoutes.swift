// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/floatingips
struct FloatingIPRoutes: Sendable {
    let floatingIPs: FloatingIPEngine
    private let collection: Collection

    init(_ floatingIPs: FloatingIPEngine, maximumPage: Int?) {
        self.floatingIPs = floatingIPs
        collection = Collection("floatingip", "floatingips", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_floatingip", list)
        routes.add(.post, collection.path, object: "create_floatingip", create)
        routes.add(.get, collection.item, object: "get_floatingip", show)
        routes.add(.put, collection.item, object: "update_floatingip", update)
        routes.add(.delete, collection.item, object: "delete_floatingip", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await floatingIPs.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, FloatingIPWire.write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let floatingIP = try await floatingIPs.get(request.id("id"), for: context)
        return collection.one(floatingIP, fields: Collection.fields(request), FloatingIPWire.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("floating_network_id")
            return try FloatingIPWire.draft(&reader)
        }
        let made = try await floatingIPs.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, FloatingIPWire.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try FloatingIPWire.draft(&$0) }
        let floatingIP = try await floatingIPs.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(floatingIP, fields: nil, FloatingIPWire.write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await floatingIPs.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }
}

enum FloatingIPWire {
    static func draft(_ reader: inout AttributeReader) throws -> FloatingIPDraft {
        try reader.refuseReadOnly("router_id", "port_details", "port_forwardings")
        try reader.refuseInUpdate("floating_network_id", "floating_ip_address", "subnet_id", "dns_name", "dns_domain")
        var draft = FloatingIPDraft()
        draft.project = try reader.project()
        draft.network = try reader.id("floating_network_id")
        draft.subnet = try reader.nullableID("subnet_id").flatMap { $0 }
        draft.address = try reader.address("floating_ip_address")
        draft.qosPolicy = try reader.nullableID("qos_policy_id")
        // neutron: an empty change means what it meant when there was nothing else to change: point nowhere.
        draft.port = try reader.isBlank ? .some(nil) : reader.nullableID("port_id")
        draft.fixedAddress = try reader.address("fixed_ip_address")
        draft.description = try reader.string("description")
        draft.dnsName = try reader.string("dns_name").map { try PortWire.checkedName($0) }
        draft.dnsDomain = try reader.string("dns_domain").map { try NetworkWire.checkedDomain($0) }
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    static func write(_ floatingIP: FloatingIP, _ out: inout ResourceWriter) {
        out.field("id", floatingIP.id)
        out.owner(floatingIP.project)
        out.field("floating_network_id", floatingIP.network)
        out.field("floating_ip_address", floatingIP.address.description)
        out.field("router_id", floatingIP.router)
        out.field("port_id", floatingIP.port)
        out.field("fixed_ip_address", floatingIP.fixedAddress?.description)
        out.field("status", floatingIP.status)
        out.field("dns_name", floatingIP.dnsName)
        out.field("dns_domain", floatingIP.dnsDomain)
        out.field("qos_policy_id", floatingIP.qosPolicy)
        out.nested("port_forwardings") { json in
            json.beginArray()
            for forwarding in floatingIP.portForwardings { PortForwardingWire.writeShort(forwarding, &json) }
            json.endArray()
        }
        out.nested("port_details") { json in
            guard let details = floatingIP.details else { return json.null() }
            json.beginObject()
            json.field("name", details.name)
            json.field("network_id", details.network)
            json.field("mac_address", details.mac)
            json.field("admin_state_up", details.isEnabled)
            json.field("status", details.status)
            json.field("device_id", details.deviceID)
            json.field("device_owner", details.deviceOwner)
            json.endObject()
        }
        out.standard(floatingIP.standard)
    }
}
