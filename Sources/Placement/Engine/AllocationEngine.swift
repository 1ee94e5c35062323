// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// Who holds what. Every change replaces all that the named consumers hold, in one transaction, or changes nothing.
extension PlacementEngine {
    package func allocations(ofConsumer id: String) async throws
        -> (allocations: [Allocation], consumer: Consumer?, generations: [ResourceProviderID: Int64])
    {
        try await database.read { tx in
            let held = try allocations.allocations(ofConsumer: id, tx)
            let providers = try providers.providers(Set(held.map(\.provider)), tx)
            return (
                held, try allocations.consumer(id, tx),
                Dictionary(uniqueKeysWithValues: providers.map { ($0.id, $0.generation) })
            )
        }
    }

    package func allocations(atProvider id: ResourceProviderID) async throws
        -> (provider: ResourceProvider, allocations: [Allocation], generations: [String: Int64])
    {
        try await database.read { tx in
            guard let provider = try providers.provider(id, tx) else {
                throw CloudError.notFound(
                    "Resource provider '\(id)' not found: No resource provider with uuid \(id) found")
            }
            let held = try allocations.allocations(atProvider: id, tx)
            return (provider, held, try allocations.generations(Set(held.map(\.consumer)), tx))
        }
    }

    package func replaceAllocations(_ claims: [ConsumerClaim]) async throws {
        let now = clock.now()
        try await database.write { tx in try replace(claims, at: now, tx) }
    }

    /// Throws `.notFound` for a consumer that holds nothing.
    package func deleteAllocations(ofConsumer id: String) async throws {
        try await database.write { tx in
            guard try drop(id, tx) else { throw CloudError.notFound("No allocations for consumer '\(id)'") }
        }
    }

    // MARK: In a transaction

    /// Gives back everything of the consumer and forgets it. False: it held nothing.
    func drop(_ consumer: String, _ tx: any Transaction) throws -> Bool {
        let held = try allocations.allocations(ofConsumer: consumer, tx)
        try allocations.deleteAll(ofConsumer: consumer, tx)
        try allocations.delete(consumer, tx)
        try recount(held, tx)
        return !held.isEmpty
    }

    private func recount(_ touched: [Allocation], _ tx: any Transaction) throws {
        for (provider, entries) in Dictionary(grouping: touched, by: \.provider) {
            try inventories.recount(provider, Set(entries.map(\.resourceClass)), tx)
        }
    }

    func replace(_ claims: [ConsumerClaim], at now: Timestamp, _ tx: any Transaction) throws {
        let consumers = try claims.map { try consumer(for: $0, tx) }
        let wanted = claims.flatMap { claim in
            claim.allocations.flatMap { provider, resources in
                resources.map { name, amount in
                    Allocation(
                        consumer: claim.consumer, provider: provider, resourceClass: name, used: amount, updatedAt: now)
                }
            }
        }
        var touched = Set(wanted.map(\.provider))
        let known = Dictionary(uniqueKeysWithValues: try providers.providers(touched, tx).map { ($0.id, $0) })
        if let missing = touched.subtracting(known.keys).sorted().first {
            throw CloudError.badRequest("Allocation for resource provider '\(missing)' that does not exist.")
        }
        if let name = try names.missingClasses(wanted.map(\.resourceClass), tx).sorted().first {
            throw CloudError.badRequest(
                "Unable to allocate inventory for consumer \(claims.first?.consumer ?? ""): No such resource class \(name)."
            )
        }
        let before = try usage(of: wanted, tx)
        var released: [Allocation] = []
        for claim in claims {
            let held = try allocations.allocations(ofConsumer: claim.consumer, tx)
            released += held
            // An emptied consumer's providers change; those that it merely leaves do not (placement: `replace_all`).
            if claim.allocations.isEmpty { touched.formUnion(held.map(\.provider)) }
            try allocations.deleteAll(ofConsumer: claim.consumer, tx)
        }
        try recount(released, tx)
        try checkRoom(wanted, before: before, tx)
        try store(claims, consumers, at: now, tx)
        for allocation in wanted { try allocations.insert(allocation, tx) }
        try recount(wanted, tx)
        for provider in try providers.providers(touched, tx) { _ = try advance(provider, at: now, tx) }
    }

    /// The consumer as it will be, its generation checked. Nil generation: it is new.
    private func consumer(for claim: ConsumerClaim, _ tx: any Transaction) throws -> Consumer? {
        let existing = try allocations.consumer(claim.consumer, tx)
        if case .expected(let expected) = claim.generation, expected != existing?.generation {
            let have = existing.map { String($0.generation) } ?? "null"
            let got = expected.map(String.init) ?? "None"
            throw CloudError.conflict(
                "consumer generation conflict - expected \(have) but got \(got)", kind: PlacementErrors.concurrentUpdate
            )
        }
        return existing
    }

