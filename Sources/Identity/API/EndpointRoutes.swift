// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/endpoints
struct EndpointRoutes: Sendable {
    let catalog: CatalogEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/endpoints", object: "identity:list_endpoints", list)
        routes.add(.post, "/v3/endpoints", object: "identity:create_endpoint", create)
        routes.add(.get, "/v3/endpoints/{endpoint_id}", object: "identity:get_endpoint", show)
        routes.add(.patch, "/v3/endpoints/{endpoint_id}", object: "identity:update_endpoint", update)
        routes.add(.delete, "/v3/endpoints/{endpoint_id}", object: "identity:delete_endpoint", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let interface = try request.query("interface").map(Self.interface)
        let endpoints = try await catalog.endpoints(
            service: request.queryID("service_id"), region: request.queryID("region_id"), interface: interface,
            for: context)
        return try ListPage(request, endpoints, id: \.id.rawValue, name: nil).response("endpoints") {
            Self.write($0, &$1, request)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try await request.body("endpoint")
        guard let interface = try body.string("interface") else { throw body.missing("interface") }
        guard let service = try body.string("service_id") else { throw body.missing("service_id") }
        guard let url = try body.string("url", 0...EndpointURL.maximumLength) else { throw body.missing("url") }
        let (region, makesRegion) = try region(&body)
        var draft = EndpointDraft(
            serviceID: ID(service), regionID: region.flatMap { $0 }, interface: try Self.interface(interface),
            url: try Self.url(url, request))
        draft.makesRegion = makesRegion
        draft.isEnabled = try body.bool("enabled") ?? true
        _ = body.value("id")
        draft.extras = try body.extras()
        let endpoint = try await catalog.create(draft, for: context)
        return IdentityReply.one("endpoint", status: 201) { Self.write(endpoint, &$0, request) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let endpoint = try await catalog.endpoint(request.id("endpoint_id"), for: context)
        return IdentityReply.one("endpoint") { Self.write(endpoint, &$0, request) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: EndpointID = request.id("endpoint_id")
        var body = try await request.body("endpoint")
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'endpoint': at least one property is required")
        }
        var change = EndpointChange()
        change.serviceID = try body.string("service_id").map { ID($0) }
        (change.regionID, change.makesRegion) = try region(&body)
        change.interface = try body.string("interface").map(Self.interface)
        change.url = try body.string("url", 0...EndpointURL.maximumLength).map { try Self.url($0, request) }
        change.isEnabled = try body.bool("enabled")
        try body.checkID("id", is: id.rawValue, "endpoint ID")
        change.extras = try body.extras()
        let endpoint = try await catalog.update(id, change, for: context)
        return IdentityReply.one("endpoint") { Self.write(endpoint, &$0, request) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await catalog.delete(request.id("endpoint_id", EndpointTag.self), for: context)
        return IdentityReply.noContent()
    }

    // MARK: Parts

    /// `region` is the older name of the field; a region that is named so is made when there is none.
    private func region(_ body: inout ObjectReader) throws -> (RegionID??, makesRegion: Bool) {
        let old: RegionID?? = try body.nullableID("region")
        if let new: RegionID? = try body.nullableID("region_id"), new != nil || old == nil {
            return (.some(new), false)
        }
        return (old, true)
    }

    static func interface(_ text: String) throws -> Endpoint.Interface {
        guard let interface = Endpoint.Interface(rawValue: text) else {
            throw CloudError.badRequest(
                "Invalid input for field 'interface': '\(text.prefix(64))' is not one of "
                    + "['admin', 'internal', 'public']"
            )
        }
        return interface
    }

    /// What was shown may come back: the cloud's own address stays a stand-in, and follows when that address changes.
    private static func url(_ text: String, _ request: APIRequest) throws -> EndpointURL {
        let origin = request.originURL
        guard text == origin || text.hasPrefix(origin + "/") else { return try EndpointURL(text) }
        return try EndpointURL("{origin}" + text.dropFirst(origin.count))
    }

    static func write(_ endpoint: Endpoint, _ writer: inout JSONWriter, _ request: APIRequest) {
        writer.field("id", endpoint.id)
        writer.field("interface", endpoint.interface.rawValue)
        writer.field("region_id", endpoint.regionID)
        writer.field("region", endpoint.regionID)
        writer.field("service_id", endpoint.serviceID)
        writer.field("url", endpoint.url.shown(origin: request.originURL))
        writer.field("enabled", endpoint.isEnabled)
        writer.extras(endpoint.extras)
        writer.selfLink("\(request.v3URL)/endpoints/\(endpoint.id)")
    }
}
