// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementContract
import PlacementCore
import PolicyKit

/// /allocations, /resource_providers/{uuid}/allocations and /reshaper
struct AllocationRoutes: Sendable {
    let engine: PlacementEngine
    let clock: WallClock

    func register(on routing: inout PlacementRouting) {
        let one = "/allocations/{consumer_uuid}"
        routing.add(.get, one, "placement:allocations:list", showConsumer)
        routing.add(.put, one, "placement:allocations:update", takesBody: true, answersJSON: false, putConsumer)
        routing.add(.delete, one, "placement:allocations:delete", answersJSON: false, deleteConsumer)
        routing.add(
            .post, "/allocations", "placement:allocations:manage", since: 13, takesBody: true, answersJSON: false,
            postMany)
        routing.add(
            .get, "/resource_providers/{uuid}/allocations", "placement:resource_providers:allocations:list",
            showProvider)
        routing.add(
            .post, "/reshaper", "placement:reshaper:reshape", since: 30, takesBody: true, answersJSON: false, reshape)
    }

    private func showConsumer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        let held = try await engine.allocations(
            ofConsumer: AllocationWire.canonical(request.parameter("consumer_uuid")))
        let bytes = JSONWriter.object { writer in
            writer.object("allocations") { allocations in
                for (provider, entries) in AllocationWire.grouped(held.allocations, by: \.provider.rawValue) {
                    allocations.key(dynamic: provider)
                    allocations.beginObject()
                    AllocationWire.write(resources: entries, to: &allocations)
                    allocations.field("generation", held.generations[ResourceProviderID(provider)] ?? 0)
                    allocations.endObject()
                }
            }
            guard minor >= 12, !held.allocations.isEmpty, let consumer = held.consumer else { return }
            writer.field("project_id", consumer.projectID)
            writer.field("user_id", consumer.userID)
            if minor >= 28 { writer.field("consumer_generation", consumer.generation) }
            if minor >= 38 { writer.field("consumer_type", consumer.type ?? "unknown") }
        }
        return PlacementRouting.json(
            200, bytes, modified: held.allocations.map(\.updatedAt).max() ?? clock.now(), context)
    }

    private func showProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let held = try await engine.allocations(atProvider: request.id("uuid"))
        let bytes = JSONWriter.object { writer in
            writer.object("allocations") { allocations in
                for (consumer, entries) in AllocationWire.grouped(held.allocations, by: \.consumer) {
                    allocations.key(dynamic: consumer)
                    allocations.beginObject()
                    AllocationWire.write(resources: entries, to: &allocations)
                    if context.microversion.minor >= 28 {
                        allocations.field("consumer_generation", held.generations[consumer] ?? 0)
                    }
                    allocations.endObject()
                }
            }
            writer.field("resource_provider_generation", held.provider.generation)
        }
        return PlacementRouting.json(
            200, bytes, modified: held.allocations.map(\.updatedAt).max() ?? clock.now(), context)
    }

    private func putConsumer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        let consumer = request.parameter("consumer_uuid")
        guard UUIDText.isUUID(consumer) else { throw CloudError.badRequest("Malformed consumer_uuid: \(consumer)") }
        let body = try await request.placementJSON(PlacementSchemas.allocations(minor: minor))
        try await engine.replaceAllocations([AllocationWire.claim(ProviderWire.dashed(consumer), body, minor: minor)])
        return PlacementRouting.empty(204, context)
    }

    private func postMany(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        let body = try await request.placementJSON(PlacementSchemas.manyAllocations(minor: minor))
        try await engine.replaceAllocations(AllocationWire.claims(body, minor: minor))
        return PlacementRouting.empty(204, context)
    }

    private func deleteConsumer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deleteAllocations(ofConsumer: AllocationWire.canonical(request.parameter("consumer_uuid")))
        return PlacementRouting.empty(204, context)
    }

    private func reshape(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        let body = try await request.placementJSON(PlacementSchemas.reshape(minor: minor))
        var wanted: [ResourceProviderID: PlacementEngine.ReshapedInventory] = [:]
        for (provider, entry) in body["inventories"]?.object ?? [:] {
            wanted[ResourceProviderID(provider.lowercased())] = .init(
                generation: entry["resource_provider_generation"]?.int ?? -1,
                inventory: (entry["inventories"]?.object ?? [:]).mapValues(InventoryWire.read))
        }
        try await engine.reshape(
            wanted, claims: AllocationWire.claims(body["allocations"] ?? .object([:]), minor: minor))
        return PlacementRouting.empty(204, context)
    }
}

enum AllocationWire {
    /// Stands for the project and user of a consumer from before 1.8 (placement: `incomplete_consumer_project_id`).
    private static let nobody = "00000000-0000-0000-0000-000000000000"

    static func canonical(_ text: String) -> String { UUIDText.isUUID(text) ? ProviderWire.dashed(text) : text }

    static func grouped(_ allocations: [Allocation], by key: (Allocation) -> String) -> [(String, [Allocation])] {
        Dictionary(grouping: allocations, by: key).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    static func write(resources entries: [Allocation], to writer: inout JSONWriter) {
        writer.object("resources") { resources in
            for entry in entries {
                resources.key(dynamic: entry.resourceClass)
                resources.value(entry.used)
            }
        }
    }

    static func claims(_ body: JSON, minor: Int) -> [ConsumerClaim] {
        (body.object ?? [:]).sorted { $0.key < $1.key }.map {
            claim(ProviderWire.dashed($0.key), $0.value, minor: minor)
        }
    }

    /// From a body that fits its schema.
    static func claim(_ consumer: String, _ body: JSON, minor: Int) -> ConsumerClaim {
        var allocations: [ResourceProviderID: [String: Int64]] = [:]
        for (provider, entry) in body["allocations"]?.object ?? [:] {
            allocations[ResourceProviderID(provider.lowercased())] = resources(entry)
        }
        for entry in body["allocations"]?.array ?? [] {
            guard let provider = entry["resource_provider"]?["uuid"]?.string else { continue }
            allocations[ResourceProviderID(ProviderWire.dashed(provider))] = resources(entry)
        }
        return ConsumerClaim(
            consumer: consumer, projectID: body["project_id"]?.string ?? nobody,
            userID: body["user_id"]?.string ?? nobody, type: body["consumer_type"]?.string,
            generation: minor >= 28 ? .expected(body["consumer_generation"]?.int) : .ignored, allocations: allocations)
    }

    private static func resources(_ entry: JSON) -> [String: Int64] {
        (entry["resources"]?.object ?? [:]).compactMapValues(\.int)
    }
}
