// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// The trees that a search touches, with what each provider has left.
struct ProviderForest {
    /// A database limits the values of one statement.
    private static let chunk = 10_000

    private var byID: [ResourceProviderID: ProviderSummary] = [:]
    private var rooms: [CandidateAllocation.Place: ProviderSummary.Room] = [:]
    private var order: [ResourceProviderID] = []

    mutating func load(rootsOf parts: [CandidateSearch.Part], _ tx: any Transaction) throws {
        var providers = Set<ResourceProviderID>()
        for part in parts {
            providers.insert(part.anchor)
            providers.formUnion(part.providers)
        }
        let all = providers.sorted()
        for slice in all.slices(of: Self.chunk) { try load(Array(slice), tx) }
    }

    private mutating func load(_ members: [ResourceProviderID], _ tx: any Transaction) throws {
        let trees: SQL = """
            SELECT r.id FROM placement_providers r
             WHERE r.root_id IN (SELECT m.root_id FROM placement_providers m WHERE m.id IN \(list: members))
            """
        var new: Set<ResourceProviderID> = []
        try tx.forEach("SELECT p.id, p.parent_id, p.root_id FROM placement_providers p WHERE p.id IN (\(trees))") {
            row in
            let id: ResourceProviderID = row.id(0)
            guard byID[id] == nil else { return }
            new.insert(id)
            byID[id] = ProviderSummary(id: id, parent: row.idOrNil(1), root: row.id(2))
            order.append(id)
        }
        try tx.forEach(
            """
            SELECT provider_id, resource_class, capacity, used, max_unit FROM placement_inventories
             WHERE provider_id IN (\(trees)) ORDER BY provider_id, resource_class
            """
        ) { row in
            let room = ProviderSummary.Room(
                resourceClass: row.text(1), capacity: row.int64(2), used: row.int64(3), maxUnit: row.int64(4))
            let place = CandidateAllocation.Place(provider: row.id(0), resourceClass: room.resourceClass)
            if rooms.updateValue(room, forKey: place) == nil { byID[place.provider]?.resources.append(room) }
        }
        try tx.forEach(
            """
            SELECT provider_id, trait FROM placement_provider_traits
             WHERE provider_id IN (\(trees)) ORDER BY provider_id, trait
            """
        ) { row in
            let id: ResourceProviderID = row.id(0)
            if new.contains(id) { byID[id]?.traits.append(row.text(1)) }
        }
    }

    func room(_ place: CandidateAllocation.Place) -> ProviderSummary.Room? { rooms[place] }

    func root(_ id: ResourceProviderID) -> ResourceProviderID { byID[id]?.root ?? id }

    func summaries(_ isWanted: (ProviderSummary) -> Bool) -> [ProviderSummary] {
        order.compactMap { byID[$0] }.filter(isWanted)
    }

    /// Whether one of them stands above all the others, or is alone.
    func haveCommonTop(_ providers: Set<ResourceProviderID>) -> Bool {
        guard providers.count > 1 else { return true }
        var common: Set<ResourceProviderID>?
        for provider in providers {
            var above: Set<ResourceProviderID> = []
            var next: ResourceProviderID? = provider
            // A tree cannot have a loop; the set ends the walk if one ever got in.
            while let id = next, above.insert(id).inserted { next = byID[id]?.parent }
            common = common?.intersection(above) ?? above
        }
        return !(common ?? []).isDisjoint(with: providers)
    }
}
