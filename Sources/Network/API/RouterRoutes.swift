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
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await routers.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let router = try await routers.get(request.id("id"), for: context)
        return collection.one(router, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { try RouterWire.draft(&$0) }
        let made = try await routers.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try RouterWire.draft(&$0) }
        let router = try await routers.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(router, fields: nil, write)
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
        let router = try await routers.addRoutes(routes, to: request.id("id"), for: context)
        return collection.one(router, fields: nil, write)
    }

    private func removeRoutes(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let routes = try await routeList(request)
        let router = try await routers.removeRoutes(routes, from: request.id("id"), for: context)
        return collection.one(router, fields: nil, write)
    }

    private func routeList(_ request: APIRequest) async throws -> [Router.Route] {
        try await collection.change(request) { reader in
            try reader.require("routes")
            return try RouteWire.read(&reader, "routes") ?? []
        }
    }

    private func write(_ router: Router, _ out: inout ResourceWriter) { RouterWire.write(router, zone: zone, &out) }
}

enum RouterWire {
    static func draft(_ reader: inout AttributeReader) throws -> RouterDraft {
        try reader.refuseReadOnly("availability_zones")
        try reader.refuseInUpdate("availability_zone_hints")
        var draft = RouterDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.isEnabled = try reader.bool("admin_state_up", default: true)
        draft.gateway = try gateway(&reader)
        draft.routes = try RouteWire.read(&reader, "routes")
        draft.zoneHints = try reader.strings("availability_zone_hints")
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    /// An empty object takes the gateway away, as null does.
    private static func gateway(_ reader: inout AttributeReader) throws -> RouterDraft.Gateway?? {
        let name = "external_gateway_info"
        guard let value = reader.value(name) else { return .none }
        if value.isNull || value == [:] { return .some(nil) }
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
        _ = inner.value("qos_policy_id")
        try inner.finish()
        return .some(gateway)
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
            json.endObject()
        }
        out.raw("routes", router.routesJSON)
        out.raw("availability_zone_hints", router.zoneHints)
        out.field("availability_zones", [zone])
        out.standard(router.standard)
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
