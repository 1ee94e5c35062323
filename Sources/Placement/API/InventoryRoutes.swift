// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementContract
import PlacementCore
import PolicyKit

/// /resource_providers/{uuid}/inventories
struct InventoryRoutes: Sendable {
    let engine: PlacementEngine
    let clock: WallClock

    private static let reserveAllSince = 26

    func register(on routing: inout PlacementRouting) {
        let all = "/resource_providers/{uuid}/inventories"
        let one = all + "/{resource_class}"
        let rule = "placement:resource_providers:inventories:"
        routing.add(.get, all, PolicyName(rule + "list"), list)
        routing.add(.post, all, PolicyName(rule + "create"), takesBody: true, answersJSON: false, create)
        routing.add(.put, all, PolicyName(rule + "update"), takesBody: true, answersJSON: false, replace)
        routing.add(.delete, all, PolicyName(rule + "delete"), since: 5, refusal: 405, answersJSON: false, deleteAll)
        routing.add(.get, one, PolicyName(rule + "show"), show)
        routing.add(.put, one, PolicyName(rule + "update"), takesBody: true, answersJSON: false, update)
        routing.add(.delete, one, PolicyName(rule + "delete"), answersJSON: false, delete)
    }

    private func mayReserveAll(_ context: CallContext) -> Bool { context.microversion.minor >= Self.reserveAllSince }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        answer(try await engine.inventories(of: request.id("uuid")), context)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let name = request.parameter("resource_class")
        let found = try await engine.inventories(of: request.id("uuid"))
        guard let record = found.records.first(where: { $0.resourceClass == name }) else {
            throw CloudError.notFound("No inventory of class \(name) for \(request.parameter("uuid"))")
        }
        return answer(found.provider, record, status: 200, context)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: ResourceProviderID = request.id("uuid")
        _ = try await engine.provider(id)
        let body = try await request.placementJSON(PlacementSchemas.newInventory)
        let name = body["resource_class"]?.string ?? ""
        let made = try await engine.addInventory(
            name, InventoryWire.read(body), to: id, generation: body["resource_provider_generation"]?.int,
            mayReserveAll: mayReserveAll(context))
        var response = answer(made.provider, made.records[0], status: 201, context)
        response.headers.set("Location", "\(request.serviceURL)/resource_providers/\(id)/inventories/\(name)")
        return response
    }

    private func replace(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: ResourceProviderID = request.id("uuid")
        _ = try await engine.provider(id)
        let body = try await request.placementJSON(PlacementSchemas.inventories)
        let wanted = (body["inventories"]?.object ?? [:]).mapValues(InventoryWire.read)
        return answer(
            try await engine.setInventories(
                wanted, of: id, generation: body["resource_provider_generation"]?.int ?? -1,
                mayReserveAll: mayReserveAll(context)), context)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: ResourceProviderID = request.id("uuid")
        _ = try await engine.provider(id)
        let body = try await request.placementJSON(PlacementSchemas.inventory)
        let changed = try await engine.updateInventory(
            request.parameter("resource_class"), InventoryWire.read(body), of: id,
            generation: body["resource_provider_generation"]?.int ?? -1, mayReserveAll: mayReserveAll(context))
        return answer(changed.provider, changed.records[0], status: 200, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deleteInventory(request.parameter("resource_class"), of: request.id("uuid"))
        return PlacementRouting.empty(204, context)
    }

    private func deleteAll(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deleteInventories(of: request.id("uuid"))
        return PlacementRouting.empty(204, context)
    }

    // MARK: Answers

    private func answer(_ found: PlacementEngine.Inventories, _ context: CallContext) -> HTTPResponse {
        let bytes = JSONWriter.object { writer in
            writer.field("resource_provider_generation", found.provider.generation)
            writer.object("inventories") { inventories in
                for record in found.records {
                    inventories.key(dynamic: record.resourceClass)
                    inventories.beginObject()
                    InventoryWire.write(record.inventory, to: &inventories)
                    inventories.endObject()
                }
            }
        }
        return PlacementRouting.json(
            200, bytes, modified: found.records.map(\.updatedAt).max() ?? clock.now(), context)
    }

    private func answer(_ provider: ResourceProvider, _ record: InventoryRecord, status: Int, _ context: CallContext)
        -> HTTPResponse
    {
        let bytes = JSONWriter.object { writer in
            InventoryWire.write(record.inventory, to: &writer)
            // Upstream leaves a zero out (placement: `_serialize_inventory`).
            if provider.generation != 0 { writer.field("resource_provider_generation", provider.generation) }
        }
        return PlacementRouting.json(status, bytes, modified: record.updatedAt, context)
    }
}

enum InventoryWire {
    private static let maximumInt: Int64 = 0x7FFF_FFFF

    /// From a body that fits its schema.
    static func read(_ json: JSON) -> ResourceInventory {
        let ratio: Double =
            switch json["allocation_ratio"] {
            case .double(let number)?: number
            case .int(let number)?: Double(number)
            default: 1
            }
        return ResourceInventory(
            total: json["total"]?.int ?? 0, reserved: json["reserved"]?.int ?? 0, minUnit: json["min_unit"]?.int ?? 1,
            maxUnit: json["max_unit"]?.int ?? maximumInt, stepSize: json["step_size"]?.int ?? 1, allocationRatio: ratio)
    }

    static func write(_ inventory: ResourceInventory, to writer: inout JSONWriter) {
        writer.field("total", inventory.total)
        writer.field("reserved", inventory.reserved)
        writer.field("min_unit", inventory.minUnit)
        writer.field("max_unit", inventory.maxUnit)
        writer.field("step_size", inventory.stepSize)
        writer.field("allocation_ratio", inventory.allocationRatio)
    }
}
