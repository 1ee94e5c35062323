// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/routers
struct RouterRoutes: Sendable {
    let routers: RouterEngine
    let zone: String
    private let collection: Collection

    init(_ routers: RouterEngine, zone: String, maximumPage: Int?) {
        self.routers = routers
        self.zone = zone
        collection = Collection("router", "routers", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_router", list)
        routes.add(.post, collection.path, object: "create_router", create)
        routes.add(.get, collection.item, object: "get_router", show)
        routes.add(.put, collection.item, object: "update_router", update)
        routes.add(.delete, collection.item, object: "delete_router", delete)
        routes.add(.put, collection.item + "/add_router_interface", object: "add_router_interface", addInterface)
        routes.add(
            .put, collection.item + "/remove_router_interface", object: "remove_router_interface", removeInterface)
        routes.add(.put, collection.item + "/add_extraroutes", object: "add_extraroutes", addRoutes)
        routes.add(.put, collection.item + "/remove_extraroutes", object: "remove_extraroutes", removeRoutes)
        guard routers.hasExtraGateways else { return }
        routes.add(.put, collection.item + "/add_external_gateways", object: "add_external_gateways") {
            try await gateways($0, $1, routers.addGateways)
        }
        routes.add(.put, collection.item + "/update_external_gateways", object: "update_external_gateways") {
            try await gateways($0, $1, routers.updateGateways)
        }
        routes.add(.put, collection.item + "/remove_external_gateways", object: "remove_external_gateways") {
            try await gateways($0, $1, routers.removeGateways)
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await routers.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, writer(context))
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let router = try await routers.get(request.id("id"), for: context)
        return collection.one(router, fields: Collection.fields(request), writer(context))
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { try RouterWire.draft(&$0) }
        let made = try await routers.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, writer(context))
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try RouterWire.draft(&$0) }
        let router = try await routers.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(router, fields: nil, writer(context))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await routers.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    // MARK: Interfaces and routes

    private func addInterface(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let choice = try await interfaceChoice(request)
        return RouterWire.answer(try await routers.addInterface(choice, to: request.id("id"), for: context))
    }

    private func removeInterface(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let choice = try await interfaceChoice(request)
        return RouterWire.answer(try await routers.removeInterface(choice, from: request.id("id"), for: context))
    }

    private func interfaceChoice(_ request: APIRequest) async throws -> RouterInterfaceChoice {
        var reader = try AttributeReader(try await request.json(), isCreate: true)
        let choice = RouterInterfaceChoice(
            subnet: try reader.nullableID("subnet_id").flatMap { $0 },
            port: try reader.nullableID("port_id").flatMap { $0 })
        try reader.finish()
        return choice
    }