    private func store(_ claims: [ConsumerClaim], _ existing: [Consumer?], at now: Timestamp, _ tx: any Transaction)
        throws
    {
        for (claim, existing) in zip(claims, existing) {
            if claim.allocations.isEmpty {
                if existing != nil { try allocations.delete(claim.consumer, tx) }
                continue
            }
            let consumer = Consumer(
                id: claim.consumer, projectID: claim.projectID, userID: claim.userID,
                type: claim.type ?? existing?.type,
                generation: (existing?.generation ?? 0) + 1)
            if existing == nil {
                try allocations.insert(consumer, at: now, tx)
            } else {
                try allocations.update(consumer, at: now, tx)
            }
        }
    }

    private struct Place: Hashable {
        var provider: ResourceProviderID
        var resourceClass: String
    }

    private func usage(of wanted: [Allocation], _ tx: any Transaction) throws -> [Place: Int64] {
        var usage: [Place: Int64] = [:]
        for provider in Set(wanted.map(\.provider)) {
            for record in try inventories.records(of: provider, tx) {
                usage[Place(provider: provider, resourceClass: record.resourceClass)] = record.used
            }
        }
        return usage
    }

    /// What the consumers held is given back already. A provider that is over its capacity may still be relieved.
    private func checkRoom(_ wanted: [Allocation], before: [Place: Int64], _ tx: any Transaction) throws {
        var sums: [Place: Int64] = [:]
        var records: [ResourceProviderID: [InventoryRecord]] = [:]
        let ordered = wanted.sorted {
            ($0.provider, $0.resourceClass, $0.consumer) < ($1.provider, $1.resourceClass, $1.consumer)
        }
        for allocation in ordered {
            let found = try records[allocation.provider] ?? inventories.records(of: allocation.provider, tx)
            records[allocation.provider] = found
            guard let record = found.first(where: { $0.resourceClass == allocation.resourceClass }) else {
                throw PlacementErrors.invalidInventory(allocation.resourceClass, allocation.provider)
            }
            guard record.inventory.permits(allocation.used) else {
                throw PlacementErrors.constraintsViolated(allocation.resourceClass, allocation.provider)
            }
            let place = Place(provider: allocation.provider, resourceClass: allocation.resourceClass)
            let (sum, overflowed) = (sums[place] ?? 0).addingReportingOverflow(allocation.used)
            sums[place] = sum
            let (used, overflowedUsed) = record.used.addingReportingOverflow(sum)
            guard !overflowed, !overflowedUsed, used <= record.inventory.capacity || used <= before[place] ?? 0 else {
                throw PlacementErrors.capacityExceeded(allocation.resourceClass, allocation.provider)
            }
        }
    }

    // MARK: Reshape

    package struct ReshapedInventory: Sendable {
        package var generation: Int64
        package var inventory: [String: ResourceInventory]
        package init(generation: Int64, inventory: [String: ResourceInventory]) {
            self.generation = generation
            self.inventory = inventory
        }
    }

    /// Moves inventory between providers together with what consumers hold of it (placement: `reshaper.py`).
    package func reshape(
        _ wanted: [ResourceProviderID: ReshapedInventory], claims: [ConsumerClaim]
    ) async throws {
        let now = clock.now()
        try await database.write { tx in
            for (id, entry) in wanted.sorted(by: { $0.key < $1.key }) {
                guard let provider = try providers.provider(id, tx) else {
                    throw CloudError(
                        .badRequest,
                        """
                        Resource provider \(id) in inventories not found: No resource provider with uuid \(id) found
                        """, kind: PlacementErrors.providerNotFound)
                }
                guard provider.generation == entry.generation else {
                    throw CloudError.conflict(
                        """
                        resource provider generation conflict for provider \(id): actual: \(provider.generation), given: \
                        \(entry.generation)
                        """, kind: PlacementErrors.concurrentUpdate)
                }
                if let name = try names.missingClasses(entry.inventory.keys, tx).sorted().first {
                    throw CloudError.badRequest("malformed reshaper data: No such resource class \(name).")
                }
            }
            // First what is new beside what is old, so that every allocation has a place while it moves.
            for (id, entry) in wanted where !entry.inventory.isEmpty {
                for (name, inventory) in entry.inventory {
                    try inventories.put(InventoryRecord(name, inventory, updatedAt: now), of: id, tx)
                }
                _ = try advance(try require(id, tx), at: now, tx)
            }
            try replace(claims, at: now, tx)
            for (id, entry) in wanted {
                try replaceInventories(entry.inventory, of: id, inUse: "update conflict: ", at: now, tx)
                _ = try advance(try require(id, tx), at: now, tx)
            }
        }
    }
}
