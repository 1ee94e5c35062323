// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// What providers have.
extension PlacementEngine {
    package struct Inventories: Sendable {
        package var provider: ResourceProvider
        package var records: [InventoryRecord]
    }

    package func inventories(of id: ResourceProviderID) async throws -> Inventories {
        try await database.read { tx in
            Inventories(provider: try require(id, tx), records: try inventories.records(of: id, tx))
        }
    }

    /// `mayReserveAll`: since 1.26 the reserved part may equal the total.
    package func setInventories(
        _ wanted: [String: ResourceInventory], of id: ResourceProviderID, generation: Int64, mayReserveAll: Bool
    ) async throws -> Inventories {
        let now = clock.now()
        return try await database.write { tx in
            let provider = try require(id, tx)
            guard provider.generation == generation else { throw PlacementErrors.generationConflict }
            let problem = "Unable to update inventory for resource provider \(id): "
            try checkCapacity(wanted, of: id, mayReserveAll: mayReserveAll, problem)
            if let name = try names.missingClasses(wanted.keys, tx).sorted().first {
                throw CloudError.badRequest(
                    "Unknown resource class in inventory for resource provider \(id): No such resource class \(name).")
            }
            try replaceInventories(wanted, of: id, inUse: "update conflict: ", at: now, tx)
            return Inventories(
                provider: try advance(provider, at: now, tx), records: try inventories.records(of: id, tx))
        }
    }

    /// Brings the records to `wanted`; refuses to take away what consumers hold.
    func replaceInventories(
        _ wanted: [String: ResourceInventory], of id: ResourceProviderID, inUse: String, at now: Timestamp,
        _ tx: any Transaction
    ) throws {
        let existing = try inventories.records(of: id, tx).map(\.resourceClass)
        let superfluous = existing.filter { wanted[$0] == nil }
        let held = try inventories.heldClasses(superfluous, of: id, tx)
        guard held.isEmpty else {
            // In the order of the standard classes, which is upstream's order of internal numbers.
            let order = StandardResourceClasses.names
            let names = held.sorted {
                (order.firstIndex(of: $0) ?? .max, $0) < (order.firstIndex(of: $1) ?? .max, $1)
            }
            throw PlacementErrors.inUse(names, id, prefix: inUse)
        }
        for name in superfluous { _ = try inventories.delete(name, of: id, tx) }
        for (name, inventory) in wanted.sorted(by: { $0.key < $1.key }) {
            try inventories.put(InventoryRecord(name, inventory, updatedAt: now), of: id, tx)
        }
    }

    func checkCapacity(
        _ wanted: [String: ResourceInventory], of id: ResourceProviderID, mayReserveAll: Bool, _ problem: String
    ) throws {
        for (name, inventory) in wanted.sorted(by: { $0.key < $1.key }) {
            let capacity = inventory.capacity
            guard mayReserveAll ? capacity < 0 : capacity <= 0 else { continue }
            let reason = mayReserveAll ? "greater than total." : "greater than or equal to total."
            throw CloudError.badRequest(
                """
                \(problem)Invalid inventory for '\(name)' on resource provider '\(id)'. The reserved value is \(reason)
                """)
        }
    }

    package func addInventory(
        _ name: String, _ inventory: ResourceInventory, to id: ResourceProviderID, generation: Int64?,
        mayReserveAll: Bool
    ) async throws -> Inventories {
        let now = clock.now()
        return try await database.write { tx in
            let provider = try require(id, tx)
            let problem = "Unable to create inventory for resource provider \(id): "
            try checkCapacity([name: inventory], of: id, mayReserveAll: mayReserveAll, problem)
            guard try names.missingClasses([name], tx).isEmpty else {
                throw CloudError.badRequest("\(problem)No such resource class \(name).")
            }
            guard try inventories.record(of: id, name, tx) == nil else {
                throw CloudError.conflict(
                    "Update conflict: inventory of class \(name) already exists", kind: PlacementErrors.concurrentUpdate
                )
            }
            let record = InventoryRecord(name, inventory, updatedAt: now)
            try inventories.put(record, of: id, tx)
            return Inventories(provider: try advance(provider, at: now, tx), records: [record])
        }
    }

    package func updateInventory(
        _ name: String, _ inventory: ResourceInventory, of id: ResourceProviderID, generation: Int64,
        mayReserveAll: Bool
    ) async throws -> Inventories {
        let now = clock.now()
        return try await database.write { tx in
            let provider = try require(id, tx)
            guard provider.generation == generation else { throw PlacementErrors.generationConflict }
            let problem = "Unable to update inventory for resource provider \(id): "
            try checkCapacity([name: inventory], of: id, mayReserveAll: mayReserveAll, problem)
            guard let resourceClass = try names.resourceClass(name, tx) else {
                throw CloudError.badRequest("\(problem)No such resource class \(name).")
            }
            guard try inventories.record(of: id, resourceClass.name, tx) != nil else {
                throw CloudError.badRequest(
                    """
                    No inventory record with resource class for resource provider \(id): No inventory of class \(name) \
                    found.
                    """)
            }
            let record = InventoryRecord(name, inventory, updatedAt: now)
            try inventories.put(record, of: id, tx)
            return Inventories(provider: try advance(provider, at: now, tx), records: [record])
        }
    }

    package func deleteInventory(_ name: String, of id: ResourceProviderID) async throws {
        let now = clock.now()
        try await database.write { tx in
            let provider = try require(id, tx)
            guard try names.resourceClass(name, tx) != nil, try inventories.record(of: id, name, tx) != nil else {
                throw CloudError.notFound(
                    "No inventory of class \(name) found for delete: No inventory of class \(name) found.")
            }
            guard try inventories.heldClasses([name], of: id, tx).isEmpty else {
                throw CloudError.conflict(
                    """
                    Unable to delete inventory of class \(name): Inventory for '\(name)' on resource provider '\(id)' \
                    in use.
                    """, kind: PlacementErrors.concurrentUpdate)
            }
            _ = try inventories.delete(name, of: id, tx)
            _ = try advance(provider, at: now, tx)
        }
    }

    package func deleteInventories(of id: ResourceProviderID) async throws {
        let now = clock.now()
        try await database.write { tx in
            let provider = try require(id, tx)
            try replaceInventories([:], of: id, inUse: "", at: now, tx)
            _ = try advance(provider, at: now, tx)
        }
    }

    // MARK: Usage

    package struct ProjectUsage: Sendable {
        package var type: String
        package var consumers: Int64
        package var resources: [(String, Int64)]
    }

    package func projectUsage(_ project: String, user: String?) async throws -> [(String, Int64)] {
        try await database.read { tx in
            try allocations.usage(project: project, user: user, tx).map { ($0.resourceClass, $0.used) }
        }
    }

    package func projectUsageByType(_ project: String, user: String?, type: String?) async throws -> [ProjectUsage] {
        try await database.read { tx in
            try allocations.typedUsage(project: project, user: user, type: type, tx).map {
                ProjectUsage(type: $0.type, consumers: $0.consumers, resources: $0.resources)
            }
        }
    }
}
