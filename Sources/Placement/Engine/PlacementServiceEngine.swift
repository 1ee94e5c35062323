// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// What other services use: hosts as flat providers.
extension PlacementEngine: PlacementService {
    package func ensureProvider(
        _ id: ResourceProviderID, name: String, inventory: [String: ResourceInventory], traits: ProviderTraits
    ) async throws {
        let now = clock.now()
        try await database.write { tx in
            try ensureNames(classes: inventory.keys, traits: traits.present, at: now, tx)
            var provider = try providers.provider(id, tx)
            if provider == nil {
                let new = ResourceProvider(
                    id: id, name: name, generation: 0, parent: nil, root: id, createdAt: now, updatedAt: now)
                do {
                    try providers.insert(new, tx)
                } catch DatabaseError.unique {
                    throw CloudError.conflict(
                        "Conflicting resource provider name: \(name) already exists.",
                        kind: PlacementErrors.duplicateName)
                }
                provider = new
            }
            guard var provider else { return }
            if provider.name != name {
                provider.name = name
                provider.updatedAt = now
                try providers.update(provider, tx)
            }
            provider = try apply(traits, to: provider, at: now, tx)
            let existing = Dictionary(
                uniqueKeysWithValues: try inventories.records(of: id, tx).map { ($0.resourceClass, $0.inventory) })
            guard existing != inventory else { return }
            try replaceInventories(inventory, of: id, inUse: "", at: now, tx)
            _ = try advance(provider, at: now, tx)
        }
    }

    package func changeTraits(of provider: ResourceProviderID, _ traits: ProviderTraits) async throws {
        let now = clock.now()
        try await database.write { tx in
            guard let provider = try providers.provider(provider, tx) else { return }
            try ensureNames(classes: [], traits: traits.present, at: now, tx)
            _ = try apply(traits, to: provider, at: now, tx)
        }
    }

    private func apply(
        _ traits: ProviderTraits, to provider: ResourceProvider, at now: Timestamp, _ tx: any Transaction
    ) throws -> ResourceProvider {
        let existing = Set(try providers.traits(of: provider.id, tx))
        return try replaceTraits(traits.applied(to: existing), of: provider, at: now, tx)
    }

    /// A custom name is made on the way; another unknown one is a caller's mistake.
    private func ensureNames(
        classes: some Sequence<String>, traits: Set<String>, at now: Timestamp, _ tx: any Transaction
    ) throws {
        for name in try names.missingClasses(classes, tx) {
            guard PlacementNames.isCustom(name) else { throw PlacementErrors.noResourceClass(name) }
            _ = try names.insertClass(name, at: now, tx)
        }
        for name in try names.missingTraits(traits, tx) {
            guard PlacementNames.isCustom(name) else { throw PlacementErrors.noTraits([name]) }
            _ = try names.insertTrait(name, at: now, tx)
        }
    }

    package func candidates(for request: ResourceRequest, limit: Int) async throws
        -> (candidates: [AllocationCandidate], refusals: [CandidateRefusal])
    {
        try await database.read { tx in
            let found = try HostSearch(request: request, limit: limit).candidates(tx)
            guard found.count < limit else { return (found, []) }
            return (found, try HostSearch(request: request, limit: limit).refusals(except: found, tx))
        }
    }

    package func claim(
        consumer: String, provider: ResourceProviderID, resources: [String: Int64], project: ProjectID, user: UserID
    ) async throws {
        let now = clock.now()
        let resources = resources.filter { $0.value != 0 }
        try await database.write { tx in
            let held = try allocations.allocations(ofConsumer: consumer, tx)
            let same = Dictionary(
                uniqueKeysWithValues: held.filter { $0.provider == provider }.map { ($0.resourceClass, $0.used) })
            if same == resources, same.count == held.count { return }
            let claim = ConsumerClaim(
                consumer: consumer, projectID: project.rawValue, userID: user.rawValue, type: "INSTANCE",
                allocations: resources.isEmpty ? [:] : [provider: resources])
            do {
                try replace([claim], at: now, tx)
            } catch let error as CloudError where error.code == .badRequest {
                // The host has gone since it was chosen.
                throw CloudError(.conflict, error.message, kind: error.kind)
            }
        }
    }

    package func release(consumer: String) async throws {
        try await database.write { tx in _ = try drop(consumer, tx) }
    }

    package func transfer(from consumer: String, to other: String, replacing: Bool) async throws {
        let now = clock.now()
        try await database.write { tx in
            let held = try allocations.allocations(ofConsumer: consumer, tx)
            guard !held.isEmpty, let owner = try allocations.consumer(consumer, tx) else { return }
            guard try replacing || allocations.allocations(ofConsumer: other, tx).isEmpty else { return }
            _ = try drop(other, tx)
            _ = try drop(consumer, tx)
            try allocations.insert(
                Consumer(
                    id: other, projectID: owner.projectID, userID: owner.userID, type: owner.type, generation: 1),
                at: now, tx)
            for var allocation in held {
                allocation.consumer = other
                allocation.updatedAt = now
                try allocations.insert(allocation, tx)
            }
            for (provider, entries) in Dictionary(grouping: held, by: \.provider) {
                try inventories.recount(provider, Set(entries.map(\.resourceClass)), tx)
            }
        }
    }

    package func consumers(of provider: ResourceProviderID) async throws -> [String] {
        try await database.read { tx in
            try tx.query(
                """
                SELECT DISTINCT consumer_id FROM placement_allocations WHERE provider_id = \(provider)
                 ORDER BY consumer_id
                """
            ) { $0.text(0) }
        }
    }

    package func usage(of provider: ResourceProviderID) async throws -> [String: Int64] {
        try await database.read { tx in
            Dictionary(
                uniqueKeysWithValues: try inventories.records(of: provider, tx).map { ($0.resourceClass, $0.used) })
        }
    }
}

/// The rule for names that clouds may make.
package enum PlacementNames {
    package static let customPrefix = "CUSTOM_"
    package static let maximumLength = 255

    package static func isCustom(_ name: String) -> Bool {
        name.hasPrefix(customPrefix) && name.utf8.count > customPrefix.utf8.count && name.utf8.count <= maximumLength
            && isWord(name)
    }

    /// Capitals, digits and underscores.
    package static func isWord(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || (0x30...0x39).contains($0)
                    || $0 == UInt8(ascii: "_")
            }
    }
}
