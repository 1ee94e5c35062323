// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/regions
struct RegionRoutes: Sendable {
    let catalog: CatalogEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/regions", object: "identity:list_regions", list)
        routes.add(.post, "/v3/regions", object: "identity:create_region", create)
        routes.add(.get, "/v3/regions/{region_id}", object: "identity:get_region", show)
        routes.add(.put, "/v3/regions/{region_id}", object: "identity:create_region", createNamed)
        routes.add(.patch, "/v3/regions/{region_id}", object: "identity:update_region", update)
        routes.add(.delete, "/v3/regions/{region_id}", object: "identity:delete_region", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let regions = try await catalog.regions(parent: request.queryID("parent_region_id"), for: context)
        return try ListPage(request, regions, id: \.id.rawValue, name: nil).response("regions") {
            Self.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await create(request, id: nil, context)
    }

    private func createNamed(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await create(request, id: request.id("region_id"), context)
    }

    private func create(_ request: APIRequest, id: RegionID?, _ context: CallContext) async throws -> HTTPResponse {
        var body = try await request.body("region")
        let given: RegionID? = try body.nullableString("id", 0...255).flatMap { $0 }.flatMap {
            $0.isEmpty ? nil : ID($0)
        }
        if let id, let given, given != id {
            throw CloudError.badRequest("Conflicting region IDs specified: \"\(id)\" != \"\(given)\"")
        }
        var region = Region(
            id: id ?? given ?? catalog.newRegionID(), parentID: try body.nullableID("parent_region_id").flatMap { $0 },
            description: try body.nullableString("description", 0...65_535).flatMap { $0 } ?? "", extras: Extras())
        region.extras = try body.extras()
        let made = try await catalog.create(region, for: context)
        return IdentityReply.one("region", status: 201) { Self.write(made, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let region = try await catalog.region(request.id("region_id"), for: context)
        return IdentityReply.one("region") { Self.write(region, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: RegionID = request.id("region_id")
        var body = try await request.body("region")
        var change = RegionChange()
        change.parentID = try body.nullableID("parent_region_id")
        change.description = try body.nullableString("description", 0...65_535).map { $0 ?? "" }
        try body.checkID("id", is: id.rawValue, "region ID")
        change.extras = try body.extras()
        let region = try await catalog.update(id, change, for: context)
        return IdentityReply.one("region") { Self.write(region, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await catalog.delete(request.id("region_id", RegionTag.self), for: context)
        return IdentityReply.noContent()
    }

    private static func write(_ region: Region, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", region.id)
        writer.field("parent_region_id", region.parentID)
        writer.field("description", region.description)
        writer.extras(region.extras)
        writer.selfLink("\(base)/regions/\(Percent.encode(region.id.rawValue))")
    }
}