    private func addRoutes(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let routes = try await routeList(request)
        let router = try await routers.addRoutes(
            routes, to: request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(router, fields: nil, writer(context))
    }

    private func removeRoutes(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let routes = try await routeList(request)
        let router = try await routers.removeRoutes(
            routes, from: request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(router, fields: nil, writer(context))
    }

    private func routeList(_ request: APIRequest) async throws -> [Router.Route] {
        try await collection.change(request) { reader in
            try reader.require("routes")
            return try RouteWire.read(&reader, "routes") ?? []
        }
    }

    private typealias GatewayChange = (RouterGatewaysDraft, RouterID, Int?, CallContext) async throws -> Router

    private func gateways(_ request: APIRequest, _ context: CallContext, _ change: GatewayChange) async throws
        -> HTTPResponse
    {
        let draft = try await collection.change(request) { try RouterWire.gateways(&$0) }
        let router = try await change(draft, request.id("id"), Collection.ifMatch(request), context)
        return collection.one(router, fields: nil, writer(context))
    }

    func writer(_ context: CallContext) -> (Router, inout ResourceWriter) -> Void {
        let showsAvailability = context.allows("get_router:ha", [:])
        return { router, out in
            RouterWire.write(router, zone: zone, &out)
            if showsAvailability { out.field("ha", true) }
            if routers.hasConntrackHelpers { RouterWire.writeHelpers(router, &out) }
            if routers.hasExtraGateways { RouterWire.writeGateways(router, &out) }
        }
    }
}

enum RouterWire {
    static func draft(_ reader: inout AttributeReader) throws -> RouterDraft {
        try reader.refuseReadOnly("availability_zones", "conntrack_helpers", "enable_snat", "external_gateways")
        try reader.refuseInUpdate("availability_zone_hints", "flavor_id")
        var draft = RouterDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.isEnabled = try reader.bool("admin_state_up", default: true)
        draft.gateway = try gateway(&reader)
        draft.routes = try RouteWire.read(&reader, "routes")
        draft.zoneHints = try reader.strings("availability_zone_hints")
        draft.flavor = try reader.nullableID("flavor_id").flatMap { $0 }
        draft.isHighlyAvailable = try optionalBool("ha", &reader)
        draft.spreadsDefaultRoute = try optionalBool("enable_default_route_ecmp", &reader)
        draft.watchesDefaultRoute = try optionalBool("enable_default_route_bfd", &reader)
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    /// Null is as if it were not given, and any value needs leave: the default is the data plane's.
    private static func optionalBool(_ name: String, _ reader: inout AttributeReader) throws -> Bool? {
        reader.dropNull(name)
        guard let flag = try reader.bool(name, default: false) else { return nil }
        if !reader.given.contains(name) { reader.note(name) }
        return flag
    }

    /// An empty object takes the gateway away, as null does.
    private static func gateway(_ reader: inout AttributeReader) throws -> RouterDraft.Gateway?? {
        let name = "external_gateway_info"
        guard let value = reader.value(name) else { return .none }
        if value.isNull || value == [:] { return .some(nil) }
        return .some(try gateway(value, name, &reader))
    }

    /// All gateways that an action names.
    static func gateways(_ reader: inout AttributeReader) throws -> RouterGatewaysDraft {
        let name = "external_gateways"
        // The stock client writes an empty object for none, and then takes the first gateway away by its own name.
        let entries = try reader.list(name, maximum: 16, emptyObjectIsNone: true) ?? []
        let gateways = try entries.map { try gateway($0, name, &reader) }
        return RouterGatewaysDraft(gateways: gateways, given: reader.given)
    }

    private static func gateway(_ value: JSON, _ name: String, _ reader: inout AttributeReader) throws
        -> RouterDraft.Gateway
    {
        var inner = try AttributeReader(value, isCreate: true)
        guard let network: NetworkID = try inner.id("network_id") else {
            throw AttributeReader.invalid(name, "'network_id' is required")
        }
        reader.note("\(name):network_id")
        var gateway = RouterDraft.Gateway(network: network)
        if inner.has("enable_snat") {
            gateway.usesSNAT = try inner.bool("enable_snat", default: true)
            if gateway.usesSNAT == false { reader.note("\(name):enable_snat") }
        }
        if inner.has("external_fixed_ips") {
            gateway.addresses = try inner.list("external_fixed_ips")?.map { entry in
                var address = PortDraft.Address()
                address.subnet = try entry["subnet_id"].map { try AttributeReader.id($0, "external_fixed_ips") }
                address.address = try entry["ip_address"].map { try AttributeReader.address($0, "external_fixed_ips") }
                return address
            }
            reader.note("\(name):external_fixed_ips")
        }
        gateway.qosPolicy = try inner.nullableID("qos_policy_id")
        if gateway.qosPolicy != nil { reader.note("\(name):qos_policy_id") }
        try inner.finish()
        return gateway
    }

    static func write(_ router: Router, zone: String, _ out: inout ResourceWriter) {
        out.field("id", router.id)
        out.field("name", router.name)
        out.owner(router.project)
        out.field("admin_state_up", router.isEnabled)
        out.field("status", "ACTIVE")
        out.nested("external_gateway_info") { json in
            guard let network = router.gatewayNetwork else { return json.null() }
            json.beginObject()
            json.field("network_id", network)
            json.field("enable_snat", router.usesSNAT)
            json.key("external_fixed_ips")
            json.raw(router.gatewayAddressesJSON)
            json.field("qos_policy_id", router.gatewayQoSPolicy?.rawValue)
            json.endObject()
        }
        out.field("enable_snat", router.usesSNAT)
        out.raw("routes", router.routesJSON)
        out.field("flavor_id", router.flavor)
        out.raw("availability_zone_hints", router.zoneHints)
        out.field("availability_zones", [zone])
        out.standard(router.standard)
    }

    static func writeGateways(_ router: Router, _ out: inout ResourceWriter) {
        out.nested("external_gateways") { json in
            json.beginArray()
            if let network = router.gatewayNetwork { write(network, router.gatewayAddressesJSON, &json) }
            for gateway in router.extraGateways { write(gateway.network, gateway.addressesJSON, &json) }
            json.endArray()
        }
        out.field("enable_default_route_ecmp", router.spreadsDefaultRoute)
        out.field("enable_default_route_bfd", router.watchesDefaultRoute)
    }

    private static func write(_ network: NetworkID, _ addressesJSON: String, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("network_id", network)
        json.key("external_fixed_ips")
        json.raw(addressesJSON)
        json.endObject()
    }

    static func writeHelpers(_ router: Router, _ out: inout ResourceWriter) {
        out.nested("conntrack_helpers") { json in
            json.beginArray()
            for helper in router.conntrackHelpers {
                json.beginObject()
                json.field("protocol", helper.protocolName)
                json.field("port", helper.port)
                json.field("helper", helper.helper)
                json.endObject()
            }
            json.endArray()
        }
    }

    static func answer(_ result: RouterInterfaceResult) -> HTTPResponse {
        .json(
            200,
            JSONWriter.object { json in
                json.field("id", result.router)
                json.field("project_id", result.project)
                json.field("tenant_id", result.project)
                json.field("port_id", result.port)
                json.field("network_id", result.network)
                json.field("subnet_id", result.subnets.first)
                json.field("subnet_ids", result.subnets.map(\.rawValue))
                json.key("tags")
                json.raw(result.tags)
            })
    }
}
