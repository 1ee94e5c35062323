// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/subnets
struct SubnetRoutes: Sendable {
    let subnets: SubnetEngine
    private let collection: Collection

    init(_ subnets: SubnetEngine, maximumPage: Int?) {
        self.subnets = subnets
        collection = Collection("subnet", "subnets", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_subnet", list)
        routes.add(.post, collection.path, object: "create_subnet", create)
        routes.add(.get, collection.item, object: "get_subnet", show)
        routes.add(.put, collection.item, object: "update_subnet", update)
        routes.add(.delete, collection.item, object: "delete_subnet", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await subnets.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, SubnetWire.write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let subnet = try await subnets.get(request.id("id"), for: context)
        return collection.one(subnet, fields: Collection.fields(request), SubnetWire.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("network_id")
            try reader.require("ip_version")
            return try SubnetWire.draft(&reader)
        }
        let made = try await subnets.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, SubnetWire.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try SubnetWire.draft(&$0) }
        let subnet = try await subnets.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(subnet, fields: nil, SubnetWire.write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await subnets.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }
}

enum SubnetWire {
    static func draft(_ reader: inout AttributeReader) throws -> SubnetDraft {
        try reader.refuseInUpdate(
            "network_id", "ip_version", "cidr", "ipv6_ra_mode", "ipv6_address_mode", "prefixlen", "subnetpool_id",
            "use_default_subnetpool")
        try reader.refuseReadOnly("router:external")
        var draft = SubnetDraft()
        draft.project = try reader.project()
        draft.network = try reader.id("network_id")
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.ipVersion = try reader.int("ip_version", 4...6)
        if draft.ipVersion == 5 { throw AttributeReader.invalid("ip_version", "'5' is not in [4, 6]") }
        draft.cidr = try reader.nullableString("cidr").flatMap { $0 }
        draft.gateway = try reader.nullableString("gateway_ip")
        draft.usesDHCP = try reader.bool("enable_dhcp", default: true)
        draft.raMode = try mode(&reader, "ipv6_ra_mode")
        draft.addressMode = try mode(&reader, "ipv6_address_mode")
        draft.pools = try pools(&reader)
        draft.dnsServers = try reader.strings("dns_nameservers")
        draft.hostRoutes = try RouteWire.read(&reader, "host_routes").map { routes in
            routes.map { ServerPort.HostRoute(destination: $0.destination, nextHop: $0.nextHop) }
        }
        draft.serviceTypes = try reader.strings("service_types")
        draft.publishesDNS = try reader.bool("dns_publish_fixed_ip", default: false)
        draft.tags = try reader.tags()
        draft.pool = try pool(&reader)
        draft.usesDefaultPool = try reader.bool("use_default_subnetpool", default: false) ?? false
        draft.prefixLength = try reader.int("prefixlen", 0...128)
        draft.segment = try reader.nullableID("segment_id")
        if draft.segment == .some(nil) { reader.forgetGiven("segment_id") }
        draft.given = reader.given
        return draft
    }

    private static func pool(_ reader: inout AttributeReader) throws -> SubnetPoolID? {
        guard reader.text("subnetpool_id") != "prefix_delegation" else {
            throw NetworkFault.badRequest("subnets", "IPv6 prefix delegation is not available on this cloud")
        }
        return try reader.nullableID("subnetpool_id").flatMap { $0 }
    }

    private static func mode(_ reader: inout AttributeReader, _ name: String) throws -> Subnet.IPv6Mode? {
        guard let text = try reader.nullableString(name).flatMap({ $0 }) else { return nil }
        guard let mode = Subnet.IPv6Mode(rawValue: text) else {
            throw AttributeReader.invalid(
                name, "'\(text.prefix(32))' is not in ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac']")
        }
        return mode
    }

    private static func pools(_ reader: inout AttributeReader) throws -> [(start: String, end: String)]? {
        try reader.list("allocation_pools", maximum: 256)?.map { pool in
            guard let start = pool["start"]?.string, let end = pool["end"]?.string, pool.object?.count == 2 else {
                throw AttributeReader.invalid(
                    "allocation_pools", "Invalid data format for IP pool: '\(pool.text().prefix(100))'")
            }
            return (start, end)
        }
    }

    static func write(_ subnet: Subnet, _ out: inout ResourceWriter) {
        out.field("id", subnet.id)
        out.field("name", subnet.name)
        out.owner(subnet.project)
        out.field("network_id", subnet.network)
        out.field("ip_version", subnet.ipVersion)
        out.field("subnetpool_id", subnet.pool)
        out.field("segment_id", subnet.segment)
        out.field("enable_dhcp", subnet.usesDHCP)
        out.field("ipv6_ra_mode", subnet.raMode?.rawValue)
        out.field("ipv6_address_mode", subnet.addressMode?.rawValue)
        out.field("gateway_ip", subnet.gateway?.description)
        out.field("cidr", subnet.cidr.description)
        out.nested("allocation_pools") { json in
            json.beginArray()
            for pool in subnet.pools {
                json.beginObject()
                json.field("start", pool.first.description)
                json.field("end", pool.last.description)
                json.endObject()
            }
            json.endArray()
        }
        out.nested("host_routes") { json in
            json.beginArray()
            for route in subnet.hostRoutes {
                json.beginObject()
                json.field("destination", route.destination)
                json.field("nexthop", route.nextHop)
                json.endObject()
            }
            json.endArray()
        }
        out.field("dns_nameservers", subnet.dnsServers)
        out.field("service_types", subnet.serviceTypes)
        out.field("dns_publish_fixed_ip", subnet.publishesDNS)
        out.field("router:external", subnet.isExternal)
        out.standard(subnet.standard)
    }
}

/// Lists of destination and next hop.
enum RouteWire {
    static func read(_ reader: inout AttributeReader, _ name: String) throws -> [Router.Route]? {
        try reader.list(name)?.map { entry in
            guard let destination = entry["destination"]?.string, let hop = entry["nexthop"]?.string,
                entry.object?.count == 2
            else {
                throw AttributeReader.invalid(name, "Invalid data format for hostroute: '\(entry.text().prefix(100))'")
            }
            guard CIDR(destination) != nil else {
                throw AttributeReader.invalid(name, "'\(destination.prefix(64))' is not a valid IP subnet")
            }
            guard IPAddress(hop) != nil else {
                throw AttributeReader.invalid(name, "'\(hop.prefix(64))' is not a valid IP address")
            }
            return Router.Route(destination: destination, nextHop: hop)
        }
    }
}
