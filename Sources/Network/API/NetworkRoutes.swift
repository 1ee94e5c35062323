// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/networks
struct NetworkRoutes: Sendable {
    let networks: NetworkEngine
    let zone: String
    private let collection: Collection

    init(_ networks: NetworkEngine, zone: String, maximumPage: Int?) {
        self.networks = networks
        self.zone = zone
        collection = Collection("network", "networks", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_network", list)
        routes.add(.post, collection.path, object: "create_network", create)
        routes.add(.get, collection.item, object: "get_network", show)
        routes.add(.put, collection.item, object: "update_network", update)
        routes.add(.delete, collection.item, object: "delete_network", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await networks.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, writer(context))
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let network = try await networks.get(request.id("id"), for: context)
        return collection.one(network, fields: Collection.fields(request), writer(context))
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { try NetworkWire.draft(&$0) }
        let made = try await networks.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, writer(context))
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try NetworkWire.draft(&$0) }
        let network = try await networks.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(network, fields: nil, writer(context))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await networks.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    private func writer(_ context: CallContext) -> (Network, inout ResourceWriter) -> Void {
        let showsProvider = context.allows("get_network:provider:network_type", [:])
        return { NetworkWire.write($0, zone: zone, showsProvider: showsProvider, &$1) }
    }
}

enum NetworkWire {
    static func draft(_ reader: inout AttributeReader) throws -> NetworkDraft {
        try reader.refuseReadOnly(
            "subnets", "availability_zones", "ipv4_address_scope", "ipv6_address_scope", "l2_adjacency")
        try reader.refuseInUpdate("availability_zone_hints", "segments", "vlan_transparent", "qinq")
        var draft = NetworkDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.isEnabled = try reader.bool("admin_state_up", default: true)
        draft.mtu = try reader.int("mtu", 0...65_535)
        draft.kind = try reader.nullableString("provider:network_type").flatMap { $0 }
        draft.physicalNetwork = try reader.nullableString("provider:physical_network").flatMap { $0 }
        draft.segment = try reader.int("provider:segmentation_id", 0...0xFFFF_FFFF)
        draft.segments = try segments(&reader)
        draft.isExternal = try reader.bool("router:external", default: false)
        draft.isShared = try reader.bool("shared", default: false)
        draft.isDefault = try reader.bool("is_default", default: false)
        draft.hasPortSecurity = try reader.bool("port_security_enabled", default: true)
        draft.dnsDomain = try reader.string("dns_domain").map { try checkedDomain($0) }
        draft.zoneHints = try reader.strings("availability_zone_hints")
        draft.qosPolicy = try reader.nullableID("qos_policy_id")
        draft.isVLANTransparent = try reader.bool("vlan_transparent", default: false)
        draft.hasQinQ = try reader.bool("qinq", default: false)
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    private static func segments(_ reader: inout AttributeReader) throws -> [NetworkSegmentDraft]? {
        guard let entries = try reader.list("segments", maximum: 16) else { return nil }
        guard Set(entries.map { $0.text() }).count == entries.count else {
            throw CloudError.badRequest("Duplicate segment entry in request.", kind: "SegmentsContainDuplicateEntry")
        }
        return try entries.map { entry in
            var inner = try AttributeReader(entry, isCreate: true)
            var draft = NetworkSegmentDraft()
            draft.kind = try inner.nullableString("provider:network_type").flatMap { $0 }
            draft.physicalNetwork = try inner.nullableString("provider:physical_network").flatMap { $0 }
            draft.number = try inner.int("provider:segmentation_id", 0...0xFFFF_FFFF)
            try inner.finish()
            return draft
        }
    }

    /// neutron: a domain ends with a dot.
    static func checkedDomain(_ domain: String) throws -> String {
        guard domain.isEmpty || domain.hasSuffix(".") && DNSName.isValid(String(domain.dropLast())) else {
            throw AttributeReader.invalid("dns_domain", "'\(domain.prefix(64))' is not a FQDN")
        }
        return domain
    }

    static func write(_ network: Network, zone: String, showsProvider: Bool, _ out: inout ResourceWriter) {
        out.field("id", network.id)
        out.field("name", network.name)
        out.owner(network.project)
        out.field("admin_state_up", network.isEnabled)
        out.field("mtu", network.mtu)
        out.field("status", "ACTIVE")
        out.field("subnets", network.subnets.map(\.rawValue))
        out.field("shared", network.isShared)
        out.field("router:external", network.isExternal)
        out.field("is_default", network.isDefault)
        out.field("port_security_enabled", network.hasPortSecurity)
        out.field("dns_domain", network.dnsDomain)
        out.raw("availability_zone_hints", network.zoneHints)
        out.field("availability_zones", [zone])
        out.field("qos_policy_id", network.qosPolicy)
        out.field("ipv4_address_scope", network.ipv4Scope)
        out.field("ipv6_address_scope", network.ipv6Scope)
        out.field("l2_adjacency", !network.isRouted)
        out.field("vlan_transparent", network.isVLANTransparent)
        out.field("qinq", network.hasQinQ)
        if showsProvider, network.segments.isEmpty {
            out.field("provider:network_type", network.kind.rawValue)
            out.field("provider:physical_network", network.physicalNetwork)
            out.field("provider:segmentation_id", network.segment)
        } else if showsProvider {
            out.nested("segments") { json in
                json.beginArray()
                for segment in network.segments {
                    json.beginObject()
                    json.field("provider:network_type", segment.kind.rawValue)
                    json.field("provider:physical_network", segment.physicalNetwork)
                    json.field("provider:segmentation_id", segment.number)
                    json.endObject()
                }
                json.endArray()
            }
        }
        out.standard(network.standard)
    }
}

/// Names as DNS takes them (RFC 1123), dots between labels.
enum DNSName {
    static func isValid(_ name: String) -> Bool {
        guard (1...255).contains(name.utf8.count) else { return false }
        return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-")
            else {
                return false
            }
            return label.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        }
    }
}
